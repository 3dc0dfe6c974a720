"""The loop of the ultrasound process, in simulated time: the newest frame wins, and ages stay bounded."""

from __future__ import annotations

import numpy as np
import pytest

from navigation.clock import VirtualClock
from navigation.devices.ultrasound.playback import Playback
from navigation.devices.ultrasound.source import UltrasoundFrame
from navigation.ultrasound.pipeline import FramePipeline, FrameResult
from navigation.ultrasound.worker import UltrasoundLoop
from reconstruction.ultrasound.contours import Contour
from reconstruction.ultrasound.frame_state import FrameJudge
from tests.navigation.ultrasound.results import MS, vessel
from tests.reconstruction.ultrasound.frames import bone_frame


class SlowFinder:
    """Finds a vessel, and takes a given time for it."""

    name = "slow"

    def __init__(self, clock: VirtualClock, takes_ms: list[int]) -> None:
        self._clock, self._takes_ms = clock, takes_ms
        self.forgotten = self.calls = 0

    def find(self, pixels: np.ndarray, time_ns: int | None) -> tuple[Contour, ...]:
        self._clock.advance_ns(self._takes_ms[self.calls % len(self._takes_ms)] * MS)
        self.calls += 1
        return (vessel(),)

    def forget(self) -> None:
        self.forgotten += 1


class Frames:
    """A recording of made frames, each with speckle of its own."""

    name = "made"
    notes = ()

    def __init__(self, times_ms: list[int], broken: frozenset[int] = frozenset()) -> None:
        self.times_ns = tuple(time * MS for time in times_ms)
        self.sequences = tuple(range(len(times_ms)))
        self._broken = broken
        self._pixels = [bone_frame(seed) for seed in range(4)]

    def __len__(self) -> int:
        return len(self.times_ns)

    def frame(self, index: int) -> UltrasoundFrame:
        missing = "status INVALID" if index in self._broken else ""
        pixels = None if missing else self._pixels[index % 4]
        return UltrasoundFrame(index, self.times_ns[index], pixels, missing=missing)


def run(frames: Frames, takes_ms: list[int]) -> tuple[list[FrameResult], UltrasoundLoop, SlowFinder]:
    clock = VirtualClock(10**9)
    finder = SlowFinder(clock, takes_ms)
    results: list[FrameResult] = []

    def send(result: FrameResult) -> bool:
        results.append(result)
        return True

    loop = UltrasoundLoop(Playback(frames, clock), FramePipeline(finder, FrameJudge(None), clock), send)
    assert "ended" in loop.run(lambda: False)
    return results, loop, finder


@pytest.mark.parametrize("takes_ms", [5, 33, 90, 400])
def test_ages_are_bounded_however_slow_the_network_is(takes_ms: int) -> None:
    results, loop, _ = run(Frames([33 * n for n in range(300)]), [takes_ms])
    ages = [result.age_ms for result in results]
    assert (
        max(age for age in ages if age is not None) <= takes_ms + 33
    )  # the frame it waits for is one period old at most
    assert loop.used + loop.passed_over == 300
    assert [result.sequence for result in results] == sorted({result.sequence for result in results})


def test_a_stall_is_over_with_the_next_frame() -> None:
    results, _, _ = run(Frames([33 * n for n in range(300)]), [10] * 50 + [2_000] + [10] * 500)
    ages = [result.age_ms or 0.0 for result in results]
    assert max(ages) == pytest.approx(2_010, abs=33)
    assert max(ages[ages.index(max(ages)) + 1 :]) <= 43


def test_jitter_of_a_slow_source_is_no_reason_to_wait_or_to_repeat() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.integers(60, 140, 100)).tolist()
    results, loop, _ = run(Frames(times), [20])
    assert len(results) == 100
    assert loop.passed_over == 0
    assert all(result.age_ms == pytest.approx(20, abs=0.01) for result in results)


def test_a_frame_without_an_image_has_a_reason_and_leaves_nothing_of_the_past() -> None:
    results, _, finder = run(Frames([33 * n for n in range(10)], broken=frozenset({4})), [5])
    assert (results[4].state, results[4].reason, results[4].contours) == ("no image", "status INVALID", ())
    assert finder.forgotten == 1
    assert results[5].contours


def test_nobody_to_send_to_is_counted_and_holds_nothing_up() -> None:
    clock = VirtualClock(10**9)
    pipeline = FramePipeline(SlowFinder(clock, [5]), FrameJudge(None), clock)
    loop = UltrasoundLoop(Playback(Frames([33 * n for n in range(10)]), clock), pipeline, lambda result: False)
    loop.run(lambda: False)
    assert (loop.used, loop.unsent) == (10, 10)
