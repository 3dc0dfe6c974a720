"""Points of a tracked sweep by hand, and how each shared error moves them, against differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.errors import FrameMismatchError
from registration.errors import SurfacePointsRefusedError
from registration.surface.bone_sweep import LAG, MAP, SOUND, ProbeMap, TrackedBone, locate_bone_sweep

STILL = Transform(np.eye(4), "reference", "probe")
TURNED = Transform.from_rotation(Rotation.from_rotvec([0.4, -0.8, 1.1]), [12.0, -40.0, 70.0], "reference", "probe")
# Image x along the probe's x, depth along its -z.
UPRIGHT = np.array([[0.2, 0.0, 5.0], [0.0, 0.0, 0.0], [0.0, -0.1, -10.0]])
LINEAR = ProbeMap(UPRIGHT, 1e-6 * np.eye(9), 0.01, 300, (149.5, 0.0))
CONVEX = replace(LINEAR, face_px=(150.0, 20.0), radius_mm=50.0)
PIXELS = np.array([[100.0, 200.0], [30.0, 300.0], [270.0, 250.0]])


def tracked(pose: Transform = STILL, twist: np.ndarray | None = None) -> TrackedBone:
    return TrackedBone(PIXELS, np.full(3, 0.5), pose, np.zeros(6) if twist is None else twist)


def test_a_pixel_by_hand() -> None:
    sweep = locate_bone_sweep([tracked()], LINEAR, 0.003)
    np.testing.assert_allclose(sweep.bone.points_reference_mm[0], [25.0, 0.0, -30.0], atol=1e-12)
    np.testing.assert_allclose(sweep.beams, [[0.0, 0.0, -1.0]] * 3, atol=1e-12)
    # Lateral 0.6 along x, elevation 1.2 along y, axial 0.3 along z.
    np.testing.assert_allclose(sweep.bone.covariance_reference_mm2[0], np.diag([0.36, 1.44, 0.09]), atol=1e-12)


def test_a_beam_of_a_convex_probe_comes_from_behind_its_face() -> None:
    # The apex is 50 mm above (150, 20) px: at x = 30 mm, and 48 mm above the first row. The pixel lies 10 mm to the
    # side and 68 mm below it.
    beams, deep_mm = CONVEX.beams(np.array([[200.0, 200.0], [150.0, 120.0]]))
    np.testing.assert_allclose(beams[0], np.array([10.0, 68.0]) / np.hypot(10.0, 68.0))
    np.testing.assert_allclose(deep_mm, [np.hypot(10.0, 68.0) - 50.0, 10.0])


@pytest.mark.parametrize("probe", [LINEAR, CONVEX])
def test_each_shared_error_moves_the_points_as_differences_say(probe: ProbeMap) -> None:
    twist = np.array([0.3, -0.2, 0.5, 20.0, -10.0, 5.0])
    sweep = locate_bone_sweep([tracked(TURNED, twist)], probe, 0.003)
    points, step = sweep.bone.points_reference_mm, 1e-4
    for k in range(9):
        wrong = probe.columns_mm + step * np.eye(9)[k].reshape(3, 3).T
        other = locate_bone_sweep([tracked(TURNED, twist)], replace(probe, columns_mm=wrong), 0.003)
        moved = (other.bone.points_reference_mm - points) / step
        np.testing.assert_allclose(sweep.moved[:, :, MAP][:, :, k], moved, atol=1e-6)
    turn = Rotation.from_rotvec(step * twist[:3])
    later = Transform.from_rotation(
        turn * TURNED.rotation, TURNED.translation_mm + step * twist[3:], "reference", "probe"
    )
    moved = (locate_bone_sweep([tracked(later, twist)], probe, 0.003).bone.points_reference_mm - points) / step
    np.testing.assert_allclose(sweep.moved[:, :, LAG], moved, atol=2e-2)
    # Sound that is 1 % faster than taken: all echoes lie 1 % deeper along their beams, from the face.
    along, deep_mm = probe.beams(PIXELS)
    deeper = PIXELS + 0.01 * deep_mm[:, None] * along / [0.2, 0.1]
    there = deeper @ probe.columns_mm[:, :2].T + probe.columns_mm[:, 2]
    np.testing.assert_allclose(sweep.moved[:, :, SOUND] * 0.01, TURNED.apply(there) - points, atol=1e-9)
    np.testing.assert_allclose(sweep.corrected(np.eye(12)[SOUND] * -0.01).bone.points_reference_mm, TURNED.apply(there))


def test_a_likely_point_counts_more_and_near_ones_are_thinned() -> None:
    unlikely = replace(tracked(), likelihood=np.array([0.5, 0.5, 0.25]))
    covariances = locate_bone_sweep([unlikely], LINEAR, 0.003).bone.covariance_reference_mm2
    np.testing.assert_allclose(covariances[2], 2.0 * covariances[0])
    row = np.column_stack([np.arange(100.0), np.full(100, 200.0)])  # 0.2 mm apart, thinned to 1.5 mm
    assert len(locate_bone_sweep([TrackedBone(row, np.ones(100), STILL, np.zeros(6))], LINEAR, 0.003)) == 14


def test_refused() -> None:
    with pytest.raises(SurfacePointsRefusedError, match="in none of which bone was found"):
        locate_bone_sweep([replace(tracked(), points_px=np.empty((0, 2)))], LINEAR, 0.003)
    for wrong in (
        replace(tracked(), points_px=PIXELS * np.nan),
        replace(tracked(), likelihood=np.zeros(3)),
        replace(tracked(), likelihood=np.ones(2)),
        tracked(twist=np.zeros(3)),
    ):
        with pytest.raises(SurfacePointsRefusedError, match="bone in frame 0"):
            locate_bone_sweep([wrong], LINEAR, 0.003)
    with pytest.raises(FrameMismatchError, match="pose of frame 0"):
        locate_bone_sweep([tracked(STILL.inverse())], LINEAR, 0.003)
