"""Collecting samples for a calibration: its person is told what to do next, what is covered, what is in doubt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from geometry.clock import Clock
from navigation.clock import NS_PER_S

Sample_contra = TypeVar("Sample_contra", contravariant=True)
ADVISED_EVERY_NS = NS_PER_S // 2
UNDO, END = "u", ("\r", "\n", "q")


@dataclass(frozen=True)
class Advice:
    """What the screen says between two samples.

    Attributes:
        next_step: what to do now, as a request.
        coverage: how much of what is needed the samples cover, 0 to 1.
        doubt: what is not known well enough yet, or how well it is known, with its number.
    """

    next_step: str
    coverage: float
    doubt: str

    @classmethod
    def enough(cls, doubt: str) -> Self:
        """More samples would change little."""
        return cls("it is enough: end it with Enter", 1.0, doubt)


class Collecting(Protocol[Sample_contra]):
    """Samples of one calibration, as they come."""

    def add(self, sample: Sample_contra) -> None:
        """Takes a sample in."""
        ...

    def advice(self) -> Advice:
        """What to do next. It is asked for twice a second, and may compute for some tens of milliseconds."""
        ...

    def undo(self) -> None:
        """Takes back what was collected last: a point, or the last seconds; at the beginning nothing."""
        ...

    @property
    def is_enough(self) -> bool:
        """Whether more samples would change little; collecting may end before that, and go on after it."""
        ...


Taken = TypeVar("Taken")


def collect(
    collecting: Collecting[Taken],
    next_sample: Callable[[], Taken | None],
    key: Callable[[], str | None],
    show: Callable[[Advice], None],
    clock: Clock,
    *,
    until_enough: bool,
    seconds: float | None = None,
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Collects until Enter or q, or for `seconds` of `clock`; u takes back what came last.

    Args:
        next_sample: waits for the next sample, not long; None where there is none.
        key: the key that was pressed; None for none.
        show: shows the advice, twice a second; more seldom where that would take more than a fifth of the time.
        until_enough: end as soon as it is enough, for where nobody can press a key.
        is_over: whether no more samples will come, as at the end of a recording that is played.
    """
    begun_ns = clock.now_ns()
    next_ns = begun_ns
    while (pressed := key()) not in END and not is_over():
        if pressed == UNDO:
            collecting.undo()
        sample = next_sample()
        if sample is not None:
            collecting.add(sample)
        now_ns = clock.now_ns()
        if seconds is not None and now_ns - begun_ns >= round(seconds * NS_PER_S):
            break
        if now_ns >= next_ns:
            show(collecting.advice())
            shown_ns = clock.now_ns()
            next_ns = max(now_ns + ADVISED_EVERY_NS, shown_ns + 4 * (shown_ns - now_ns))
            if until_enough and collecting.is_enough:
                break
    show(collecting.advice())
