"""When the frames of a recording are due: in its own time, at any speed, once or again and again."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from navigation.clock import NS_PER_S
from navigation.errors import DeviceError


class Schedule:
    """Due times in ns since the start, of frames that are counted on through the laps.

    Args:
        name: of the recording, for errors.
        times_ns: of its frames, never decreasing.
        speed: 2.0 plays twice as fast; the times are then half as far apart.
        loop: begins again after the end, one mean frame interval after the last frame.

    Attributes:
        count: number of frames in a lap.
        rate_hz: mean rate at this speed.

    Raises:
        DeviceError: fewer than two instants; a speed that is not positive and finite.
    """

    def __init__(self, name: str, times_ns: Sequence[int], speed: float = 1.0, loop: bool = False) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise DeviceError(f"a speed of {speed:g}", "a positive number", "give 1 for the speed of the recording")
        if not times_ns or times_ns[-1] <= times_ns[0]:
            raise DeviceError(
                f"{name}, {len(times_ns)} frames within no time at all, to be played",
                "a recording of at least two instants",
                "go through the frames without playing",
            )
        # Whole nanoseconds on the clock, rounded once: what is waited for is then also what is due.
        self._due_ns = tuple(round((time_ns - times_ns[0]) / speed) for time_ns in times_ns)
        span_ns = self._due_ns[-1]
        if not span_ns:
            raise DeviceError(f"a speed of {speed:g}", "one that leaves time between the frames", "give a lower one")
        self._loop = loop
        self._lap_ns = span_ns + max(1, round(span_ns / (len(times_ns) - 1)))
        self.count = len(times_ns)
        self.rate_hz = (len(times_ns) - 1) * NS_PER_S / span_ns

    def due_ns(self, number: int) -> int:
        """When the frame of that number is due."""
        lap, index = divmod(number, self.count)
        return lap * self._lap_ns + self._due_ns[index]

    def newest_due(self, elapsed_ns: int) -> int:
        """Number of the newest frame that is due; -1 before the first."""
        lap, within_ns = divmod(elapsed_ns, self._lap_ns) if self._loop else (0, elapsed_ns)
        return lap * self.count + bisect_right(self._due_ns, within_ns) - 1

    def is_last(self, number: int) -> bool:
        """Whether no frame follows; never with `loop`."""
        return not self._loop and number == self.count - 1
