"""Hand-eye calibration from two recordings on clocks of their own: offset, its error, and what cannot be told."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.hand_eye.errors import HandEyeRefusedError
from calibration.hand_eye.hand_eye import HandEyeCalibration
from calibration.hand_eye.model import inverse, jacobian, residuals, rigid, rotation_vectors
from calibration.hand_eye.streams import Matched, calibrate_hand_eye_streams
from calibration.hand_eye.time_offset import Track, offset_candidates
from calibration.streams import PoseStream
from tests.calibration.hand_eye.simulated import OFFSET_S, Truth, any_rigid, error_of, hand_motion, recorded, seen


def changed(stream: PoseStream, poses: np.ndarray, time_s: np.ndarray | None = None) -> PoseStream:
    time_s = stream.time_s if time_s is None else time_s
    return PoseStream(stream.to_frame, stream.from_frame, time_s, poses, stream.n_missing, stream.source)


def offset_of(found: HandEyeCalibration) -> tuple[float, float]:
    assert found.time_offset_s is not None
    assert found.time_offset_std_s is not None
    return found.time_offset_s, found.time_offset_std_s


@pytest.mark.parametrize("rates_hz", [(60.0, 25.0), (20.0, 60.0)])
def test_offset_and_transforms_are_found_whichever_device_is_faster(rates_hz: tuple[float, float]) -> None:
    hand, eye, truth = recorded(1, rates_hz)
    found = calibrate_hand_eye_streams(hand, eye)
    offset_s, std_s = offset_of(found)
    # About 400 poses of 0.2 degrees while turning at 60 degrees a second: some 0.3 ms; four times what is said.
    assert std_s < 0.002
    assert offset_s == pytest.approx(OFFSET_S, abs=4.0 * std_s)
    error = error_of(found.T_hand_eye.matrix, truth.x)
    assert np.linalg.norm(error[3:]) < 1.5
    assert np.rad2deg(np.linalg.norm(error[:3])) < 0.1
    assert found.correlation is not None
    assert found.correlation > 0.8


def test_with_little_noise_only_the_way_between_poses_is_left() -> None:
    hand, eye, truth = recorded(2, (100.0, 25.0), noise=0.02)
    found = calibrate_hand_eye_streams(hand, eye)
    # What is left is the noise: some hundredths of a mm.
    assert offset_of(found)[0] == pytest.approx(OFFSET_S, abs=2e-4)
    assert np.linalg.norm(error_of(found.T_hand_eye.matrix, truth.x)[3:]) < 0.1


def test_the_offset_misses_by_as_much_as_it_says() -> None:
    normalised = []
    for seed in range(6):
        hand, eye, _ = recorded(seed, (50.0, 15.0), length_s=10.0)
        offset_s, std_s = offset_of(calibrate_hand_eye_streams(hand, eye))
        normalised.append((offset_s - OFFSET_S) / std_s)
    # 6 draws know an RMS to 1 / sqrt(12) = 29 %: three times that.
    assert np.sqrt(np.mean(np.square(normalised))) == pytest.approx(1.0, abs=0.87)


@pytest.mark.parametrize("rates_hz", [(60.0, 25.0), (20.0, 60.0)])
def test_the_derivative_by_the_offset_is_that_of_a_small_step(rates_hz: tuple[float, float]) -> None:
    hand, eye, truth = recorded(3, rates_hz, noise=0.3)
    matched = Matched(Track(hand), Track(eye), OFFSET_S)
    pairs = matched.at(OFFSET_S)
    derivatives = jacobian(pairs, truth.x, truth.z, residuals(pairs, truth.x, truth.z))[:, :, 12]
    step_s = 1e-6
    ahead, back = (residuals(matched.at(OFFSET_S + way * step_s), truth.x, truth.z) for way in (1.0, -1.0))
    numeric = (ahead - back) / (2.0 * step_s)
    # The first order of the right Jacobian: a thousandth of rates of 1 rad/s and 300 mm/s.
    np.testing.assert_allclose(derivatives[:, :3], numeric[:, :3], atol=5e-3)
    np.testing.assert_allclose(derivatives[:, 3:], numeric[:, 3:], atol=1.0)


def test_bends_between_poses_are_not_cut() -> None:
    times = np.arange(0.0, 10.0, 0.05)
    motion = hand_motion(np.random.default_rng(8), times)
    track = Track(PoseStream("tracker", "scope", times, motion, 0, "tracker.csv"))
    between = np.arange(0.2, 9.7, 0.0137)
    poses, turns, velocities = track.at(between)
    true = hand_motion(np.random.default_rng(8), between)
    # Straight lines are off by h^2 / 8 of an acceleration of 1 m/s^2: 0.3 mm.
    assert np.abs(poses[:, :3, 3] - true[:, :3, 3]).max() < 0.02
    assert (
        np.rad2deg(np.linalg.norm(rotation_vectors(inverse(true)[:, :3, :3] @ poses[:, :3, :3]), axis=1)).max() < 0.01
    )
    ahead, back = (hand_motion(np.random.default_rng(8), between + way) for way in (1e-4, -1e-4))
    np.testing.assert_allclose(velocities, (ahead - back)[:, :3, 3] / 2e-4, atol=2.0)
    numeric = rotation_vectors(np.swapaxes(back[:, :3, :3], 1, 2) @ ahead[:, :3, :3]) / 2e-4
    np.testing.assert_allclose(turns, numeric, atol=0.02)


def test_where_there_was_a_gap_the_way_is_straight() -> None:
    times = np.r_[np.arange(0.0, 1.0, 0.05), np.arange(2.0, 3.0, 0.05)]
    motion = np.tile(np.diag([1.0, -1.0, -1.0, 1.0]), (len(times), 1, 1))
    motion[:, 0, 3] = np.where(times < 1.5, times, 500.0 + 2.0 * times)
    track = Track(PoseStream("tracker", "scope", times, motion, 0, "tracker.csv"))
    at = np.array([0.01, 0.92, 0.94, 2.01, 2.04, 2.94])
    poses, _, velocities = track.at(at)
    np.testing.assert_allclose(poses[:, 0, 3], np.where(at < 1.5, at, 500.0 + 2.0 * at), atol=1e-9)
    np.testing.assert_allclose(velocities[:, 0], np.where(at < 1.5, 1.0, 2.0), atol=1e-9)


def test_gaps_are_not_bridged_and_rest_counts_once() -> None:
    hand, eye, _ = recorded(4)
    lost = (hand.time_s > 104.0) & (hand.time_s < 108.0)
    matched = Matched(Track(changed(hand, hand.poses[~lost], hand.time_s[~lost])), Track(eye), OFFSET_S)
    at_hand_s = matched.time_s + OFFSET_S
    assert not ((at_hand_s > 104.05) & (at_hand_s < 107.95)).any()
    still = eye.poses.copy()
    still[200:400] = still[200]
    assert len(Matched(Track(hand), Track(changed(eye, still)), OFFSET_S).index) < len(eye) - 190


def test_wild_poses_are_named_with_their_times() -> None:
    hand, eye, truth = recorded(5)
    poses = eye.poses.copy()
    wrong = np.arange(20, 420, 20)
    poses[wrong, :3, 3] += 60.0
    found = calibrate_hand_eye_streams(hand, changed(eye, poses))
    named = {outlier.index: outlier.time_s for outlier in found.outliers}
    assert set(wrong) <= set(named)
    assert len(named) <= len(wrong) + len(eye.time_s) // 50
    assert all(time_s == eye.time_s[index] for index, time_s in named.items())
    assert np.linalg.norm(error_of(found.T_hand_eye.matrix, truth.x)[3:]) < 1.5


def test_what_cannot_be_told_is_said() -> None:
    hand, eye, _ = recorded(6, length_s=30.0)
    other = recorded(7, length_s=30.0)[1]
    with pytest.raises(
        HandEyeRefusedError,
        match=r"tracker.csv and camera.csv, whose rotation rates have nothing|that do not turn together",
    ):
        calibrate_hand_eye_streams(hand, other)
    turned = PoseStream("camera", "board", eye.time_s, inverse(eye.poses), 0, "camera.csv")
    with pytest.raises(HandEyeRefusedError, match="T_tracker_scope or T_camera_board written the other way round"):
        calibrate_hand_eye_streams(hand, turned)
    with pytest.raises(HandEyeRefusedError, match="recordings that overlap by"):
        calibrate_hand_eye_streams(hand.part(slice(0, 100)), eye.part(slice(0, 60)))
    metres = changed(eye, rigid(eye.poses[:, :3, :3], 0.03 * eye.poses[:, :3, 3]))
    with pytest.raises(HandEyeRefusedError, match="check the unit of both"):
        calibrate_hand_eye_streams(hand, metres)


def test_a_motion_that_repeats_itself_is_refused() -> None:
    rng = np.random.default_rng(8)
    truth = Truth(any_rigid(rng, 150.0), any_rigid(rng, 800.0))
    time_s = np.arange(0.0, 24.0, 0.04)
    motion = hand_motion(np.random.default_rng(9), time_s % 4.0)
    # It starts again every 4 s, so smoothly that nothing marks a round.
    curves = np.stack([np.sin(2.0 * np.pi * k * time_s / 4.0 + k) for k in (1, 2, 1, 1, 2, 1)], axis=1)
    turns = 0.4 * curves[:, :3]
    motion = rigid(Rotation.from_rotvec(turns).as_matrix(), 80.0 * curves[:, 3:] + motion[0, :3, 3])
    hand, eye = seen(rng, motion, truth)
    with pytest.raises(HandEyeRefusedError, match="a motion that repeats itself"):
        calibrate_hand_eye_streams(
            PoseStream("tracker", "scope", time_s, hand, 0, "a"), PoseStream("board", "camera", time_s, eye, 0, "b")
        )


def test_the_offset_between_two_clocks_of_a_robot_and_its_camera(shared_data: Path) -> None:
    """ETH's simulated robot arm: both streams were recorded on one clock, and the camera's poses come from pictures."""
    hand, eye = ethz(shared_data, "robot_arm_w_color_camera_sim", "robot_arm_sim_hand", "robot_arm_sim_camera")
    best = offset_candidates(Track(hand), Track(eye), 5.0)[0]
    assert best.offset_s == pytest.approx(0.0, abs=0.02)
    assert best.correlation > 0.95
    found = calibrate_hand_eye_streams(hand, eye)
    assert offset_of(found)[0] == pytest.approx(0.0, abs=0.005)
    assert found.residual_rms_mm < 6.0


def ethz(shared_data: Path, archive: str, hand: str, eye: str) -> tuple[PoseStream, PoseStream]:
    streams = []
    with zipfile.ZipFile(shared_data / "tracking" / "ethz_hand_eye" / f"{archive}.zip") as zipped:
        for name, frames in ((hand, ("base", "hand")), (eye, ("world", "eye"))):
            table = np.loadtxt(io.BytesIO(zipped.read(f"{archive}/{name}.csv")), delimiter=",")
            table = table[np.r_[True, table[1:, 0] > np.maximum.accumulate(table[:, 0])[:-1]]]
            poses = rigid(Rotation.from_quat(table[:, 4:8]).as_matrix(), 1000.0 * table[:, 1:4])
            streams.append(PoseStream(*frames, table[:, 0], poses, 0, name))
    return streams[0], streams[1]
