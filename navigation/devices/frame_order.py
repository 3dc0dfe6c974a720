"""Tells which frames of a tracker are new, and counts the repeated, refused and missed ones."""

from __future__ import annotations

from enum import StrEnum

from navigation.devices.tracker import TrackerFrame

# The same limit as for clients (docs/unity_bridge/protocol.md, section 4): beyond it, a clock is wrong.
MAX_AHEAD_MS = 100.0
# Ages above which a pose is stale, and lost; `navigation.live.supervisor.SupervisorSettings` has the reasons.
STALE_AFTER_MS, LOST_AFTER_MS = 100.0, 250.0


class Arrival(StrEnum):
    """How a frame compares with those before it."""

    NEW = "new"
    REPEATED = "repeated"
    OLDER = "older"
    AHEAD = "ahead of its time"


class FrameOrder:
    """Classifies frames as new, repeated, older or ahead of time, and counts them.

    A frame is new if its capture time is later than that of the newest one so far. An unchanged sequence number is a
    repetition, even with another time: some drivers stamp a repeated frame again. A smaller number with a later time
    means that the device was reconnected and counts from the start.

    Args:
        max_ahead_ms: a frame whose capture time is further in the future is refused.

    Attributes:
        newest: the newest frame that was new; None before the first.
        passed_over: gaps in the sequence numbers: frames that never came, or were overtaken by newer ones unread.
        refused: frames that were older than the newest, or too far in the future.
        repeated: frames that came again.
    """

    def __init__(self, max_ahead_ms: float = MAX_AHEAD_MS) -> None:
        self.newest: TrackerFrame | None = None
        self.passed_over = 0
        self.refused = 0
        self.repeated = 0
        self._max_ahead_ns = round(max_ahead_ms * 1e6)
        self._ahead: tuple[int, int] | None = None  # number and time of the frame that was too far in the future last

    @property
    def dropped(self) -> int:
        """Frames that the tracker made and that were not used: passed over or refused."""
        return self.passed_over + self.refused

    def take(self, frame: TrackerFrame, now_ns: int | None = None) -> Arrival:
        """Classifies and counts a frame; a new one becomes `newest`.

        Args:
            now_ns: the time on the clock that stamps the frames; without it no frame is found to be in the future.
        """
        arrival = self._arrival(frame, now_ns)
        if arrival is Arrival.REPEATED:
            self.repeated += 1
        elif arrival is not Arrival.NEW:
            self.refused += 1
        else:
            if self.newest is not None:
                self.passed_over += max(0, frame.sequence - self.newest.sequence - 1)
            self.newest = frame
        return arrival

    def _arrival(self, frame: TrackerFrame, now_ns: int | None) -> Arrival:
        if now_ns is not None and frame.capture_ns - now_ns > self._max_ahead_ns:
            self._ahead = frame.sequence, frame.capture_ns
            return Arrival.AHEAD
        if (frame.sequence, frame.capture_ns) == self._ahead:
            return Arrival.AHEAD  # when its time has come it is no truer
        newest = self.newest
        if newest is None:
            return Arrival.NEW
        if frame.capture_ns < newest.capture_ns:
            return Arrival.OLDER
        if frame.sequence == newest.sequence:
            return Arrival.REPEATED
        if frame.capture_ns == newest.capture_ns and frame.sequence < newest.sequence:
            return Arrival.OLDER
        return Arrival.NEW
