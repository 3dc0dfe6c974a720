"""The newest frame wins, whatever the driver does: what has queued up behind it is dropped and counted."""

from __future__ import annotations

from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.frame_order import Arrival, FrameOrder
from navigation.devices.tracker import Tracker, TrackerFrame

_PERIODS = 2  # the next frame is due within one; that it has not come must show at the client within one more
_NAPS_PER_PERIOD = 4


class NewestFrame:
    """Asks a tracker until its newest frame is here.

    A driver that keeps the Protocol hands it out at the first call. One that queues is asked on for as long as what it
    gives is older than a period, for then a newer one exists; one that repeats is asked again after a nap, so that it
    does not keep a core busy.

    Args:
        clock: stamps the tracker's frames.

    Attributes:
        order: what came, counted.
    """

    def __init__(self, tracker: Tracker, clock: PacedClock, order: FrameOrder | None = None) -> None:
        self.order = order or FrameOrder()
        self._tracker = tracker
        self._clock = clock
        self._period_ns = round(NS_PER_S / tracker.rate_hz)

    def take(self) -> TrackerFrame | None:
        """The newest frame; if no new one has come within two periods, the last that was none; or None.

        What is none (repeated, older, ahead of its time) is for the supervisor to judge.
        """
        deadline_ns = self._clock.now_ns() + _PERIODS * self._period_ns
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
                # What comes again is shown as it came first: it may be stamped anew.
                other = self.order.newest if arrival is Arrival.REPEATED else frame
            if now_ns >= deadline_ns:
                return new or other
