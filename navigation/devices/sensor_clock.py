"""Puts the times of a device's own clock on this machine's clock.

A frame cannot arrive before it was made, so the smallest difference between arrival and stamp, over the last seconds,
is the offset of the two clocks and the shortest way here (the minimum filter of Paxson, "On calibrating measurements of
packet transit times", SIGMETRICS 1998). Frames that took longer are as old as they are: delay does not hide age.
"""

from __future__ import annotations

from collections import deque

from navigation.devices.driver import StampClock, Stamps
from navigation.errors import DeviceError

_NS_PER_MS = 1_000_000
# Quartz clocks drift apart by at most 100 parts in a million: 1 ms in this time.
WINDOW_NS = 10_000_000_000
_BUCKET_NS = WINDOW_NS // 20


class SensorClock:
    """Gives each frame of one device its time of capture on this machine's clock.

    If the device's clock is set forward, the next frame has the new offset. If it is set back, frames look older than
    they are, and so are not valid, until the window has passed: from stamps alone this looks like a delay.
    """

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps
        self._least: deque[tuple[int, int]] = deque()  # time at which each bucket began, its smallest difference

    def capture_ns(self, sensor_ns: int | None, arrival_ns: int) -> int:
        """The time of capture of a frame.

        Args:
            sensor_ns: the device's own stamp; None if it gives none. Of a device that is on this program's own clock
                it is the time of capture.
            arrival_ns: when the frame came, on this machine's clock.

        Raises:
            DeviceError: the room says that the device stamps its frames, and it does not.
        """
        if self._stamps.clock is None and sensor_ns is not None:
            return sensor_ns
        latency_ns = round(self._stamps.latency_ms * _NS_PER_MS)
        if self._stamps.clock is not StampClock.SENSOR:
            return arrival_ns - latency_ns
        if sensor_ns is None:
            raise DeviceError(
                "a frame without a time, where the room file says clock = 'sensor'",
                "frames that the device has stamped",
                "say clock = 'arrival' in the room file, with the latency_ms that was measured",
            )
        difference_ns = arrival_ns - sensor_ns
        if not self._least or arrival_ns - self._least[-1][0] >= _BUCKET_NS:
            self._least.append((arrival_ns, difference_ns))
        elif difference_ns < self._least[-1][1]:
            self._least[-1] = (self._least[-1][0], difference_ns)
        while arrival_ns - self._least[0][0] > WINDOW_NS:
            self._least.popleft()
        return sensor_ns + min(least_ns for _, least_ns in self._least) - latency_ns
