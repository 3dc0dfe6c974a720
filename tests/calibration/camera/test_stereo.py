"""Two cameras: the pose between them, pairs that do not fit, and what shows a wrong square size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.camera.errors import CameraRefusedError
from calibration.camera.results import stereo_result
from calibration.camera.scale import motion_scale, ruler_scale, ruler_sentence
from calibration.camera.stereo import Pair, StereoSettings, calibrate_stereo
from calibration.camera.views import board_view
from tests.calibration.camera.drawn_views import SIZE, poses, seen

NOW = "2026-11-27T02:00:00+00:00"
TURN = Rotation.from_euler("yx", [8.0, -1.0], degrees=True)
SHIFT_MM = np.array([-60.0, 2.0, 1.0])  # of T_second_first


def pairs(random: np.random.Generator, count: int) -> list[Pair]:
    made: list[Pair] = []
    while len(made) < count:
        ((rotation, translation),) = poses(random, 1)
        first = seen(f"pair {len(made)}", rotation, translation, random)
        second = seen(f"pair {len(made)}", TURN * rotation, TURN.apply(translation) + SHIFT_MM, random)
        if first is not None and second is not None:
            made.append((first, second))
    return made


def test_the_pose_between_the_cameras_lies_where_it_is_said_to() -> None:
    made = pairs(np.random.default_rng(1), 9)
    first, second = made[4]
    moved = np.clip(second.pixels + [6.0, 0.0], 0.0, 639.0)  # the board moved between the two pictures
    made[4] = first, board_view(second.name, SIZE, second.corners, second.board_mm, moved)
    found = calibrate_stereo(made, NOW)
    assert not found.reasons
    assert [each.name for each in found.left_out] == ["pair 4"]
    assert "a camera moved between the two pictures" in found.left_out[0].reason
    true = np.eye(4)
    true[:3, :3], true[:3, 3] = TURN.as_matrix(), SHIFT_MM
    error = np.linalg.inv(true) @ np.linalg.inv(found.T_first_second.matrix)
    off = np.concatenate([Rotation.from_matrix(error[:3, :3]).as_rotvec(), error[:3, 3]])
    # Six numbers in their own covariance: chi-square beyond 22 comes once in a thousand.
    assert off @ np.linalg.solve(found.covariance, off) < 22.0
    assert found.baseline_mm == pytest.approx(np.linalg.norm(SHIFT_MM), abs=4.0 * found.baseline_sd_mm)
    result = stereo_result(found, "pair", ())
    assert result.is_accepted
    kept = result.transform("camera_1", "camera_2")
    assert kept.translation_difference_mm(found.T_first_second) < 1e-9


def test_a_known_distance_between_the_cameras_shows_a_wrong_square_size() -> None:
    found = calibrate_stereo(pairs(np.random.default_rng(2), 5), NOW, StereoSettings(minimum_pairs=3))
    true_mm = float(np.linalg.norm(SHIFT_MM))
    assert found.size_fault(true_mm, 25.0) is None
    # Squares printed 4 % too large: the cameras come out 4 % too near to each other.
    said = found.size_fault(true_mm * 1.04, 25.0)
    assert said is not None
    assert "so that the squares are 26.0" in said or "so that the squares are 25.9" in said
    assert "wrong square size" in " ".join(found.refused(said).reasons)


def test_views_of_different_moments_are_refused() -> None:
    made = pairs(np.random.default_rng(3), 3)
    with pytest.raises(CameraRefusedError, match="0 views of the board by both"):
        calibrate_stereo([(first, None) for first, _ in made] + [(None, second) for _, second in made], NOW)


def test_the_printed_ruler_scales_the_squares() -> None:
    assert ruler_scale(97.0) == pytest.approx(0.97)
    assert "taken as 24.25 mm, not 25" in ruler_sentence(97.0, 25.0)
    assert "have their stated size" in ruler_sentence(100.1, 25.0)
    with pytest.raises(CameraRefusedError, match="in millimetres"):
        ruler_scale(9.7)


def test_a_tracked_board_shows_a_wrong_square_size() -> None:
    random = np.random.default_rng(4)

    def pose(turn: Rotation, shift: np.ndarray) -> np.ndarray:
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = turn.as_matrix(), shift
        return matrix

    held = np.stack([pose(turn, shift) for turn, shift in poses(random, 12)])  # T_camera_board
    on_marker = pose(Rotation.random(rng=random), np.array([40.0, -70.0, 15.0]))  # T_board_marker
    to_tracker = pose(Rotation.random(rng=random), np.array([300.0, 900.0, -1500.0]))  # T_tracker_camera
    tracked = to_tracker @ held @ on_marker
    stated = held.copy()
    stated[:, :3, 3] = held[:, :3, 3] / 1.03 + random.normal(size=(12, 3)) * 0.1
    found = motion_scale(stated, tracked)
    assert found.scale == pytest.approx(1.03, abs=4.0 * found.sd)
    assert found.sd < 0.002
    assert "the squares are 25.7" in str(found.fault(25.0))
    assert motion_scale(held + random.normal(size=held.shape) * 1e-9, tracked).fault(25.0) is None
    with pytest.raises(CameraRefusedError, match="turn too little"):
        motion_scale(stated[:4], tracked[:4])
