"""The newest poses for another process: at most one message on the way, and the pose loop never waits."""

from __future__ import annotations

import multiprocessing

import numpy as np

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS
from navigation.live.pose_mirror import TAKEN, PoseMirror
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


def test_a_busy_reader_is_given_the_newest_when_it_is_ready():
    ours, theirs = multiprocessing.Pipe()
    mirror = PoseMirror(ours)
    for number in range(1000):  # far more than a pipe holds
        mirror.offer([stylus(number)], number)
    (first,) = theirs.recv()
    assert not theirs.poll(), "one message is on the way, no more"
    np.testing.assert_array_equal(first.T_to_from, stylus(0.0).T_to_from.matrix)
    theirs.send_bytes(TAKEN)
    mirror.offer([stylus(1000.0, capture_ns=7)], 1000)
    (newest,) = theirs.recv()
    assert newest.T_to_from[0, 3] == 1000.0
    assert (first.capture_ns, newest.capture_ns) == (0, 7), "a tool's own time, where it has one"


def test_a_lost_tool_has_no_numbers():
    ours, theirs = multiprocessing.Pipe()
    lost = ToolState(tool=STYLUS, to_frame=REFERENCE, from_frame=STYLUS, validity=Validity.LOST, reason="hidden")
    PoseMirror(ours).offer([lost], 5)
    (told,) = theirs.recv()
    assert (told.T_to_from, told.validity, told.reason, told.capture_ns) == (None, Validity.LOST, "hidden", 5)


def test_a_reader_that_has_ended_is_no_error():
    ours, theirs = multiprocessing.Pipe()
    mirror = PoseMirror(ours)
    theirs.close()
    for _ in range(3):
        mirror.offer([stylus(0.0)], 0)
