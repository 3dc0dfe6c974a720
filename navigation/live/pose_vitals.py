"""Statistics of the pose process in shared memory: written once for each batch, read by other processes."""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from navigation.devices.frame_order import FrameOrder

_AGES = 1_001  # bins of one millisecond; the last bin counts everything older
_SEQUENCE, _CAPTURE, _DROPPED, _REPEATED, _OLDEST, _FIRST_AGE = range(6)
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, eq=False)
class Vitals:
    """Statistics of the pose process since its start.

    Attributes:
        last_sequence: sequence number of the newest batch; 0 before the first.
        capture_ns: capture time of the newest frame; None before the first.
        frames_dropped: number of frames that the tracker made and that were not used: overtaken, never delivered, or
            refused.
        frames_repeated: number of frames that came again.
        ages_ms: histogram ``(1001,)`` of the age of the frames at publication, in bins of 1 ms; the last bin counts
            everything older. Batches without a new frame are not counted.
        age_max_ms: the largest of these ages.
    """

    last_sequence: int
    capture_ns: int | None
    frames_dropped: int
    frames_repeated: int
    ages_ms: NDArray[np.int64]
    age_max_ms: float


class PoseVitals:
    """Statistics with one writer, any number of readers and no lock: each number is independent and written atomically.

    Args:
        shared: memory from `share`, which can be passed to another process when it starts.
    """

    def __init__(self, shared: Any) -> None:
        self._shared = shared

    @staticmethod
    def share(context: SpawnContext) -> Any:
        """Allocates the shared memory."""
        return context.RawArray("q", _FIRST_AGE + _AGES)

    def note(self, sequence: int, order: FrameOrder, published_ns: int) -> None:
        """Counts a published batch, whether or not `order` had a new frame for it."""
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
