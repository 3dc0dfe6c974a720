"""What is known of a device's clock, kept beyond a connection and beyond a process."""

from __future__ import annotations

from multiprocessing.context import SpawnContext
from typing import Any

_IS_KNOWN, _OFFSET, _LATE = range(3)


class KeptClock:
    """The offset of a device's clock with the shortest way here, and how late its last frames came; one writer.

    A process that is killed leaves it as it was after the newest frame, so that whoever takes over does not take a
    late link for another offset.

    Args:
        shared: memory from `share`, which is passed to a process when that starts; without it, memory of its own.
    """

    def __init__(self, shared: Any = None) -> None:
        self._shared = [0, 0, 0] if shared is None else shared

    @staticmethod
    def share(context: SpawnContext) -> KeptClock:
        """One that processes which are started with it have in common."""
        return KeptClock(context.RawArray("q", 3))

    @property
    def is_known(self) -> bool:
        """Whether a frame has come."""
        return bool(self._shared[_IS_KNOWN])

    @property
    def offset_ns(self) -> int:
        """The least that an arrival here can differ from the device's stamp."""
        return int(self._shared[_OFFSET])

    @offset_ns.setter
    def offset_ns(self, offset_ns: int) -> None:
        self._shared[_OFFSET] = offset_ns
        self._shared[_IS_KNOWN] = 1

    @property
    def late_ns(self) -> int:
        """By how much more than the shortest way each of the last frames took at least."""
        return int(self._shared[_LATE])

    @late_ns.setter
    def late_ns(self, late_ns: int) -> None:
        self._shared[_LATE] = late_ns
