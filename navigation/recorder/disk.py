"""How long the disk lasts: free space and the rate at which the recording uses it up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from navigation.clock import NS_PER_S

# The case's journal and the other programs need space as well: the recording ends before they run out of it.
RESERVE_BYTES = 256 << 20
WARN_MINUTES = 30.0
_WINDOW_NS = 60 * NS_PER_S
_LATELY_NS = 10 * NS_PER_S  # so that ultrasound that has just begun is counted whole
_S_PER_MINUTE = 60.0


@dataclass(frozen=True)
class DiskOutlook:
    """What is left.

    Attributes:
        free_bytes: on the recording's disk, for this user.
        bytes_per_s: growth of the recording over the last minute, or the last ten seconds if that was faster.
        minutes_left: until only the reserve is left; None while the recording does not grow.
    """

    free_bytes: int
    bytes_per_s: float
    minutes_left: float | None

    @property
    def is_full(self) -> bool:
        """Whether only the reserve is left."""
        return self.free_bytes < RESERVE_BYTES

    @property
    def has_room_again(self) -> bool:
        """Whether it is worth to begin again after it was full."""
        return self.free_bytes > 2 * RESERVE_BYTES

    @property
    def warning(self) -> str:
        """For the operator, before the disk is full; empty while it lasts."""
        if self.is_full or self.minutes_left is None or self.minutes_left > WARN_MINUTES:
            return ""
        lasts = f"{self.minutes_left:.0f} minutes" if self.minutes_left >= 1.0 else "less than a minute"
        return f"the recording's disk lasts {lasts}: {self.words}"

    @property
    def words(self) -> str:
        return f"{self.free_bytes / 1e9:.1f} GB free, {self.bytes_per_s * _S_PER_MINUTE / 1e6:.1f} MB a minute"


class DiskWatch:
    """Measures the rate over the last minute."""

    def __init__(self) -> None:
        self._sizes: deque[tuple[int, int]] = deque()

    def look(self, now_ns: int, written_bytes: int, free_bytes: int) -> DiskOutlook:
        """Takes one measurement; `written_bytes` is the recording's size so far, over all its files."""
        self._sizes.append((now_ns, written_bytes))
        while now_ns - self._sizes[0][0] > _WINDOW_NS:
            self._sizes.popleft()
        lately = next(each for each in self._sizes if now_ns - each[0] <= _LATELY_NS)
        rate = max(_rate((now_ns, written_bytes), since) for since in (self._sizes[0], lately))
        left = max(0, free_bytes - RESERVE_BYTES)
        return DiskOutlook(free_bytes, rate, left / rate / _S_PER_MINUTE if rate > 0 else None)


def _rate(now: tuple[int, int], since: tuple[int, int]) -> float:
    """Bytes a second between two measurements of (time in ns, bytes)."""
    seconds = (now[0] - since[0]) / NS_PER_S
    return (now[1] - since[1]) / seconds if seconds > 0 else 0.0
