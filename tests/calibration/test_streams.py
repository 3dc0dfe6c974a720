"""What a stream of poses refuses: one fault in good poses each, and the words that name it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.errors import PoseStreamError
from calibration.streams import PoseStream
from geometry.errors import FrameMismatchError, InvalidFrameError
from tests.calibration.streams_of import pivoted
from tests.geometry.strategies import transforms

Change = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def at(index: int | slice, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    def faulty(times: np.ndarray, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        poses[index] = change(poses[index])
        return times, poses

    return faulty


def in_metres(poses: np.ndarray) -> np.ndarray:
    poses[..., :3, 3] /= 1000.0
    return poses


def set_time(index: int, time_s: float) -> Change:
    def faulty(times: np.ndarray, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        times[index] = time_s
        return times, poses

    return faulty


FAULTS: dict[str, tuple[Change, str]] = {
    "empty": (
        lambda times, poses: (times[:0], poses[:0]),
        "without a pose of the tool, but 12 frames in",
    ),
    "cut": (lambda times, poses: (times, poses[:-3]), r"of shape \(37, 4, 4\) with times of shape \(40,\)"),
    "NaN": (at(7, lambda pose: pose * np.nan), "NaN or infinity in the pose of pose 7"),
    "no time": (set_time(9, np.nan), "NaN or infinity in the time of pose 9"),
    "backwards": (lambda times, poses: (times[::-1], poses), "run backwards"),
    "a step back": (set_time(20, 0.1), "times that go back, at pose 20"),
    "a frame twice": (set_time(20, 0.95), "the same time twice, at pose 20"),
    "identity": (at(slice(5, 8), lambda poses: np.eye(4)), "identity as 3 of 40 poses, the first of them pose 5"),
    "transposed": (
        lambda times, poses: (times, poses.transpose(0, 2, 1)),
        r"a last row of \(.+\) in 40 of 40 poses",
    ),
    "scaled": (at(3, lambda pose: np.diag([1.01, 1.01, 1.01, 1.0]) @ pose), "off orthonormal by 0.02, in pose 3"),
    "mirrored": (at(slice(None), lambda poses: np.diag([1.0, 1.0, -1.0, 1.0]) @ poses), "a mirrored rotation"),
    "in metres": (at(slice(None), in_metres), "translations of 1.4 at most, which are metres"),
    "first half in metres": (at(slice(0, 20), in_metres), "mixed units: 20 of 40 poses, the first of them pose 0"),
    "most in metres": (at(slice(3, None), in_metres), "mixed units: 37 of 40 poses, the first of them pose 3"),
    "one in metres": (at(39, in_metres), "mixed units: pose 39 in metres"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_a_sentence(fault: str):
    change, said = FAULTS[fault]
    good = pivoted(40)
    times, poses = change(good.time_s.copy(), good.poses.copy())
    with pytest.raises(PoseStreamError, match=f"^Got a.csv .*{said}.*; expected .+ Fix: .+"):
        PoseStream("tracker", "stylus", times, poses, 12, "a.csv")


@given(transforms(), st.integers(2, 30))
def test_whatever_is_rigid_and_in_mm_is_taken(step, count):
    """A tool that goes through the origin of its tracker is in no other unit."""
    poses = np.tile(step.matrix, (count, 1, 1))
    # Past the origin, never on it: unturned there, it would be the identity of a lost tool.
    poses[:, :3, 3] = np.linspace(-50.1234, 70.0, count)[:, None] * (1.0, 0.3, -0.2)
    stream = PoseStream("headset", "probe", np.arange(count) * 0.1, poses, 3, "live")
    assert len(stream) == len(stream.transforms()) == count
    assert stream.name == "T_headset_probe"


def test_a_stream_cannot_be_changed():
    times = np.arange(30) / 20.0
    stream = PoseStream("tracker", "stylus", times, pivoted(30).poses, 0, "made")
    times[:] = 0.0
    assert stream.duration_s == pytest.approx(1.45)
    with pytest.raises(ValueError, match="read-only"):
        stream.poses[0, 0, 3] = 1.0


def test_transforms_make_the_stream_that_they_come_from():
    stream = pivoted(30)
    again = PoseStream.of(stream.time_s.tolist(), stream.transforms(), 4, "made")
    np.testing.assert_array_equal(again.poses, stream.poses)
    np.testing.assert_array_equal(stream.part(slice(5, 9)).time_s, stream.time_s[5:9])
    mixed = [*stream.transforms()[:-1], pivoted(1).transforms()[0].inverse()]
    with pytest.raises(FrameMismatchError, match="T_stylus_tracker among poses T_tracker_stylus in made"):
        PoseStream.of(stream.time_s.tolist(), mixed, 0, "made")
    with pytest.raises(PoseStreamError, match="without a pose"):
        PoseStream.of([], [], 5, "made")


def test_names_are_those_of_frames():
    good = pivoted(3)
    with pytest.raises(InvalidFrameError):
        PoseStream("Tracker", "stylus", good.time_s, good.poses, 0, "made")
