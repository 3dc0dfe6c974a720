"""Which of a tracker's frames are evidence: the new ones; and how many were missed."""

from __future__ import annotations

from enum import StrEnum

from navigation.devices.tracker import TrackerFrame

# As the rule for clients has it (docs/protocol.md, section 4): beyond it, a clock has gone wrong.
MAX_AHEAD_MS = 100.0


class Arrival(StrEnum):
    """What a frame is beside those that came before it."""

    NEW = "new"
    REPEATED = "repeated"
    OLDER = "older"
    AHEAD = "ahead of its time"


class FrameOrder:
    """Tells new frames from those that are none, and counts both.

    A frame is new if the sensor saw it later than the newest one so far, by its time. A sequence number that has not
    moved on is a repetition, even with another time: some drivers stamp what they repeat. A smaller number with a
    later time is a device that was connected again, and begins to count anew.

    Args:
        max_ahead_ms: a time stamp further in the future than that is none.

    Attributes:
        newest: the newest frame that was new; None before the first.
        passed_over: frames that never came, or were overtaken by newer ones before anybody looked, by their numbers.
        refused: frames that were older than the newest, or ahead of their time.
        repeated: frames that came again.
    """

    def __init__(self, max_ahead_ms: float = MAX_AHEAD_MS) -> None:
        self.newest: TrackerFrame | None = None
        self.passed_over = 0
        self.refused = 0
        self.repeated = 0
        self._max_ahead_ns = round(max_ahead_ms * 1e6)

    @property
    def dropped(self) -> int:
        """Frames that the tracker made and nobody used."""
        return self.passed_over + self.refused

    def take(self, frame: TrackerFrame, now_ns: int | None = None) -> Arrival:
        """Takes a frame in.

        Args:
            now_ns: on the clock that stamps the frames; without it, none is found to be ahead of its time.
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
            return Arrival.AHEAD
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
