"""Recordings are played when they are due, at any speed, in a loop; the newest frame wins; their end is a state."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Transform
from geometry.frames import REFERENCE, TRACKER
from navigation.clock import VirtualClock
from navigation.devices.replay.player import ReplayTracker
from navigation.devices.replay.recording import RecordedFrame, Recording, in_order
from navigation.devices.tracker import Connection, ToolObservation, Visibility
from navigation.errors import DeviceError

TIMES_NS = (1_000, 1_100, 1_250, 1_300)


def recording(times_ns: tuple[int, ...] = TIMES_NS, first_sequence: int = 7) -> Recording:
    seen = ToolObservation(Visibility.VISIBLE, Transform(np.eye(4), TRACKER, REFERENCE))
    frames = [RecordedFrame(first_sequence + i, time_ns, {REFERENCE: seen}) for i, time_ns in enumerate(times_ns)]
    return in_order("made", frames)


def tracker(clock: VirtualClock, speed: float = 1.0, loop: bool = False) -> ReplayTracker:
    made = ReplayTracker(recording(), (REFERENCE,), clock, speed, loop)
    made.start()
    return made


def numbers(played: ReplayTracker, count: int) -> list[tuple[int, int]]:
    frames = [played.next_frame(10_000) for _ in range(count)]
    return [(frame.sequence, frame.capture_ns) for frame in frames if frame is not None]


def test_on_its_own_clock_frames_have_the_times_of_the_recording() -> None:
    assert numbers(tracker(VirtualClock(1_000)), 4) == list(enumerate(TIMES_NS))


def test_at_twice_the_speed_they_are_half_as_far_apart_and_a_loop_goes_on() -> None:
    played = numbers(tracker(VirtualClock(0), speed=2.0, loop=True), 6)
    # 100, 250 and 300 ns, halved; the next lap one mean interval (50 ns) after the last.
    assert played == [(0, 0), (1, 50), (2, 125), (3, 150), (4, 200), (5, 250)]


def test_a_late_reader_gets_the_newest_and_what_it_missed_is_counted() -> None:
    clock = VirtualClock(0)
    played = tracker(clock)
    clock.advance_ns(260)
    assert numbers(played, 1) == [(2, 250)]
    assert (played.state.frames.received, played.state.frames.unread) == (3, 2)
    assert played.next_frame(10) is None
    assert clock.now_ns() == 270


def test_the_end_is_a_state_and_no_reader_turns_in_circles() -> None:
    clock = VirtualClock(0)
    played = tracker(clock)
    assert len(numbers(played, 4)) == 4
    assert played.state.connection is Connection.GONE
    assert played.state.reason == "the recording has ended (4 frames)"
    assert played.next_frame(500) is None
    assert clock.now_ns() == 800
    played.start()
    assert numbers(played, 1) == [(0, 800)]


def test_frames_that_go_back_in_time_are_left_out_and_said() -> None:
    made = recording((10, 30, 20, 40))
    assert [frame.time_ns for frame in made.frames] == [10, 30, 40]
    assert made.notes == ("1 of 4 frames are older than one before them, and left out",)
    with pytest.raises(DeviceError, match="without frames"):
        in_order("made", [])
    with pytest.raises(DeviceError, match="no time at all"):
        ReplayTracker(recording((5, 5)), (REFERENCE,), VirtualClock())
