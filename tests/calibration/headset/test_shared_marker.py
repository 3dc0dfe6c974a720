"""One marker that tracker and headset both see, carried from place to place."""

import dataclasses

import numpy as np
import pytest

from calibration.headset.errors import HeadsetRefusedError
from calibration.headset.shared_marker import MarkerSettings, align_by_shared_marker
from calibration.streams import PoseStream
from geometry.errors import FrameMismatchError
from tests.calibration.headset.harness import error_mm, expected_p95_mm, marker_streams, truth


def test_exact_poses_give_the_pose_and_the_clocks_offset():
    rng = np.random.default_rng(1)
    true = truth(rng)
    tracker, headset = marker_streams(true, rng, shift_mm=0.0, turn_deg=0.0, offset_s=0.08)
    found = align_by_shared_marker(tracker, headset, anchor="a")
    assert error_mm(found, true) < 0.3  # 0.05 mm of jitter of the tracker, and its poses between two frames
    assert any("+80." in said or "+79." in said for said in found.coverage), found.coverage


def test_the_expected_error_holds():
    rng, inside, ratios = np.random.default_rng(2), [], []
    for _ in range(10):
        true = truth(rng)
        tracker, headset = marker_streams(true, rng, shift_mm=rng.uniform(0.5, 2.0), turn_deg=rng.uniform(0.3, 1.0))
        found = align_by_shared_marker(tracker, headset, anchor="a")
        inside.append(error_mm(found, true) <= expected_p95_mm(found, true))
        ratios.append(error_mm(found, true) / expected_p95_mm(found, true))
    assert np.sum(inside) >= 7  # of 95 % of 10, three and a half deviations fewer
    assert 0.35 < np.median(ratios) < 0.8  # 0.55 by chi-square: neither too small nor far too large


def test_places_where_the_headset_was_wrong_are_left_out():
    rng = np.random.default_rng(3)
    true = truth(rng)
    found = align_by_shared_marker(*marker_streams(true, rng, places=12, lost_places=(2, 7)), anchor="a")
    assert (~found.used).sum() == 2
    assert error_mm(found, true) < 4.0


def test_a_headset_whose_world_moved_meanwhile():
    rng = np.random.default_rng(4)
    assert "moved meanwhile: by 2" in refused(*marker_streams(truth(rng), rng, places=12, shift_mm=0.5, jump=(6, 25.0)))


def test_too_few_places_and_places_on_a_line():
    rng = np.random.default_rng(5)
    tracker, headset = marker_streams(truth(rng), rng, places=3)
    assert "3 places" in refused(tracker, headset)
    one = tracker.poses[0]
    with_line = [moved_along(stream, one_pose) for stream, one_pose in ((tracker, one), (headset, headset.poses[0]))]
    assert "on a line" in refused(*with_line, MarkerSettings(minimum_places=2))


def moved_along(stream: PoseStream, pose: np.ndarray) -> PoseStream:
    """The marker on a straight line, never turned."""
    poses = np.tile(pose, (len(stream), 1, 1))
    poses[:, 0, 3] += 60.0 * (stream.time_s - stream.time_s[0])
    return dataclasses.replace(stream, poses=poses)


def test_a_mirrored_headset():
    rng = np.random.default_rng(6)
    tracker, headset = marker_streams(truth(rng), rng)
    flip = np.diag([1.0, -1.0, 1.0, 1.0])
    assert "mirror image" in refused(tracker, dataclasses.replace(headset, poses=flip @ headset.poses @ flip))


def test_poses_of_the_headset_that_are_inverted():
    rng = np.random.default_rng(7)
    tracker, headset = marker_streams(truth(rng), rng)
    inverted = dataclasses.replace(headset, poses=np.linalg.inv(headset.poses))
    assert "headset's poses inverted" in refused(tracker, inverted)


def test_a_marker_with_other_axes_at_the_headset():
    rng = np.random.default_rng(8)
    tracker, headset = marker_streams(truth(rng), rng)
    quarter = np.array([[0.0, -1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    assert "axes are others" in refused(tracker, dataclasses.replace(headset, poses=headset.poses @ quarter))


def test_two_markers_and_other_minutes():
    rng = np.random.default_rng(9)
    tracker, headset = marker_streams(truth(rng), rng, places=5)
    with pytest.raises(FrameMismatchError, match="poses of one marker"):
        align_by_shared_marker(tracker, dataclasses.replace(headset, from_frame="other"), anchor="a")
    late = dataclasses.replace(headset, time_s=headset.time_s + 900.0)
    assert "same minutes" in refused(tracker, late)


def refused(tracker: PoseStream, headset: PoseStream, settings: MarkerSettings | None = None) -> str:
    with pytest.raises(HeadsetRefusedError) as caught:
        align_by_shared_marker(tracker, headset, anchor="a", settings=settings)
    return str(caught.value)
