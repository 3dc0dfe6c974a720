"""Reads the newest frame of a tracker, whatever its driver does; older queued frames are dropped and counted."""

from __future__ import annotations

from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.frame_order import Arrival, FrameOrder
from navigation.devices.tracker import Tracker, TrackerFrame

_PERIODS = 2  # the next frame is due within one period; its absence must be published within one more
# A tracker at more than 100 Hz is waited for as long as one at 100 Hz: on a busy machine a shorter silence is the
# scheduler's and not the tracker's, and the age of the last frame tells what it is worth.
_LEAST_NS = NS_PER_S // 50
_NAPS_PER_PERIOD = 4


class NewestFrame:
    """Reads frames from a tracker until the newest one has come.

    A driver that keeps to the Protocol returns it at the first call. A driver that queues is called again while its
    frame is older than one period, since a newer one must exist then. A driver that repeats frames is called again
    after a pause, so that the loop does not keep a core busy.

    Args:
        tracker: a running tracker.
        clock: the clock that stamps the tracker's frames.

    Attributes:
        order: classifies and counts the frames.
    """

    def __init__(self, tracker: Tracker, clock: PacedClock, order: FrameOrder | None = None) -> None:
        self.order = order or FrameOrder()
        self._tracker = tracker
        self._clock = clock
        self._period_ns = round(NS_PER_S / tracker.rate_hz)

    def take(self) -> TrackerFrame | None:
        """The newest frame. Without a new one within two periods (20 ms at least) the last that was not new, or None.

        The supervisor judges frames that are not new (repeated, older, or ahead of time).
        """
        deadline_ns = self._clock.now_ns() + max(_LEAST_NS, _PERIODS * self._period_ns)
        new: TrackerFrame | None = None
        other: TrackerFrame | None = None
        while True:
            left_ns = max(0, deadline_ns - self._clock.now_ns())
            frame = self._tracker.next_frame(left_ns if new is None else 0)
            now_ns = self._clock.now_ns()
            if frame is None:
                return new or other
            arrival = self.order.take(frame, now_ns)
            if arrival is Arrival.NEW:
                if new is not None:
                    self.order.passed_over += 1
                new = frame
                if now_ns - frame.capture_ns < self._period_ns:
                    return new  # the next one is not due yet
            elif new is not None and frame.sequence == new.sequence:
                return new
            elif new is None:
                if other is not None and frame.sequence == other.sequence:
                    nap_ns = min(self._period_ns // _NAPS_PER_PERIOD, max(0, deadline_ns - now_ns))
                    self._clock.sleep_until_ns(now_ns + nap_ns)
                # A repeated frame is returned as it came first, since the driver may have stamped it again.
                other = self.order.newest if arrival is Arrival.REPEATED else frame
            if now_ns >= deadline_ns:
                return new or other
