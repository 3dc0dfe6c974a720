"""Spin calibration against a known axis, SlicerIGT's own test, hostile motions, and its own promise of error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from calibration.pivot.errors import SpinRefusedError
from calibration.pivot.spin import calibrate_spin
from geometry import Transform

SLICER_IGT_TIP_MM = np.array([5.0, 12.6, 3.3])
SLICER_IGT_AXIS = np.array([1.0, 2.5, 4.1]) / np.linalg.norm([1.0, 2.5, 4.1])


def spun(
    rng: np.random.Generator,
    axis: np.ndarray = SLICER_IGT_AXIS,
    count: int = 120,
    half_turn_deg: float = 180.0,
    wobble_deg: float = 0.0,
) -> list[Transform]:
    """Poses of a tool turned about its axis at some place, each with a wobble of its own."""
    turns = rng.uniform(-half_turn_deg, half_turn_deg, (count, 1)) * axis
    held = Rotation.random(rng=rng)
    wobbles = Rotation.from_rotvec(wobble_deg * rng.normal(size=(count, 3)), degrees=True)
    rotations = wobbles * held * Rotation.from_rotvec(turns, degrees=True)
    where = rng.normal(size=3) * 100.0
    return [Transform.from_rotation(rotation, where, "tracker", "stylus") for rotation in rotations]


def angle_rad(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(np.cross(a, b)))


def test_the_spin_test_of_slicer_igt() -> None:
    """PivotCalibration/Testing/Cxx/vtkPivotCalibrationTest.cxx: 100 turns of 3.6 degrees about the tip's shaft."""
    poses = []
    for i in range(100):
        rotation = Rotation.from_rotvec(3.6 * (i + 1) * SLICER_IGT_AXIS, degrees=True)
        poses.append(Transform.from_rotation(rotation, -rotation.apply(SLICER_IGT_TIP_MM), "tracker", "stylus"))
    found = calibrate_spin(poses, SLICER_IGT_TIP_MM)
    np.testing.assert_allclose(found.axis_stylus, SLICER_IGT_AXIS, atol=1e-6)
    tip = found.T_stylus_stylus_tip(SLICER_IGT_TIP_MM)
    np.testing.assert_allclose(tip.apply([0.0, 0.0, 10.0]), SLICER_IGT_TIP_MM + 10.0 * SLICER_IGT_AXIS, atol=1e-5)


@given(st.integers(0, 2**32 - 1), st.floats(55.0, 180.0))
def test_without_noise_the_axis_is_exact_and_points_to_the_tip(seed: int, half_turn_deg: float) -> None:
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    poses = spun(rng, axis, 40, half_turn_deg)
    np.testing.assert_allclose(calibrate_spin(poses, 3.0 * axis).axis_stylus, axis, atol=1e-9)
    np.testing.assert_allclose(calibrate_spin(poses, -3.0 * axis).axis_stylus, -axis, atol=1e-9)


def test_expected_error_is_the_error_seen_over_many_calibrations() -> None:
    ratios = []
    for seed in range(100):
        found = calibrate_spin(spun(np.random.default_rng(seed), wobble_deg=1.0, half_turn_deg=60.0), SLICER_IGT_AXIS)
        error = angle_rad(found.axis_stylus, SLICER_IGT_AXIS)
        ratios.append(error**2 / found.expected_axis_error_rms_rad**2)
    # A hundred draws with two degrees of freedom know an RMS to 7 %: three times that.
    assert np.sqrt(np.mean(ratios)) == pytest.approx(1.0, abs=0.21)


@pytest.mark.parametrize("fraction", [0.2, 0.45])
def test_poses_of_another_motion_are_named(fraction: float) -> None:
    rng = np.random.default_rng(3)
    poses = spun(rng, wobble_deg=0.2, half_turn_deg=90.0)
    wrong = sorted(rng.permutation(len(poses))[: int(fraction * len(poses))].tolist())
    for i in wrong:
        tilt = Rotation.from_rotvec(np.deg2rad(15.0) * np.roll(np.eye(3)[0], rng.integers(3)))
        poses[i] = Transform.from_rotation(tilt * poses[i].rotation, [0.0, 0.0, 0.0], "tracker", "stylus")
    found = calibrate_spin(poses, SLICER_IGT_AXIS)
    assert {outlier.index for outlier in found.outliers} >= set(wrong) - {
        i for i in wrong if angle_rad(poses[i].rotation.apply(SLICER_IGT_AXIS), mean_axis(poses, wrong)) < 0.02
    }
    assert len(found.outliers) <= len(wrong) + 1
    assert angle_rad(found.axis_stylus, SLICER_IGT_AXIS) < np.deg2rad(0.2)


def mean_axis(poses: list[Transform], without: list[int]) -> np.ndarray:
    kept = [pose.rotation.apply(SLICER_IGT_AXIS) for i, pose in enumerate(poses) if i not in without]
    mean = np.mean(kept, axis=0)
    return mean / np.linalg.norm(mean)


@pytest.mark.parametrize(
    ("half_turn_deg", "wobble_deg", "said"),
    [
        (5.0, 0.05, "hardly turned about its shaft: by 3"),
        (0.0, 0.1, "hardly turned"),
        (60.0, 20.0, "a shaft that tilted by 2"),
        (40.0, 3.0, "known to 1"),
    ],
)
def test_motions_that_show_no_axis_are_refused(half_turn_deg: float, wobble_deg: float, said: str) -> None:
    poses = spun(np.random.default_rng(0), count=60, half_turn_deg=half_turn_deg, wobble_deg=wobble_deg)
    with pytest.raises(SpinRefusedError, match=said):
        calibrate_spin(poses, SLICER_IGT_AXIS)


def test_a_tip_beside_the_shaft_does_not_say_which_way_it_points() -> None:
    beside = np.cross(SLICER_IGT_AXIS, [1.0, 0.0, 0.0])
    with pytest.raises(SpinRefusedError, match="a direction at 90 degrees"):
        calibrate_spin(spun(np.random.default_rng(0)), beside)
