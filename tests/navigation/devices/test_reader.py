"""The reader of a device: newest wins, what became of the others is counted, and it connects again by itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.frames import REFERENCE, STYLUS
from navigation.clock import NS_PER_S, MonotonicClock, VirtualClock
from navigation.devices.driver import StampClock, Stamps
from navigation.devices.reader import BackOff, NewestObservations, ReaderTracker, Received, in_words
from navigation.devices.tracker import Connection, FrameCounts, TrackerFrame, Visibility
from navigation.errors import DeviceError
from tests.navigation.devices.scripted import RATE_HZ, Script, both, device, seen

MS = 1_000_000
PATIENCE_S = 60.0  # of a starved machine; nobody waits for it elsewhere
BOTH = (REFERENCE, STYLUS)
SOON = BackOff(first_s=0.001, longest_s=0.004)


def wait_until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.001)


def frame_number(sequence: int, stamp_ms: int) -> Received:
    return Received(both(float(sequence)), stamp_ms * MS, sequence)


# ------------------------------------------------------------------------------------------- which observations count


def test_the_newest_wins_and_what_it_replaced_is_counted() -> None:
    newest = NewestObservations(BOTH)
    for number in (1, 2, 3):
        newest.put(frame_number(number, 10 * number), 10 * number * MS)
    frame = newest.take()
    assert frame is not None
    assert (frame.sequence, frame.capture_ns) == (3, 30 * MS)
    assert frame.tools[STYLUS].T_tracker_tool.translation_mm[0] == 3.0
    assert newest.take() is None, "a frame is given once"
    assert newest.counts == FrameCounts(received=3, unread=2)


def test_gaps_in_the_devices_numbers_are_frames_that_were_lost() -> None:
    newest = NewestObservations(BOTH)
    for number in (7, 8, 12):
        newest.put(frame_number(number, number), number * MS)
    assert newest.counts.lost == 3
    assert newest.take().sequence == 6, "three that came and three that did not"
    newest.begin_connection()
    newest.put(frame_number(1, 20), 20 * MS)
    assert newest.counts.lost == 3, "a device that was connected again counts from the start"


def test_a_frame_that_was_overtaken_is_late_and_changes_nothing() -> None:
    newest = NewestObservations(BOTH)
    newest.put(frame_number(2, 20), 20 * MS)
    newest.put(frame_number(1, 10), 10 * MS)
    assert newest.counts == FrameCounts(received=2, late=1)
    assert newest.take().tools[STYLUS].T_tracker_tool.translation_mm[0] == 2.0


def test_a_device_whose_clock_was_set_back_is_connected_anew() -> None:
    newest = NewestObservations(BOTH)
    newest.put(frame_number(1, 5000), 5000 * MS)
    with pytest.raises(DeviceError, match=r"set back by 4\.000 s"):
        newest.put(frame_number(2, 1000), 5010 * MS)


def test_tools_that_are_not_named_keep_what_was_seen_with_its_own_time() -> None:
    newest = NewestObservations((*BOTH, "clamp"))
    newest.put(Received({REFERENCE: seen(REFERENCE)}, 10 * MS), 10 * MS)
    newest.put(Received({STYLUS: seen(STYLUS, 5.0), "unknown": seen("unknown")}, 12 * MS), 12 * MS)
    tools = newest.take().tools
    assert set(tools) == {*BOTH, "clamp"}
    assert (tools[REFERENCE].capture_ns, tools[STYLUS].capture_ns) == (10 * MS, None)
    assert (tools["clamp"].visibility, tools["clamp"].capture_ns) == (Visibility.NO_DATA, None)
    newest.put(Received({"unknown": seen("unknown")}, 14 * MS), 14 * MS)
    assert newest.take() is None, "nothing of this room"
    assert newest.counts.late == 0


def test_each_tool_carries_what_was_not_known_of_the_clock_when_it_was_seen() -> None:
    newest = NewestObservations(BOTH)
    newest.put(Received({REFERENCE: seen(REFERENCE)}, 10 * MS), 10 * MS, 7 * MS)
    newest.put(Received({STYLUS: seen(STYLUS)}, 12 * MS), 12 * MS, 3 * MS)
    tools = newest.take().tools
    assert (tools[REFERENCE].stamp_bound_ns, tools[STYLUS].stamp_bound_ns) == (7 * MS, 3 * MS)
    assert (tools[REFERENCE].capture_ns, tools[STYLUS].capture_ns) == (10 * MS, None)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(BOTH), st.integers(1, 90)), min_size=1, max_size=30))
def test_whatever_comes_in_whatever_order_each_tool_shows_its_newest(messages: list[tuple[str, int]]) -> None:
    newest = NewestObservations(BOTH)
    for tool, stamp_ms in messages:
        newest.put(Received({tool: seen(tool, float(stamp_ms))}, stamp_ms * MS), stamp_ms * MS)
    frame = newest.take()
    for tool in BOTH:
        stamps = [stamp_ms for name, stamp_ms in messages if name == tool]
        pose = frame.tools[tool].T_tracker_tool
        assert (pose is None) == (not stamps)
        if stamps:
            assert pose.translation_mm[0] == max(stamps)
            assert (frame.tools[tool].capture_ns or frame.capture_ns) == max(stamps) * MS
    counts = newest.counts
    assert counts.received == len(messages) == counts.late + counts.unread + 1


# ----------------------------------------------------------------------------------------------- connecting, the state


@pytest.fixture
def script() -> Script:
    return Script()


def reader(script: Script, **options: object) -> ReaderTracker:
    return ReaderTracker(device(*BOTH), script.connect, RATE_HZ, MonotonicClock(), back_off=SOON, **options)


def next_frame(tracker: ReaderTracker) -> TrackerFrame:
    frame = tracker.next_frame(round(PATIENCE_S * NS_PER_S))
    assert frame is not None, tracker.state
    return frame


def test_a_device_that_is_not_there_at_first_is_a_state_and_then_a_tracker(script: Script) -> None:
    script.refusals = [ConnectionRefusedError(111, "Connection refused"), TimeoutError("timed out"), OSError()]
    tracker = reader(script)
    assert tracker.state.connection is Connection.CONNECTING
    assert tracker.next_frame(0) is None
    tracker.start()
    try:
        script.messages.put([Received(both())])
        assert next_frame(tracker).tools[STYLUS].visibility is Visibility.VISIBLE
        assert (tracker.state.connection, tracker.state.reason) == (Connection.CONNECTED, "")
        assert script.opened == 4
    finally:
        tracker.stop()
    assert script.closed == 1


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "connection reset by peer"),
        (
            DeviceError("frame 7 with a wrong check sum", "a right one", "check the cable"),
            "frame 7 with a wrong check sum",
        ),
    ],
)
def test_a_device_that_goes_away_says_why_and_comes_back(script: Script, end: Exception, reason: str) -> None:
    tracker = reader(script)
    tracker.start()
    try:
        script.messages.put([Received(both(1.0))])
        next_frame(tracker)
        script.may_connect.clear()  # so that the state can be seen on a machine that is busy just then
        script.messages.put(end)
        wait_until(lambda: tracker.state.reason == reason)
        script.may_connect.set()
        script.messages.put([Received(both(2.0))])
        assert next_frame(tracker).tools[STYLUS].T_tracker_tool.translation_mm[0] == 2.0
        assert (script.opened, script.closed) == (2, 1)
        assert tracker.state.frames.received == 2
    finally:
        tracker.stop()


def test_what_was_seen_before_the_cable_was_cut_is_not_seen_after_it(script: Script) -> None:
    tracker = reader(script)
    tracker.start()
    try:
        script.messages.put([Received(both())])
        next_frame(tracker)
        script.messages.put(OSError("cut"))
        script.messages.put([Received({REFERENCE: seen(REFERENCE)})])
        frame = next_frame(tracker)
        assert frame.tools[STYLUS].visibility is Visibility.NO_DATA
        assert frame.tools[STYLUS].T_tracker_tool is None
    finally:
        tracker.stop()


def test_a_device_that_is_silent_is_connected_again(script: Script) -> None:
    clock = VirtualClock()
    tracker = ReaderTracker(device(*BOTH), script.connect, RATE_HZ, clock, back_off=SOON, silent_after_s=5.0)
    tracker.start()
    try:
        wait_until(lambda: tracker.state.connection is Connection.CONNECTED)
        clock.advance_ns(round(4.9 * NS_PER_S))
        script.messages.put([Received()])  # a sign of life is enough
        wait_until(script.messages.empty)
        wait_until(lambda: clock.advance_ns(NS_PER_S) is None and script.opened == 2)
        assert script.closed == 1
        wait_until(lambda: tracker.state.connection is Connection.CONNECTED)
    finally:
        tracker.stop()


def test_what_is_wrong_with_a_device_that_answers_stands_until_it_is_over(script: Script) -> None:
    tracker = reader(script)
    tracker.start()
    try:
        script.messages.put([Received(news="the camera is warming up")])
        wait_until(lambda: tracker.state.reason == "the camera is warming up")
        assert tracker.state.connection is Connection.CONNECTED
        script.messages.put([Received(both())])
        next_frame(tracker)
        assert tracker.state.reason == "the camera is warming up"
        script.messages.put([Received(news="")])
        wait_until(lambda: tracker.state.reason == "")
    finally:
        tracker.stop()


def test_a_fault_of_the_driver_itself_is_a_state_too(
    script: Script, recwarn: pytest.WarningsRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("threading.excepthook", lambda told: None)
    tracker = reader(script)
    tracker.start()
    script.messages.put(ZeroDivisionError("a mistake in the driver"))
    wait_until(lambda: tracker.state.connection is Connection.GONE)
    assert "the driver failed: ZeroDivisionError: a mistake in the driver" in tracker.state.words(0)
    assert tracker.state.retry_ns is None, "it would fail again"
    tracker.stop()
    assert script.closed == 1


def test_pauses_double_up_to_the_longest_and_begin_anew_after_frames() -> None:
    pauses = [BackOff(0.5, 10.0).pause_s(failures) for failures in range(1, 9)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    assert BackOff(0.5, 10.0).pause_s(10**6) == 10.0


def test_a_device_that_was_away_for_long_is_asked_for_again_well_within_two_seconds() -> None:
    assert BackOff().pause_s(10**6) <= 1.0


def test_stop_is_heard_during_a_pause(script: Script) -> None:
    script.refusals = [ConnectionRefusedError(111, "Connection refused")] * 5
    tracker = ReaderTracker(device(*BOTH), script.connect, RATE_HZ, MonotonicClock(), back_off=BackOff(600.0, 600.0))
    tracker.start()
    wait_until(lambda: tracker.state.connection is Connection.GONE)
    state = tracker.state
    assert (state.retry_ns - MonotonicClock().now_ns()) / NS_PER_S + PATIENCE_S > 599.0
    assert "connection refused; tried again in" in state.words(MonotonicClock().now_ns())
    tracker.stop()
    assert script.opened == 1


def test_a_slow_reader_of_a_fast_device_gets_the_newest_frame_and_no_backlog(script: Script) -> None:
    stamped = device(*BOTH, stamps=Stamps(StampClock.SENSOR))
    tracker = ReaderTracker(stamped, script.connect, 1000.0, MonotonicClock())
    for first in range(0, 1000, 50):
        script.messages.put([frame_number(number, number) for number in range(first, first + 50)])
    tracker.start()
    try:
        wait_until(lambda: tracker.state.frames.received == 1000)
        assert next_frame(tracker).tools[STYLUS].T_tracker_tool.translation_mm[0] == 999.0
        assert tracker.next_frame(0) is None
        assert tracker.state.frames == FrameCounts(received=1000, unread=999)
    finally:
        tracker.stop()


def test_the_end_of_a_connection_in_words() -> None:
    assert in_words(OSError(111, "Connection refused")) == "connection refused"
    assert in_words(TimeoutError()) == "TimeoutError"
    assert in_words(DeviceError("nothing", "something", "look")) == "nothing"
