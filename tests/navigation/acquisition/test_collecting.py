"""Collecting ends by a key, by time or by what is enough; u takes back what came last."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from geometry.clock import ManualClock
from navigation.acquisition.collecting import Advice, collect
from navigation.acquisition.live_poses import PoseSample
from navigation.acquisition.pivoting import PivotCollecting
from navigation.clock import NS_PER_S
from tests.calibration.streams_of import pivoted


class Feed:
    """Gives the poses of a stream one after the other, and a key at some of them."""

    def __init__(self, count: int, keys: dict[int, str], largest_rad: float = 0.6) -> None:
        self.stream, self.keys = pivoted(count, largest_rad=largest_rad), keys
        self.given = 0
        self.clock = ManualClock()
        self.shown: list[Advice] = []

    def next(self) -> PoseSample | None:
        if self.given >= len(self.stream):
            self.clock.advance_ns(NS_PER_S)
            return None
        sample = PoseSample(float(self.stream.time_s[self.given]), self.stream.transforms()[self.given])
        self.clock.advance_ns(NS_PER_S // 20)
        self.given += 1
        return sample

    def run(
        self, *, until_enough: bool = False, seconds: float | None = None, ends_after: int = 1 << 30
    ) -> PivotCollecting:
        collecting = PivotCollecting("lab")
        keys: Callable[[], str | None] = lambda: self.keys.pop(self.given, None)  # noqa: E731
        collect(
            collecting,
            self.next,
            keys,
            self.shown.append,
            self.clock,
            until_enough=until_enough,
            seconds=seconds,
            is_over=lambda: self.given >= ends_after,
        )
        return collecting


def test_a_key_ends_it_and_u_takes_two_seconds_back():
    feed = Feed(200, {100: "u", 150: "q"})
    stream = feed.run().stream(n_missing=3)
    assert (len(stream), stream.n_missing) == (150 - 40, 3)
    assert np.diff(stream.time_s).max() == pytest.approx(2.05)
    assert [advice.coverage for advice in feed.shown] == sorted(advice.coverage for advice in feed.shown[:9]) + [
        advice.coverage for advice in feed.shown[9:]
    ]


def test_time_ends_it():
    assert len(Feed(200, {}).run(seconds=2.0)) == 40


def test_what_is_enough_ends_it_where_nobody_presses_a_key():
    feed = Feed(400, {})
    collecting = feed.run(until_enough=True)
    assert 100 <= len(collecting) < 400
    assert feed.shown[-1].next_step == "it is enough: end it with Enter"
    assert feed.shown[0].doubt == "too few poses yet"


def test_the_end_of_a_recording_that_is_played_ends_it():
    assert len(Feed(200, {}).run(ends_after=60, seconds=60.0)) == 60


class SlowAdvice(PivotCollecting):
    """Its advice takes a second."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__("lab")
        self.clock, self.asked = clock, 0

    def advice(self) -> Advice:
        self.asked += 1
        self.clock.advance_ns(NS_PER_S)
        return Advice("go on", 0.5, "slow")


def test_advice_that_takes_long_is_asked_for_a_fifth_of_the_time():
    feed = Feed(400, {})
    slow = SlowAdvice(feed.clock)
    collect(slow, feed.next, lambda: None, feed.shown.append, feed.clock, until_enough=False, seconds=20.0)
    # Every five seconds, and at the end.
    assert slow.asked == 5


def test_a_static_tool_is_told_to_move_and_is_never_enough():
    feed = Feed(150, {}, largest_rad=0.001)
    collecting = feed.run(until_enough=True, seconds=20.0)
    assert not collecting.is_enough
    assert feed.shown[-1].coverage < 0.05
    assert "hardly moved" in feed.shown[-1].doubt
    assert feed.shown[-1].next_step.startswith("tilt it")


def test_undo_at_the_beginning_does_nothing():
    collecting = PivotCollecting("lab")
    collecting.undo()
    assert len(collecting) == 0
