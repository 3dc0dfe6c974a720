"""How the pose process is: a few numbers in shared memory, written once a batch, read by whoever wants to know."""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from navigation.devices.frame_order import FrameOrder

_AGES = 1_001  # by the millisecond; the last holds whatever is older
_SEQUENCE, _CAPTURE, _DROPPED, _REPEATED, _OLDEST, _FIRST_AGE = range(6)
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, eq=False)
class Vitals:
    """All since the start.

    Attributes:
        last_sequence: of the newest batch; 0 before the first.
        capture_ns: when the sensor saw the newest frame; None before the first.
        frames_dropped: that the tracker made and nobody used: overtaken, never delivered, or refused.
        frames_repeated: that came again.
        ages_ms: batches by the age in ms that their frame had when they were published, ``(1001,)``; the last holds
            whatever is older. Batches without a new frame are not among them.
        age_max_ms: the oldest of them.
    """

    last_sequence: int
    capture_ns: int | None
    frames_dropped: int
    frames_repeated: int
    ages_ms: NDArray[np.int64]
    age_max_ms: float


class PoseVitals:
    """One writer, any number of readers, no lock: each number is written at once, and none depends on another.

    Args:
        shared: from `share`; may be handed to another process when that starts.
    """

    def __init__(self, shared: Any) -> None:
        self._shared = shared

    @staticmethod
    def share(context: SpawnContext) -> Any:
        """The memory."""
        return context.RawArray("q", _FIRST_AGE + _AGES)

    def note(self, sequence: int, order: FrameOrder, published_ns: int) -> None:
        """A batch went out, made of the newest frame of `order`, or of none that was new."""
        shared = self._shared
        shared[_SEQUENCE] = sequence
        shared[_DROPPED], shared[_REPEATED] = order.dropped, order.repeated
        newest = order.newest
        if newest is None or newest.capture_ns == shared[_CAPTURE]:
            return
        shared[_CAPTURE] = newest.capture_ns
        age_ns = published_ns - newest.capture_ns
        shared[_FIRST_AGE + min(max(0, age_ns // _NS_PER_MS), _AGES - 1)] += 1
        shared[_OLDEST] = max(age_ns, shared[_OLDEST])

    @property
    def last_sequence(self) -> int:
        return int(self._shared[_SEQUENCE])

    def read(self) -> Vitals:
        numbers = np.frombuffer(self._shared, np.int64).copy()
        capture_ns = int(numbers[_CAPTURE])
        return Vitals(
            last_sequence=int(numbers[_SEQUENCE]),
            capture_ns=capture_ns or None,
            frames_dropped=int(numbers[_DROPPED]),
            frames_repeated=int(numbers[_REPEATED]),
            ages_ms=numbers[_FIRST_AGE:],
            age_max_ms=numbers[_OLDEST] / _NS_PER_MS,
        )
