"""N-wire calibration: exact without noise, honest with it, outliers named, refusals in words, PLUS's own recording."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.ultrasound_probe.errors import ProbeInputError, ProbeRefusedError
from calibration.ultrasound_probe.samples import ProbeSample
from calibration.ultrasound_probe.wires.n_wire import NWireSettings, calibrate_n_wires
from calibration.ultrasound_probe.wires.phantom import Wire, n_wire_phantom
from geometry import Transform
from geometry.errors import FrameMismatchError
from tests.calibration.ultrasound_probe.wires.sweeps import (
    SIZE_PX,
    T_REFERENCE_PHANTOM,
    TRUE_COLUMNS_MM,
    Noise,
    fcal_phantom,
    sweep,
)

CHECKED_PX = np.array([[409.5, 307.5], [200.0, 500.0], [600.0, 200.0]])
REALISTIC = Noise(pixel_px=3.0, pose_mm=0.1, pose_rad=0.001)


def calibrated(samples, motion=None, **settings):
    chosen = NWireSettings(**settings)
    return calibrate_n_wires(samples, fcal_phantom(), T_REFERENCE_PHANTOM, SIZE_PX, motion=motion, settings=chosen)


def errors_mm(found):
    truth = CHECKED_PX @ TRUE_COLUMNS_MM[:, :2].T + TRUE_COLUMNS_MM[:, 2]
    return found.calibration.image_map.to_probe_mm(CHECKED_PX) - truth


@pytest.mark.parametrize("rectangular", [True, False])
def test_without_noise_it_is_exact(rectangular):
    samples, _ = sweep(np.random.default_rng(1), 40)
    found = calibrated(samples, rectangular=rectangular)
    np.testing.assert_allclose(errors_mm(found), 0.0, atol=1e-6)
    assert found.calibration.accepted
    assert found.skew_rad == pytest.approx(0.0, abs=1e-6)
    assert not found.calibration.outliers


def test_the_lag_between_images_and_poses_is_found_with_it():
    samples, motion = sweep(np.random.default_rng(2), 80, Noise(lag_s=-0.173))
    # Poses 20 ms apart, joined by straight lines, are off by 0.01 mm in a sweep of this speed.
    found = calibrated(samples, motion)
    assert found.lag_s == pytest.approx(-0.173, abs=1e-3)
    np.testing.assert_allclose(errors_mm(found), 0.0, atol=0.05)
    assert "173 ms older" in " ".join(found.calibration.coverage)
    without = calibrated(samples)
    assert without.lag_s is None
    assert without.calibration.residual_rms_mm > 5.0 * found.calibration.residual_rms_mm


def test_wires_taken_for_others_are_named():
    samples, _ = sweep(np.random.default_rng(3), 80, REALISTIC)
    swapped = {7: ("1", "2"), 30: ("5", "6"), 55: ("7", "9")}
    for index, (one, other) in swapped.items():
        exchanged = {one: other, other: one}
        names = tuple(exchanged.get(name, name) for name in samples[index].names)
        samples[index] = replace(samples[index], names=names)
    found = calibrated(samples)
    named = {(outlier.index, outlier.name) for outlier in found.calibration.outliers}
    assert {(index, name) for index, pair in swapped.items() for name in pair} <= named
    assert len(named) < 20
    assert np.linalg.norm(errors_mm(found), axis=1).max() < 0.3  # its expected error is 0.1 mm


@pytest.mark.parametrize(
    "noise", [REALISTIC, Noise(pixel_px=1.5, pose_mm=0.2, pose_rad=0.002, correlation=0.6)], ids=["white", "correlated"]
)
def test_its_covariance_is_what_repetitions_scatter_by(noise):
    found = [calibrated(sweep(np.random.default_rng(seed), 120, noise)[0]) for seed in range(12)]
    off = np.stack([errors_mm(each) for each in found])
    covariances = np.stack([each.calibration.image_map.point_covariances_mm2(CHECKED_PX) for each in found])
    squared = np.einsum("kni,knij,knj->kn", off, np.linalg.inv(covariances), off)
    # Each is chi-square with 3 degrees: of 12 a mean of 3 scatters by 0.7.
    assert 1.5 < squared.mean() < 5.0


def test_a_probe_that_was_not_tilted_is_told():
    samples, _ = sweep(np.random.default_rng(4), 40, replace(REALISTIC, tilt_deg=1.0))
    assert "hardly tilted" in " ".join(calibrated(samples).calibration.coverage)
    samples, _ = sweep(np.random.default_rng(4), 40, replace(REALISTIC, tilt_deg=12.0))
    assert "hardly tilted" not in " ".join(calibrated(samples).calibration.coverage)


def test_an_error_of_the_phantoms_place_widens_the_expected_error():
    samples, _ = sweep(np.random.default_rng(5), 40, REALISTIC)
    known = np.diag([1e-9, 1e-9, 1e-9, 0.25, 0.25, 0.25])
    with_it = calibrate_n_wires(samples, fcal_phantom(), T_REFERENCE_PHANTOM, SIZE_PX, phantom_covariance=known)
    # 0.5 mm along each axis of the phantom's place is 0.87 mm of every point, were it not for what the tilt averages.
    assert 0.6 < with_it.calibration.expected_error_mm < 1.0
    assert calibrated(samples).calibration.expected_error_mm < 0.2


def test_wires_all_named_from_the_wrong_side_are_refused():
    samples, _ = sweep(np.random.default_rng(6), 40, REALISTIC)
    order = [2, 1, 0, 5, 4, 3, 8, 7, 6]
    wrong = [replace(sample, names=tuple(sample.names[k] for k in order)) for sample in samples]
    found = calibrated(wrong)
    assert not found.calibration.accepted
    assert "wires" in " ".join(found.calibration.reasons)


def test_what_cannot_be_calibrated_is_refused():
    samples, _ = sweep(np.random.default_rng(7), 30)
    with pytest.raises(ProbeRefusedError, match="at least 20"):
        calibrated(samples[:10])
    with pytest.raises(ProbeInputError, match="one name for each"):
        calibrated([replace(sample, names=()) for sample in samples])
    with pytest.raises(ProbeInputError, match="the wire 'x'"):
        calibrated([replace(sample, names=("x", *sample.names[1:])) for sample in samples])
    elsewhere = Transform(np.eye(4), "tracker", "phantom")
    with pytest.raises(FrameMismatchError):
        calibrate_n_wires(samples, fcal_phantom(), elsewhere, SIZE_PX)
    lone = [ProbeSample(s.index, s.time_s, s.points_px[:2], s.T_fixed_probe, s.names[:2]) for s in samples]
    with pytest.raises(ProbeRefusedError, match="0 of 30 images"):
        calibrated(lone)


def test_a_phantom_that_is_none_is_refused():
    front = [(0.02, 0.0, 0.01), (0.04, 0.0, 0.01), (0.045, 0.0, 0.01)]
    back = [(0.02, 0.04, 0.01), (0.025, 0.04, 0.01), (0.045, 0.04, 0.01)]
    metres = [Wire(str(k), front[k], back[k]) for k in range(3)]
    with pytest.raises(ProbeInputError, match="in mm, not in m"):
        n_wire_phantom([metres])
    bent = [Wire("1", (0, 0, 0), (0, 40, 0)), Wire("2", (20, 0, 0), (5, 40, 6)), Wire("3", (25, 0, 0), (25, 40, 0))]
    with pytest.raises(ProbeInputError, match="no N"):
        n_wire_phantom([bent])
    with pytest.raises(ProbeInputError, match="three wires"):
        n_wire_phantom([bent[:2]])
