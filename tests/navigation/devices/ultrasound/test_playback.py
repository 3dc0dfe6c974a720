"""A recording is played in its own time: which frame is due when, which are dropped, and what a loop goes on with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.clock import MonotonicClock, VirtualClock
from navigation.devices.ultrasound.playback import Playback
from navigation.devices.ultrasound.source import UltrasoundFrame
from navigation.errors import DeviceError
from tests.navigation.devices.ultrasound.recordings import MS, ListedRecording

SECOND = 1_000 * MS


def collect(playback: Playback, timeout_ns: int = SECOND, most: int = 1000) -> list[UltrasoundFrame]:
    frames = []
    while not playback.ended and len(frames) < most:
        if (frame := playback.next_frame(timeout_ns)) is not None:
            frames.append(frame)
    return frames


def test_each_frame_comes_when_it_is_due():
    clock = VirtualClock(5 * SECOND)
    playback = Playback(ListedRecording((0, 10 * MS, 40 * MS)), clock)
    playback.start()
    seen = []
    while not playback.ended:
        frame = playback.next_frame(SECOND)
        seen.append((frame.sequence, frame.capture_ns - 5 * SECOND, clock.now_ns() - 5 * SECOND, frame.source_ns))
        assert frame.pixels[0, 0] == frame.sequence
    assert seen == [(0, 0, 0, SECOND), (1, 10 * MS, 10 * MS, SECOND + 1), (2, 40 * MS, 40 * MS, SECOND + 2)]
    assert playback.ended == "the recording has ended (3 frames)"
    assert playback.next_frame(SECOND) is None
    assert clock.now_ns() == 5 * SECOND + 40 * MS


def test_a_reader_that_was_late_gets_the_newest_frame_and_sees_the_gap():
    clock = VirtualClock()
    playback = Playback(ListedRecording(tuple(range(0, 100 * MS, 10 * MS))), clock)
    playback.start()
    assert playback.next_frame(0).sequence == 0
    clock.advance_ns(57 * MS)
    late = playback.next_frame(0)
    assert (late.sequence, late.capture_ns) == (5, 50 * MS)
    assert playback.next_frame(0) is None
    assert clock.now_ns() == 57 * MS


def test_it_waits_no_longer_than_the_timeout():
    clock = VirtualClock()
    playback = Playback(ListedRecording((0, SECOND)), clock)
    playback.start()
    playback.next_frame(0)
    assert playback.next_frame(30 * MS) is None
    assert clock.now_ns() == 30 * MS
    assert playback.next_frame(2 * SECOND).sequence == 1
    assert clock.now_ns() == SECOND


def test_a_loop_goes_on_in_time_and_number_and_keeps_the_gaps_of_the_recording():
    clock = VirtualClock()
    playback = Playback(ListedRecording((0, 10 * MS, 40 * MS), sequences=(0, 1, 4)), clock, loop=True)
    playback.start()
    frames = collect(playback, most=7)
    assert [frame.sequence for frame in frames] == [0, 1, 4, 5, 6, 9, 10]
    assert [frame.capture_ns // MS for frame in frames] == [0, 10, 40, 60, 70, 100, 120]
    assert [int(frame.pixels[0, 0]) for frame in frames] == [0, 1, 2, 0, 1, 2, 0]
    clock.advance_ns(60 * 100 * MS)  # a hundred laps overtaken
    assert playback.next_frame(0).sequence == 10 + 5 * 100
    assert not playback.ended


@pytest.mark.parametrize(("speed", "last_ms"), [(2.0, 20), (0.5, 80)])
def test_speed_stretches_time_and_rate(speed: float, last_ms: int):
    clock = VirtualClock()
    playback = Playback(ListedRecording((0, 10 * MS, 40 * MS)), clock, speed=speed)
    playback.start()
    assert [frame.capture_ns for frame in collect(playback)][-1] == last_ms * MS
    assert playback.rate_hz == pytest.approx(speed * 50.0)


def test_a_frame_without_an_image_is_delivered_as_such():
    playback = Playback(ListedRecording((0, MS, 2 * MS), damaged=frozenset({1})), VirtualClock())
    playback.start()
    assert [frame.missing for frame in collect(playback)] == ["", "damaged", ""]


def test_of_frames_with_the_same_time_the_last_one_wins():
    playback = Playback(ListedRecording((0, MS, MS, 2 * MS)), VirtualClock())
    playback.start()
    assert [frame.sequence for frame in collect(playback)] == [0, 2, 3]


def test_it_gives_nothing_before_the_start_and_after_the_stop_and_starts_anew():
    clock = VirtualClock()
    playback = Playback(ListedRecording((0, MS)), clock)
    assert playback.next_frame(SECOND) is None
    playback.start()
    collect(playback)
    playback.stop()
    assert playback.next_frame(SECOND) is None
    playback.start()
    assert not playback.ended
    assert [frame.capture_ns for frame in collect(playback)] == [MS, 2 * MS]


@pytest.mark.parametrize(
    ("times_ns", "speed", "words"),
    [
        (None, 1.0, "stills"),
        ((0,), 1.0, "1 frames within no time"),
        ((0, 0), 1.0, "no time"),
        ((0, MS), 0.0, "a speed of 0"),
        ((0, MS), float("nan"), "a speed of nan"),
        ((0, MS), 1e9, "leaves time"),
    ],
)
def test_what_cannot_be_played_is_refused(times_ns: tuple[int, ...] | None, speed: float, words: str):
    with pytest.raises(DeviceError, match=words):
        Playback(ListedRecording(times_ns), VirtualClock(), speed=speed)


@given(
    steps_ns=st.lists(st.integers(0, 50 * MS), min_size=1, max_size=20).filter(any),
    waits_ns=st.lists(st.tuples(st.integers(0, 80 * MS), st.integers(0, 80 * MS)), max_size=30),
    speed=st.floats(0.1, 10.0),
    loop=st.booleans(),
)
def test_whatever_the_reader_does_frames_are_new_due_and_never_from_the_future(
    steps_ns: list[int], waits_ns: list[tuple[int, int]], speed: float, loop: bool
):
    clock = VirtualClock(SECOND)
    try:
        playback = Playback(ListedRecording((0, *np.cumsum(steps_ns).tolist())), clock, speed, loop)
    except DeviceError:  # steps of a nanosecond, ten times as fast
        return
    playback.start()
    last = (-1, -1)
    for busy_ns, timeout_ns in waits_ns:
        clock.advance_ns(busy_ns)
        asked_ns = clock.now_ns()
        frame = playback.next_frame(timeout_ns)
        assert clock.now_ns() <= asked_ns + timeout_ns
        if frame is None:
            assert playback.ended or clock.now_ns() == asked_ns + timeout_ns
        else:
            assert frame.capture_ns <= clock.now_ns()
            assert frame.sequence > last[0]
            assert frame.capture_ns >= last[1]
            last = (frame.sequence, frame.capture_ns)


def test_it_keeps_time_on_the_real_clock():
    clock = MonotonicClock()
    playback = Playback(ListedRecording((0, 20 * MS, 40 * MS)), clock)
    playback.start()
    start_ns = clock.now_ns()
    frames = collect(playback)
    assert frames[-1].sequence == 2
    assert clock.now_ns() - start_ns >= 39 * MS
