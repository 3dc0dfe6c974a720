"""The three methods on simulated sweeps: truth, outliers, what they expect of themselves, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.ultrasound_probe.errors import ProbeInputError, ProbeRefusedError
from calibration.ultrasound_probe.targets.calibrate import calibrate_from_target
from calibration.ultrasound_probe.targets.judging import ProbeImage
from tests.calibration.ultrasound_probe.targets.sweeps import (
    METHODS,
    NO_NOISE,
    SIZE_PX,
    Motion,
    Noise,
    a_probe,
    calibrate,
    samples_of,
    sweep,
)

IMAGE = ProbeImage(size_px=SIZE_PX)


@pytest.mark.parametrize("method", METHODS)
def test_without_noise_the_truth_comes_back(method):
    rng = np.random.default_rng(5)
    truth = a_probe(rng, (0.09, 0.13), skew_rad=0.02)
    found = calibrate(method, *sweep(method, truth, 60, NO_NOISE, rng), IMAGE)
    assert truth.corner_errors_mm(found.image_map.columns_mm).max() < 1e-4
    assert found.image_map.spacing_x_mm == pytest.approx(0.09, abs=1e-6)
    assert found.image_map.spacing_y_mm == pytest.approx(0.13, abs=1e-6)
    assert found.image_map.skew_rad == pytest.approx(0.02, abs=1e-5)
    assert found.accepted, found.reasons


@pytest.mark.parametrize("method", METHODS)
def test_a_fifth_of_outliers_is_named_and_does_not_matter(method):
    rng = np.random.default_rng(11)
    truth = a_probe(rng)
    pixels, poses, tips = sweep(method, truth, 100, Noise(), rng)
    bad = np.sort(rng.choice(100, 20, replace=False))
    pixels[bad, ..., 1] += rng.choice([-1.0, 1.0], (20, *pixels.shape[1:-1])) * rng.uniform(
        30, 120, (20, 1)[: pixels.ndim - 1]
    )
    found = calibrate(method, pixels, poses, tips, IMAGE)
    assert {outlier.index for outlier in found.outliers} >= set(bad)
    assert len(found.outliers) <= len(bad) + 2
    assert truth.corner_errors_mm(found.image_map.columns_mm).max() < 3.0 * found.expected_corner_error_mm
    assert found.accepted, found.reasons


@pytest.mark.parametrize("method", METHODS)
def test_a_target_that_moved_for_a_second_is_found(method):
    """Twenty images in a row, shifted by one and the same 8 mm: consistent among themselves."""
    rng = np.random.default_rng(3)
    truth = a_probe(rng)
    pixels, poses, tips = sweep(method, truth, 100, Noise(), rng)
    poses[40:60, 2, 3] += 8.0
    found = calibrate(method, pixels, poses, tips, IMAGE)
    assert sum(40 <= outlier.index < 60 for outlier in found.outliers) >= 16
    assert truth.corner_errors_mm(found.image_map.columns_mm).max() < 3.0 * found.expected_corner_error_mm


@pytest.mark.parametrize(
    ("method", "motion", "missing"),
    [
        ("stylus", Motion().without("across"), "to the left and to the right"),
        ("stylus", Motion().without("deep"), "near the top and near the bottom"),
        ("cross", Motion().without("across"), "to the left and to the right"),
        ("cross", Motion(tilt_deg=0, turn_deg=0, rock_deg=0), "rock the probe from side to side"),
        ("cross", Motion(turn_deg=0, rock_deg=0), "turn the probe about its beam"),
        ("wall", Motion(tilt_deg=0, turn_deg=0), "tilt the probe to and fro"),
        ("wall", Motion(turn_deg=0, rock_deg=0), "rock the probe from side to side"),
    ],
)
def test_the_missing_motion_is_named_first(method, motion, missing):
    rng = np.random.default_rng(2)
    truth = a_probe(rng)
    with pytest.raises(ProbeRefusedError, match="open") as refused:
        calibrate(method, *sweep(method, truth, 60, Noise(), rng, motion), IMAGE)
    assert missing in refused.value.action.partition(";")[0]


def test_up_and_down_over_a_wall_lacks_both_tilts():
    rng = np.random.default_rng(2)
    motion = Motion(tilt_deg=0, turn_deg=0, rock_deg=0)
    with pytest.raises(ProbeRefusedError, match="rock the probe from side to side") as refused:
        calibrate("wall", *sweep("wall", a_probe(rng), 60, Noise(), rng, motion), IMAGE)
    assert "tilt the probe to and fro" in refused.value.action


@pytest.mark.parametrize("method", METHODS)
def test_a_probe_that_stood_still_is_refused_in_words(method):
    rng = np.random.default_rng(8)
    still = Motion(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    with pytest.raises(ProbeRefusedError, match="go on, and"):
        calibrate(method, *sweep(method, a_probe(rng), 60, Noise(), rng, still), IMAGE)


def test_a_small_extent_is_not_made_up_by_many_images():
    """The noise of 800 images has an extent of its own, and would give a spacing."""
    rng = np.random.default_rng(4)
    with pytest.raises(ProbeRefusedError, match="leaves its spacings open"):
        calibrate("cross", *sweep("cross", a_probe(rng), 800, Noise(), rng, Motion().without("across")), IMAGE)


def mirrored_tips(pixels, poses, tips):
    return pixels, poses, tips * [-1.0, 1.0, 1.0]


def in_metres(pixels, poses, tips):
    poses = poses.copy()
    poses[:, :3, 3] /= 1000.0
    return pixels, poses, tips / 1000.0


def degrees_for_radians(pixels, poses, tips):
    turned = poses.copy()
    turned[:, :3, :3] = Rotation.from_rotvec(np.rad2deg(Rotation.from_matrix(poses[:, :3, :3]).as_rotvec())).as_matrix()
    return pixels, turned, tips


def late_images(pixels, poses, tips):
    return np.roll(pixels, 3, axis=0), poses, tips


@pytest.mark.parametrize("fault", [mirrored_tips, in_metres, degrees_for_radians, late_images])
def test_data_of_another_kind_is_refused(fault):
    rng = np.random.default_rng(9)
    pixels, poses, tips = sweep("stylus", a_probe(rng), 80, Noise(), rng)
    try:
        found = calibrate("stylus", *fault(pixels, poses, tips), IMAGE)
    except ProbeRefusedError:
        return
    assert not found.accepted


def test_what_does_not_fit_together_is_refused():
    rng = np.random.default_rng(1)
    pixels, poses, tips = sweep("stylus", a_probe(rng), 30, Noise(), rng)
    with pytest.raises(ProbeInputError, match="tips of shape"):
        calibrate_from_target("stylus", samples_of(pixels, poses), IMAGE, tips_fixed_mm=tips[:-1])
    with pytest.raises(ProbeInputError, match="2 in each image"):
        calibrate("wall", pixels, poses, None, IMAGE)
    with pytest.raises(ProbeInputError, match="at least 20"):
        calibrate("cross", pixels[:19], poses[:19], None, IMAGE)


def test_a_mirrored_image_is_told_and_refused():
    """Its plane is the same, and its residuals: only what is known of the probe shows it."""
    rng = np.random.default_rng(6)
    truth = a_probe(rng)
    pixels, poses, _ = sweep("cross", truth, 80, Noise(), rng)
    axes = replace(IMAGE.axes, marked=truth.columns_mm[:, 0], far=truth.columns_mm[:, 1])
    right = calibrate("cross", pixels, poses, None, replace(IMAGE, axes=axes))
    assert right.accepted
    for column, what in ((0, "left and right"), (1, "top and bottom")):
        flipped = pixels.copy()
        flipped[:, column] = SIZE_PX[column] - 1 - flipped[:, column]
        found = calibrate("cross", flipped, poses, None, replace(IMAGE, axes=axes))
        assert not found.accepted
        assert any(f"exchanges {what}" in reason for reason in found.reasons)
        assert found.residual_rms_mm == pytest.approx(right.residual_rms_mm, rel=0.05)
    # Upside down it is found without being told anything: the marker is behind the transducer.
    assert any("upside down" in reason for reason in calibrate("cross", flipped, poses, None, IMAGE).reasons)
