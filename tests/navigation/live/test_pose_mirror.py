"""The newest poses for another process: at most one message on the way, and the pose loop never waits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS, TRACKER
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.live.pose_graph import CalibratedTip
from navigation.live.pose_mirror import MirroredTool, MirrorReader, PoseMirror
from navigation.live.pose_mirror import mirrored as told_by_mirror
from navigation.live.timeline.timelines import Timelines
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity


def stylus(x_mm: float, capture_ns: int | None = None) -> ToolState:
    matrix = np.eye(4)
    matrix[0, 3] = x_mm
    pose = Transform(matrix, REFERENCE, STYLUS)
    return ToolState(
        tool=STYLUS,
        to_frame=REFERENCE,
        from_frame=STYLUS,
        validity=Validity.VALID,
        T_to_from=pose,
        capture_ns=capture_ns,
    )


@pytest.fixture
def mirrored(tmp_path: Path) -> Iterator[tuple[PoseMirror, MirrorReader]]:
    address = f"ipc://{tmp_path}/mirror"
    reader, mirror = MirrorReader(address), PoseMirror(address)
    yield mirror, reader
    mirror.close()
    reader.close()


def read(mirror: PoseMirror, reader: MirrorReader, offered: ToolState, capture_ns: int) -> tuple[MirroredTool, ...]:
    """Offers until the reader, which connects by itself, has something."""
    deadline = time.monotonic() + 30.0
    while (newest := reader.newest()) is None:
        assert time.monotonic() < deadline
        mirror.offer([offered], capture_ns)
        time.sleep(0.01)
    return newest


def test_a_busy_reader_is_given_the_newest_when_it_is_ready(mirrored):
    mirror, reader = mirrored
    (first,) = read(mirror, reader, stylus(0.0), 0)
    np.testing.assert_array_equal(first.T_to_from, stylus(0.0).T_to_from.matrix)
    for number in range(1, 1001):
        mirror.offer([stylus(number, capture_ns=7)], number)
    time.sleep(0.2)
    (newest,) = read(mirror, reader, stylus(2000.0), 2000)
    assert newest.T_to_from[0, 3] > 0.0
    (newest,) = read(mirror, reader, stylus(2000.0, capture_ns=7), 2000)
    assert newest.T_to_from[0, 3] == 2000.0
    assert (first.capture_ns, newest.capture_ns) == (0, 7), "a tool's own time, where it has one"


def test_a_lost_tool_has_no_numbers(mirrored):
    lost = ToolState(tool=STYLUS, to_frame=REFERENCE, from_frame=STYLUS, validity=Validity.LOST, reason="hidden")
    (told,) = read(*mirrored, lost, 5)
    assert (told.T_to_from, told.validity, told.reason, told.capture_ns) == (None, Validity.LOST, "hidden", 5)


def test_a_loop_without_a_reader_goes_on_and_another_reader_may_come(mirrored, tmp_path: Path):
    mirror, reader = mirrored
    read(mirror, reader, stylus(1.0), 0)
    reader.close()
    for _ in range(100):
        mirror.offer([stylus(2.0)], 0)
    other = MirrorReader(f"ipc://{tmp_path}/mirror")
    assert read(mirror, other, stylus(3.0), 0)[0].T_to_from[0, 3] == 3.0
    other.close()


def test_a_reader_that_wants_each_batch_gets_them_in_order(mirrored, tmp_path: Path):
    mirror, _ = mirrored
    reader = MirrorReader(f"ipc://{tmp_path}/mirror", kept=100)
    deadline = time.monotonic() + 30.0
    while not reader.take(10):
        assert time.monotonic() < deadline
        mirror.offer([stylus(0.0)], 0)
    while reader.take(50):
        pass
    for number in range(1, 21):
        mirror.offer([stylus(number)], number)
        time.sleep(0.002)  # the loop has a period too: a socket's one place is free again
    batches = []
    while len(batches) < 20:
        assert time.monotonic() < deadline
        batches += reader.take(100)
    assert [tool.capture_ns for (tool,) in batches] == list(range(1, 21))
    assert reader.take() == []
    reader.close()


def test_of_a_probe_it_is_told_how_well_it_was_seen():
    pose, noise = stylus(10.0).T_to_from, np.diag([1e-6] * 3 + [0.01] * 3)
    in_tracker = Transform(pose.matrix, TRACKER, STYLUS)
    seen = ToolObservation(Visibility.VISIBLE, in_tracker, covariance=noise, stamp_bound_ns=700)
    reference = ToolObservation(Visibility.VISIBLE, Transform(np.eye(4), TRACKER, REFERENCE), covariance=0.0 * noise)
    timelines = Timelines.of(TrackerFrame(1, 5, {STYLUS: seen, REFERENCE: reference}))
    (told,) = told_by_mirror([stylus(10.0)], 5, timelines, [STYLUS])
    np.testing.assert_allclose(told.tracking, noise)
    assert told.stamp_bound_ns == 700
    (told,) = told_by_mirror([stylus(10.0)], 5, timelines, ["probe"])
    assert (told.tracking, told.stamp_bound_ns) == (None, 0)


def test_how_a_tip_was_seen_does_not_hang_on_how_the_reference_was():
    # A marker with a noise of 0.1 mm and, about x alone, of 1 mrad; the tip is 100 mm from it along z, so that the turn
    # moves it by 0.1 mm along y. The reference lies a quarter turn about z in the tracker: along its axes that is x.
    noise = np.diag([1e-6, 0.0, 0.0, 0.01, 0.01, 0.01])
    T_tracker_reference = Transform(
        np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), TRACKER, REFERENCE
    )
    seen = ToolObservation(Visibility.VISIBLE, Transform(np.eye(4), TRACKER, STYLUS), covariance=noise)
    blurred = ToolObservation(Visibility.VISIBLE, T_tracker_reference, covariance=100.0 * np.eye(6))
    timelines = Timelines.of(TrackerFrame(1, 5, {STYLUS: seen, REFERENCE: blurred}))
    lever = np.eye(4)
    lever[2, 3] = 100.0
    tips = {STYLUS: CalibratedTip(Transform(lever, STYLUS, "stylus_tip"), 0.6, np.diag([0.0, 0.36, 0.0]))}
    (told,) = told_by_mirror([stylus(10.0)], 5, timelines, ["probe"], tips)
    np.testing.assert_allclose(told.own_tracking, np.diag([0.01 + 0.01 + 0.36, 0.01, 0.01]), atol=1e-12)
    itself = ToolObservation(
        Visibility.VISIBLE, seen.T_tracker_tool, covariance=noise, T_tracker_reference=T_tracker_reference
    )
    alone = Timelines.of(TrackerFrame(1, 5, {STYLUS: itself}))
    (told,) = told_by_mirror([stylus(10.0)], 5, alone, ["probe"], tips)
    assert told.own_tracking is None, "a device that saw the reference itself does not tell their noise apart"
