"""A source that ends is opened again after a pause that grows; its numbers go on, and time does not go back."""

from __future__ import annotations

from itertools import pairwise

import pytest

from navigation.clock import NS_PER_S, VirtualClock
from navigation.devices.ultrasound.playback import Playback
from navigation.errors import DeviceError
from navigation.ultrasound.live.kept_source import LONGEST_PAUSE_NS, KeptSource
from tests.navigation.ultrasound.film import FILM, Film


def played(clock: VirtualClock, opened: list[int], begun_ns: int | None = None):
    def open_() -> Playback:
        opened.append(clock.now_ns())
        return Playback(Film(), clock, begun_ns=begun_ns)

    return open_


def test_numbers_go_on_from_one_to_the_next() -> None:
    clock, opened = VirtualClock(10 * NS_PER_S), []
    source = KeptSource(played(clock, opened), clock)
    numbers = []
    while len(numbers) < 2 * FILM:
        frame = source.next_frame(NS_PER_S // 10)
        if frame is not None:
            numbers.append(frame.sequence)
            assert source.why == ""
    assert numbers == list(range(2 * FILM))
    assert source.breaks == 1


def test_the_last_frame_of_a_recording_comes_once() -> None:
    clock, opened = VirtualClock(10 * NS_PER_S), []
    source = KeptSource(played(clock, opened, clock.now_ns()), clock)
    frames = [source.next_frame(NS_PER_S // 10) for _ in range(500)]
    assert len([frame for frame in frames if frame is not None]) == FILM
    assert len(opened) > 2
    assert "the recording has ended" in source.why


def test_pauses_grow_up_to_the_longest_and_say_why() -> None:
    clock, tried = VirtualClock(), []

    def refuse() -> Playback:
        tried.append(clock.now_ns())
        raise DeviceError("no scanner at 10.0.0.1", "one", "switch it on")

    source = KeptSource(refuse, clock)
    while len(tried) < 8:
        assert source.next_frame(NS_PER_S // 10) is None
        assert source.why in ("it is being opened", "no scanner at 10.0.0.1; it is opened again")
    pauses_s = [(after - before) / NS_PER_S for before, after in pairwise(tried)]
    assert pauses_s == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0])
    assert LONGEST_PAUSE_NS == 10 * NS_PER_S
