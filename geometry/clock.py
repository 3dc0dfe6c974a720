"""Time as an argument: integer nanoseconds on a named clock.

Library code never reads the time; it is handed a `Clock`. The real one lives in navigation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Clock(Protocol):
    """Something that tells the time in integer nanoseconds on one named, never decreasing time scale."""

    @property
    def clock_id(self) -> str:
        """Names the time scale: times of different clocks must not be subtracted."""
        ...

    def now_ns(self) -> int: ...


class ManualClock:
    """A clock that changes only by `advance_ns`, for tests and for replay."""

    def __init__(self, start_ns: int = 0, clock_id: str = "manual") -> None:
        self._now_ns = start_ns
        self._clock_id = clock_id

    @property
    def clock_id(self) -> str:
        return self._clock_id

    def now_ns(self) -> int:
        return self._now_ns

    def advance_ns(self, step_ns: int) -> None:
        """Moves time forward; a negative step is a programming error and raises ValueError."""
        if step_ns < 0:
            raise ValueError(f"a clock cannot go back by {-step_ns} ns")
        self._now_ns += step_ns


class StageTimer:
    """Runs the stages of a long task one after the other, shows them and measures how long each takes.

    Args:
        clock: measures the durations.
        show: called with a stage's name and the share done, 0.0 before it and 1.0 after it.

    Attributes:
        seconds: stage -> duration in s, of the stages that have ended.
    """

    def __init__(self, clock: Clock, show: Callable[[str, float], None]) -> None:
        self._clock, self._show = clock, show
        self.seconds: dict[str, float] = {}

    def run(self, stage: str, work: Callable[[], Any]) -> Any:
        """Calls `work` as the stage of that name, and returns what it returns."""
        self._show(stage, 0.0)
        start_ns = self._clock.now_ns()
        result = work()
        self.seconds[stage] = (self._clock.now_ns() - start_ns) / 1e9
        self._show(stage, 1.0)
        return result


def run_untimed(stage: str, work: Callable[[], Any]) -> Any:
    """Like `StageTimer.run`, where nobody wants to know how long it takes."""
    return work()
