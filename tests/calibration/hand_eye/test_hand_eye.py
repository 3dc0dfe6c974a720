"""Hand-eye calibration from pairs: known transforms, OpenCV's methods beside it, outliers, its promise of error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.hand_eye.closed_form import robust_start
from calibration.hand_eye.errors import HandEyeRefusedError
from calibration.hand_eye.hand_eye import calibrate_hand_eye, solve
from calibration.hand_eye.model import Pairs, inverse, jacobian, moved, residuals, rigid
from calibration.hand_eye.opencv_methods import OpenCvMethod, solve_with_opencv
from calibration.hand_eye.settings import HandEyeSettings
from geometry import Transform
from geometry.errors import FrameMismatchError
from tests.calibration.hand_eye.simulated import (
    Truth,
    any_rigid,
    as_transforms,
    error_of,
    hand_motion,
    make_case,
    seen,
    shaken,
)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=5)
def test_without_noise_both_transforms_are_exact(seed: int) -> None:
    pairs, truth = make_case(np.random.default_rng(seed), 40, noise=0.0)
    x, z = robust_start(pairs)
    # Coordinates up to 2 m in float64, amplified by the motion's conditioning.
    np.testing.assert_allclose(x, truth.x, atol=1e-6)
    np.testing.assert_allclose(z, truth.z, atol=1e-6)
    found = calibrate_hand_eye(*as_transforms(pairs))
    np.testing.assert_allclose(found.T_hand_eye.matrix, truth.x, atol=1e-6)
    np.testing.assert_allclose(found.T_base_world.matrix, truth.z, atol=1e-6)
    assert found.n_rejected == 0


@pytest.mark.parametrize("method", OpenCvMethod)
def test_each_method_of_opencv_finds_the_truth_without_noise(method: OpenCvMethod) -> None:
    pairs, truth = make_case(np.random.default_rng(4), 25, noise=0.0)
    x, z = solve_with_opencv(pairs, method)
    np.testing.assert_allclose(x, truth.x, atol=1e-4)
    np.testing.assert_allclose(z, truth.z, atol=1e-3)


def test_names_of_the_frames_and_of_what_moved_follow_the_poses() -> None:
    pairs, truth = make_case(np.random.default_rng(1))
    found = calibrate_hand_eye(*as_transforms(pairs))
    assert (found.T_hand_eye.to_frame, found.T_hand_eye.from_frame) == ("scope", "camera")
    assert (found.T_base_world.to_frame, found.T_base_world.from_frame) == ("tracker", "board")
    # 120 pairs of 2 mrad, 0.45 mm and lever arms of a metre: about 0.5 mm; four times that.
    assert np.linalg.norm(error_of(found.T_hand_eye.matrix, truth.x)[3:]) < 2.0
    assert np.rad2deg(np.linalg.norm(error_of(found.T_hand_eye.matrix, truth.x)[:3])) < 0.15
    assert (found.time_offset_s, found.time_offset_std_s) == (None, None)
    assert (found.is_refined, found.fallback_reason) == (True, "")


@pytest.mark.parametrize("place", ["eye", "world", "base"])
def test_derivatives_are_those_of_small_steps(place: str) -> None:
    rng = np.random.default_rng(2)
    pairs, truth = make_case(rng, 10)
    pairs = {"eye": pairs, "world": pairs.at_the_world(), "base": pairs.at_the_base(truth.x)}[place]
    x, z = moved(truth.x, 1e-3 * rng.normal(size=6)), moved(truth.z, 1e-3 * rng.normal(size=6))
    derivatives = jacobian(pairs, x, z, residuals(pairs, x, z))
    step = 1e-5
    for k in range(12):
        way = step * np.eye(12)[k]
        ahead, back = (residuals(pairs, moved(x, s * way[:6]), moved(z, s * way[6:])) for s in (1.0, -1.0))
        # The right Jacobian is cut off after its first order: residuals of 1e-2 rad leave 1e-5 of it, times a metre.
        numeric = (ahead - back) / (2 * step)
        np.testing.assert_allclose(derivatives[:, :3, k], numeric[:, :3], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(derivatives[:, 3:, k], numeric[:, 3:], rtol=1e-3, atol=2e-2)


def test_a_camera_that_turns_the_board_badly_still_knows_where_its_middle_is() -> None:
    rng = np.random.default_rng(6)
    truth = Truth(any_rigid(rng, 150.0), any_rigid(rng, 800.0))
    hand = hand_motion(rng, 0.5 * np.arange(60))
    board = inverse(inverse(truth.z) @ hand @ truth.x)
    # 3 mrad at some metres: the camera's own place scatters by a centimetre, where it sees the board by 0.02 mm.
    eye = inverse(shaken(board, rng.normal(size=(60, 6)) * np.repeat([0.003, 0.02], 3)))
    found = calibrate_hand_eye(*as_transforms(Pairs(hand, eye)))
    assert found.shift_at == "board"
    assert found.residual_rms_mm > 3.0
    assert np.linalg.norm(error_of(found.T_hand_eye.matrix, truth.x)[3:]) < 0.1
    # The same seen by exchanged devices: the board is where the base was.
    exchanged = calibrate_hand_eye(*reversed(as_transforms(Pairs(hand, eye))))
    assert exchanged.shift_at == "board"
    assert np.linalg.norm(error_of(inverse(exchanged.T_hand_eye.matrix), truth.x)[3:]) < 0.1


def test_exchanging_hand_and_eye_gives_the_inverse() -> None:
    pairs, _ = make_case(np.random.default_rng(5))
    one = solve(lambda _: pairs, 0.0, HandEyeSettings()).fit
    other = solve(lambda _: Pairs(pairs.eye, pairs.hand), 0.0, HandEyeSettings()).fit
    # The scatter is drawn towards equal sizes in other axes: a tenth of the error that both have.
    difference = error_of(inverse(other.x), one.x)
    assert np.linalg.norm(difference[:3]) < 2e-4
    assert np.linalg.norm(difference[3:]) < 0.1


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_pairs_that_contradict_are_left_out_and_named(share: float) -> None:
    rng = np.random.default_rng(7)
    pairs, truth = make_case(rng, 150)
    wrong = np.sort(rng.permutation(150)[: int(share * 150)])
    eye = pairs.eye.copy()
    eye[wrong] = eye[wrong] @ np.stack([moved(np.eye(4), np.r_[0.2 * rng.normal(size=3), 40.0, 0, 0]) for _ in wrong])
    found = calibrate_hand_eye(*as_transforms(Pairs(pairs.hand, eye)), time_s=np.arange(150) * 0.5)
    assert set(wrong) <= {outlier.index for outlier in found.outliers}
    assert found.n_rejected <= len(wrong) + 2
    assert found.n_used + found.n_rejected == 150
    assert all(outlier.time_s == 0.5 * outlier.index and outlier.residual_mm > 10.0 for outlier in found.outliers)
    assert np.linalg.norm(error_of(found.T_hand_eye.matrix, truth.x)[3:]) < 2.0


def test_the_covariance_is_the_error_seen_over_many_calibrations() -> None:
    squared, at_point = [], []
    for seed in range(12):
        pairs, truth = make_case(np.random.default_rng(seed), 40, step_s=0.5)
        found = calibrate_hand_eye(*as_transforms(pairs))
        error = error_of(found.T_hand_eye.matrix, truth.x)
        squared.append(error @ np.linalg.solve(found.covariance_hand_eye, error))
        point = np.array([10.0, -20.0, 100.0])
        missed = found.T_hand_eye.apply(point) - (truth.x @ np.r_[point, 1.0])[:3]
        at_point.append(missed @ missed / found.expected_error_rms_mm(point) ** 2)
    # 12 draws with 6 degrees of freedom know their mean to sqrt(12 / 12) = 1: three times that.
    assert np.mean(squared) == pytest.approx(6.0, abs=3.0)
    assert np.mean(at_point) == pytest.approx(1.0, abs=0.8)


def test_other_frames_or_numbers_of_poses_are_refused() -> None:
    hand, eye = as_transforms(make_case(np.random.default_rng(0), 20)[0])
    with pytest.raises(HandEyeRefusedError, match="20 poses of scope and 19 of camera"):
        calibrate_hand_eye(hand, eye[:-1])
    with pytest.raises(HandEyeRefusedError, match="3 pairs of poses; expected at least 4"):
        calibrate_hand_eye(hand[:3], eye[:3])
    with pytest.raises(HandEyeRefusedError, match="no poses"):
        calibrate_hand_eye([], eye)
    with pytest.raises(FrameMismatchError, match="T_tracker_driver among poses T_tracker_scope"):
        calibrate_hand_eye([*hand[:-1], Transform(hand[-1].matrix, "tracker", "driver")], eye)


def turned(turn_deg: list[float], shift_mm: float = 120.0, noise: float = 1.0) -> Pairs:
    rng = np.random.default_rng(8)
    truth = Truth(any_rigid(rng, 150.0), any_rigid(rng, 800.0))
    hand = hand_motion(rng, np.arange(120) * 0.1, np.array(turn_deg), shift_mm)
    return Pairs(*seen(rng, hand, truth, noise))


def other_moments(pairs: Pairs) -> Pairs:
    return Pairs(pairs.hand[3:], pairs.eye[:-3])


def scaled(poses: np.ndarray, factor: float) -> np.ndarray:
    return rigid(poses[:, :3, :3], factor * poses[:, :3, 3])


WELL = turned([35.0, 35.0, 35.0])
OTHER = make_case(np.random.default_rng(99))[0]
FAULTS = {
    "static": (turned([0.0, 0.0, 0.0], 0.0), "scope standing still"),
    "pure translation": (turned([0.0, 0.0, 0.0]), "scope shifted by .* without turning"),
    "hinge": (turned([0.0, 40.0, 0.0]), "scope turned about one axis only, as about a hinge"),
    "too little": (turned([1.2, 1.2, 1.2]), r"turned by \d\.\d\d degrees RMS about its least turned axis"),
    "eye stands": (Pairs(WELL.hand, turned([0.0, 0.0, 0.0], 0.0).eye), "the motion of camera standing still"),
    "inverse of the eye": (
        Pairs(WELL.hand, inverse(WELL.eye)),
        "T_tracker_scope or T_board_camera written the other way round",
    ),
    "inverse of the hand": (Pairs(inverse(WELL.hand), WELL.eye), "written the other way round"),
    "other moments": (other_moments(WELL), "pairs of other moments: .* of 3 pairs"),
    "other body": (Pairs(WELL.hand, OTHER.eye), "that do not turn together"),
    "metres": (Pairs(WELL.hand, scaled(WELL.eye, 0.001)), "convert metres to millimetres"),
    "mirrored": (Pairs(WELL.hand, scaled(WELL.eye, -1.0)), "T_board_camera mirrored against T_tracker_scope"),
    "wrong square size": (Pairs(WELL.hand, scaled(WELL.eye, 1.06)), "measure the squares of the board"),
    "inches": (Pairs(WELL.hand, scaled(WELL.eye, 1 / 25.4)), "check the unit of both"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_said(fault: str) -> None:
    pairs, message = FAULTS[fault]
    with pytest.raises(HandEyeRefusedError, match=message):
        calibrate_hand_eye(*as_transforms(pairs))


def test_a_world_that_drifts_shows() -> None:
    pairs, _ = make_case(np.random.default_rng(3), 200)
    assert calibrate_hand_eye(*as_transforms(pairs)).drift_mm < 3.0
    away = np.tile(np.eye(4), (200, 1, 1))
    away[:, 0, 3] = np.linspace(0.0, 8.0, 200)
    drifting = calibrate_hand_eye(*as_transforms(Pairs(pairs.hand, away @ pairs.eye)))
    assert drifting.drift_mm == pytest.approx(8.0, abs=3.0)
    assert drifting.drift_mm > 3.0 * drifting.drift_std_mm


def test_limits_on_what_is_known_hold() -> None:
    poses = as_transforms(make_case(np.random.default_rng(1), 30)[0])
    for limits, message in (
        ({"maximum_expected_error_rms_mm": 0.01}, "a transform known to"),
        ({"maximum_residual_rms_mm": 0.01}, "a residual of"),
        ({"maximum_rejected_fraction": -1.0}, "0 of 30 pairs"),
    ):
        with pytest.raises(HandEyeRefusedError, match=message):
            calibrate_hand_eye(*poses, HandEyeSettings(**limits))
