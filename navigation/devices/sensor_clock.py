"""Puts the times of a device's own clock on this machine's clock.

A frame cannot arrive before it was made, so the smallest difference between arrival and stamp is the offset of the two
clocks and the shortest way here (the minimum filter of Paxson, "On calibrating measurements of packet transit times",
SIGMETRICS 1998). Frames that took longer are as old as they are: delay does not hide age.

One difference does not tell a late link from a clock that was set back, nor a link that is in time again from a clock
that was set forward; two frames in a row do. The stamps of a late link go on in the device's own rhythm while arrivals
pause, and arrivals crowd when it is in time again; the stamps of a clock that was set leave the rhythm. Where both
happened while nothing came, frames count as late: they look too old, never too young.
"""

from __future__ import annotations

from collections import deque
from statistics import median

from navigation.devices.driver import StampClock, Stamps
from navigation.devices.frame_order import STALE_AFTER_MS
from navigation.devices.kept_clock import KeptClock
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
# A device keeps its rhythm within this; no pose is wrong by its age for it.
TOLERANCE_NS = 20 * _NS_PER_MS
# So much a clock is corrected at most, 20 ms in a window (NTP: 5): smaller steps back do not leave the rhythm either.
SLEW = 2e-3
# Messages of one tool overtake one another by less than this on any network; beyond it, the device's clock was set.
SET_BACK_NS = 100 * _NS_PER_MS
# A frame is no older than this when its connection is opened: else its stamp is of another clock.
_OTHER_CLOCK_NS = 1_000_000_000
_FEWEST_STEPS = 3
_NEVER_NS = 1 << 62
# So long nothing comes in a pause in which the clock may have been set; a busy machine makes many shorter ones.
_PAUSE_NS = 100 * _NS_PER_MS
# Where so many frames came in a rhythm that is kept within this, the next one that does not is no busy machine.
_CALM_NS, _CALM_FRAMES = 5 * _NS_PER_MS, 8


class _Bucket:
    """The differences between arrival and stamp of half a second."""

    __slots__ = ("began_ns", "count", "least_ns", "total_ns")

    def __init__(self, began_ns: int, difference_ns: int) -> None:
        self.began_ns, self.least_ns, self.total_ns, self.count = began_ns, difference_ns, difference_ns, 1

    def add(self, difference_ns: int) -> None:
        self.least_ns = min(self.least_ns, difference_ns)
        self.total_ns += difference_ns
        self.count += 1


class _Stream:
    """The frames of one tool, or of several that come together: the last one, and their rhythm."""

    __slots__ = ("arrival_ns", "calm", "crowds", "sensor_ns", "steps")

    def __init__(self, sensor_ns: int, arrival_ns: int) -> None:
        self.sensor_ns, self.arrival_ns = sensor_ns, arrival_ns
        self.crowds = False  # the last frame came hard upon the one before
        self.calm = 0  # how many in a row were stamped, and came, in the rhythm
        self.steps: deque[int] = deque(maxlen=15)

    @property
    def usual_ns(self) -> int | None:
        """From stamp to stamp, as a rule; None while that is not known."""
        return round(median(self.steps)) if len(self.steps) >= _FEWEST_STEPS else None

    def add(self, sensor_ns: int, arrival_ns: int, frames: int) -> None:
        went_ns, took_ns, usual_ns = sensor_ns - self.sensor_ns, arrival_ns - self.arrival_ns, self.usual_ns
        if usual_ns is not None:
            self.crowds = took_ns < usual_ns * frames / 2
            is_calm = abs(went_ns - usual_ns) <= _CALM_NS and usual_ns / 2 <= took_ns <= 2 * usual_ns + _CALM_NS
            self.calm = self.calm + 1 if is_calm else 0
        if went_ns > 0:
            self.steps.append(went_ns // frames)
        self.sensor_ns, self.arrival_ns = sensor_ns, arrival_ns


class SensorClock:
    """Gives each frame of one connection to a device its time of capture on this machine's clock.

    A clock that is set is followed at once where the frames before and after show it. Else frames look older than they
    are, and so are not valid, until `WINDOW_NS` has passed. A link that becomes late stays late for as long as it is.

    Args:
        stamps: how the device's frames get their time; what it keeps of the clock is where this one begins.
        round_trip_ns: how long a question and its answer took when the connection was opened.
        opened_ns: when that was, on this machine's clock; None if that is not known.
    """

    def __init__(self, stamps: Stamps, round_trip_ns: int = 0, opened_ns: int | None = None) -> None:
        self._stamps, self._round_trip_ns, self._opened_ns = stamps, round_trip_ns, opened_ns
        self._kept = KeptClock() if stamps.kept is None else stamps.kept
        self._buckets: deque[_Bucket] = deque()
        self._streams: dict[str, _Stream] = {}
        self._late_ns: deque[int] = deque(maxlen=5)
        self._may_rise_ns: int | None = None  # when the offset may rise to what was the least since it was doubted
        self._least_ns = 0  # that least
        self._in_time_ns: int | None = None  # frames are later than this since a pause in which its clock may be set
        self._shortest_ns = 0  # when a frame came the shortest way

    @property
    def bound_ns(self) -> int:
        """By how much a frame may be older than its time of capture says, once in 20 times more.

        The offset is that of the frame which came the shortest way. How much shorter the way can be is told by the mean
        delay and by how many frames came; and meanwhile the clocks drifted. Until ten frames came, and where all are
        late since a pause, it is the age after which a pose is stale. What the room file says of the least latency is
        taken as exact.
        """
        if self._stamps.clock is not StampClock.SENSOR:
            return 0
        count = sum(bucket.count for bucket in self._buckets)
        if count < _FEWEST or self._in_time_ns is not None:
            return _UNLEARNED_NS
        mean_ns = sum(bucket.total_ns for bucket in self._buckets) / count - self._kept.offset_ns
        newest_ns = self._buckets[-1].began_ns + _BUCKET_NS
        span_ns = newest_ns - min(self._buckets[0].began_ns, self._shortest_ns)
        return round(_ONCE_IN_20 * mean_ns / count + _DRIFT * span_ns)

    def capture_ns(self, sensor_ns: int | None, arrival_ns: int, stream: str = "", overtaken: int = 0) -> int:
        """The time of capture of a frame.

        Args:
            sensor_ns: the device's own stamp; None if it gives none. Of a device that is on this program's own clock
                it is the time of capture.
            arrival_ns: when the frame came, on this machine's clock.
            stream: what it is a frame of, where a device sends several things with stamps of their own.
            overtaken: frames of that since the last one that came too, and were not looked at.

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
        last, before_ns = self._streams.get(stream), self._kept.offset_ns
        if not self._streams:
            self._begin(arrival_ns - sensor_ns, arrival_ns)
        elif last is not None:
            self._compare(last, sensor_ns, arrival_ns, 1 + overtaken)
        if last is None:
            self._streams[stream] = _Stream(sensor_ns, arrival_ns)
        else:
            last.add(sensor_ns, arrival_ns, 1 + overtaken)
        self._learn(arrival_ns - sensor_ns, arrival_ns)
        # An old frame that comes again looks like a clock that was set back: it is no younger for it itself.
        offset_ns = self._kept.offset_ns if last is None else min(before_ns, self._kept.offset_ns)
        return sensor_ns + offset_ns - latency_ns

    def _begin(self, difference_ns: int, arrival_ns: int) -> None:
        """The first frame of a connection: of the clock that is known, or of another."""
        kept = self._kept
        # This process may have been suspended before it read what was there.
        waited_ns = 0 if self._opened_ns is None else max(0, arrival_ns - self._opened_ns)
        if not kept.is_known:
            kept.offset_ns = difference_ns
        elif not -TOLERANCE_NS <= difference_ns - kept.offset_ns <= waited_ns + _OTHER_CLOCK_NS:
            # Of another clock: frames may be as late as before, or as the link was when it was asked.
            kept.offset_ns = difference_ns - max(kept.late_ns, self._round_trip_ns)
        self._doubt(arrival_ns)
        self._in_time_ns = kept.late_ns + TOLERANCE_NS

    def _compare(self, last: _Stream, sensor_ns: int, arrival_ns: int, frames: int) -> None:
        """Whether the device's clock was set between two frames of a stream."""
        went_ns, took_ns = sensor_ns - last.sensor_ns, arrival_ns - last.arrival_ns
        if went_ns < -SET_BACK_NS:
            self._set(went_ns - took_ns, arrival_ns)
            return
        if last.usual_ns is None:
            self._doubt(arrival_ns)
            return
        usual_ns = last.usual_ns * frames
        is_after_pause = took_ns > max(3 * usual_ns + TOLERANCE_NS, _PAUSE_NS)
        late_ns = arrival_ns - sensor_ns - self._kept.offset_ns
        ahead_ns = went_ns - max(usual_ns, took_ns)
        if min(ahead_ns, self._kept.late_ns - late_ns) > TOLERANCE_NS:
            in_time = abs(late_ns) <= TOLERANCE_NS / 2
            if in_time and (last.crowds or is_after_pause):
                return  # what was held up is through, or was dropped
            if last.calm < _CALM_FRAMES:
                self._doubt(arrival_ns)
                self._in_time_ns = TOLERANCE_NS
                return
            self._set(ahead_ns, arrival_ns)
            if is_after_pause:
                self._in_time_ns = -_NEVER_NS
        elif went_ns < usual_ns - TOLERANCE_NS or (is_after_pause and went_ns > usual_ns + TOLERANCE_NS):
            self._doubt(arrival_ns)
            if late_ns > self._kept.late_ns + TOLERANCE_NS:
                self._in_time_ns = self._kept.late_ns + TOLERANCE_NS

    def _set(self, ahead_ns: int, arrival_ns: int) -> None:
        """The device's clock was set, forward or, below 0, back; frames are as late as before."""
        self._kept.offset_ns -= ahead_ns
        for stream in self._streams.values():
            stream.sensor_ns += ahead_ns
        self._buckets.clear()
        self._shortest_ns = arrival_ns
        self._doubt(arrival_ns)

    def _doubt(self, arrival_ns: int) -> None:
        """From here on a clock that was set back may look like a late link."""
        self._may_rise_ns = arrival_ns + WINDOW_NS
        self._least_ns = _NEVER_NS

    def _learn(self, difference_ns: int, arrival_ns: int) -> None:
        kept, buckets = self._kept, self._buckets
        if not buckets or arrival_ns - buckets[-1].began_ns >= _BUCKET_NS:
            buckets.append(_Bucket(arrival_ns, difference_ns))
        else:
            buckets[-1].add(difference_ns)
        while arrival_ns - buckets[0].began_ns > WINDOW_NS:
            buckets.popleft()
        offset_ns = self._offset_ns(difference_ns, arrival_ns)
        if offset_ns != kept.offset_ns or difference_ns == offset_ns:
            self._shortest_ns = arrival_ns
        kept.offset_ns = offset_ns
        late_ns = difference_ns - offset_ns
        if self._in_time_ns is not None and late_ns <= self._in_time_ns:
            self._in_time_ns = None
        self._late_ns.append(late_ns)
        kept.late_ns = min(self._late_ns)

    def _offset_ns(self, difference_ns: int, arrival_ns: int) -> int:
        """By all frames so far: down at once, up by little where a whole window says so, and by any where it may."""
        before_ns, least_ns = self._kept.offset_ns, min(bucket.least_ns for bucket in self._buckets)
        self._least_ns = min(self._least_ns, difference_ns)
        if self._may_rise_ns is not None and arrival_ns >= self._may_rise_ns:
            self._may_rise_ns = self._in_time_ns = None
            return max(before_ns, self._least_ns)
        is_whole = arrival_ns - self._buckets[0].began_ns > WINDOW_NS - _BUCKET_NS
        return least_ns if is_whole and least_ns - before_ns <= SLEW * WINDOW_NS else min(before_ns, least_ns)
