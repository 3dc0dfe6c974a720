"""Puts the times of a device's own clock on this machine's clock.

A frame cannot arrive before it was made, so the smallest difference between arrival and stamp, over the last seconds,
is the offset of the two clocks and the shortest way here (the minimum filter of Paxson, "On calibrating measurements of
packet transit times", SIGMETRICS 1998). Frames that took longer are as old as they are: delay does not hide age.
"""

from __future__ import annotations

from collections import deque

from navigation.devices.driver import StampClock, Stamps
from navigation.devices.frame_order import LOST_AFTER_MS, STALE_AFTER_MS
from navigation.errors import DeviceError

_NS_PER_MS = 1_000_000
# Quartz clocks drift apart by at most 100 parts in a million: 1 ms in this time.
WINDOW_NS = 10_000_000_000
_DRIFT = 1e-4
_BUCKET_NS = WINDOW_NS // 20
# Of exponential delays of mean m, the shortest of n is more than 3 m / n above the least there can be once in 20 times.
_ONCE_IN_20 = 3.0
_FEWEST = 10
_UNLEARNED_NS = round(STALE_AFTER_MS * _NS_PER_MS)
_SET_FORWARD_NS = round(LOST_AFTER_MS * _NS_PER_MS)


class _Bucket:
    """The differences between arrival and stamp of half a second."""

    __slots__ = ("began_ns", "count", "least_ns", "total_ns")

    def __init__(self, began_ns: int, difference_ns: int) -> None:
        self.began_ns, self.least_ns, self.total_ns, self.count = began_ns, difference_ns, difference_ns, 1

    def add(self, difference_ns: int) -> None:
        self.least_ns = min(self.least_ns, difference_ns)
        self.total_ns += difference_ns
        self.count += 1


class SensorClock:
    """Gives each frame of one device its time of capture on this machine's clock.

    If the device's clock is set forward, the next frame has the new offset. If it is set back, frames look older than
    they are, and so are not valid, until the window has passed: from stamps alone this looks like a delay.
    """

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps
        self._buckets: deque[_Bucket] = deque()

    @property
    def bound_ns(self) -> int:
        """By how much a frame may be older than its time of capture says, once in 20 times more.

        The offset is that of the frame which came the shortest way of the last seconds. How much shorter the way can be
        is told by the mean delay and by how many frames came; and meanwhile the clocks drifted. Until ten frames came
        it is the age after which a pose is stale. What the room file says of the least latency is taken as exact.
        """
        if self._stamps.clock is not StampClock.SENSOR:
            return 0
        count = sum(bucket.count for bucket in self._buckets)
        if count < _FEWEST:
            return _UNLEARNED_NS
        total_ns = sum(bucket.total_ns for bucket in self._buckets)
        span_ns = self._buckets[-1].began_ns - self._buckets[0].began_ns + _BUCKET_NS
        return round(_ONCE_IN_20 * (total_ns / count - self._least_ns()) / count + _DRIFT * span_ns)

    def _least_ns(self) -> int:
        return min(bucket.least_ns for bucket in self._buckets)

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
        if self._buckets and difference_ns < self._least_ns() - _SET_FORWARD_NS:
            self._buckets.clear()  # the device's clock was set forward: what came before tells nothing of it
        if not self._buckets or arrival_ns - self._buckets[-1].began_ns >= _BUCKET_NS:
            self._buckets.append(_Bucket(arrival_ns, difference_ns))
        else:
            self._buckets[-1].add(difference_ns)
        while arrival_ns - self._buckets[0].began_ns > WINDOW_NS:
            self._buckets.popleft()
        return sensor_ns + self._least_ns() - latency_ns
