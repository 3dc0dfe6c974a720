"""Plays recorded tracking as if its device were running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from navigation.clock import PacedClock
from navigation.devices.replay.recording import RecordedFrame, Recording
from navigation.devices.schedule import Schedule
from navigation.devices.tracker import CONNECTED, Connection, DeviceState, FrameCounts, ToolObservation, TrackerFrame


class ReplayTracker:
    """Satisfies `Tracker`: gives the newest frame that is due; those that the reader was too late for are dropped.

    The first frame is due when it is started. A frame's `capture_ns` is when it was due on `clock`, however late it is
    read. On a clock that begins at the recording's first time, at speed 1, it is the recording's own time.

    Args:
        tools: the tools of the room that the recording has.
        clock: the clock to play on, and to wait on.
        speed, loop: as in `Schedule`; in a loop numbers and times go on.
        begun_ns: when the first frame was due, where others play the same recording beside; else when it is started.

    Raises:
        DeviceError: as `Schedule`.
    """

    def __init__(
        self,
        recording: Recording,
        tools: tuple[str, ...],
        clock: PacedClock,
        speed: float = 1.0,
        loop: bool = False,
        begun_ns: int | None = None,
    ) -> None:
        self._recording, self._tools, self._clock, self._speed = recording, tools, clock, speed
        frames = recording.frames
        self._schedule = Schedule(recording.name, [frame.time_ns for frame in frames], speed, loop)
        self._first_sequence = frames[0].sequence
        self._lap_sequences = max(frame.sequence for frame in frames) - self._first_sequence + 1
        self._begun_ns = begun_ns
        self._start_ns: int | None = None
        self._returned = -1
        self._received = self._unread = 0

    @property
    def tools(self) -> tuple[str, ...]:
        return self._tools

    @property
    def rate_hz(self) -> float:
        return self._schedule.rate_hz

    @property
    def first_ns(self) -> int:
        """The recording's first time, on its own clock."""
        return self._recording.frames[0].time_ns

    @property
    def state(self) -> DeviceState:
        counts = FrameCounts(received=self._received, unread=self._unread)
        if self._schedule.is_last(self._returned):
            ended = f"the recording has ended ({self._schedule.count} frames)"
            return DeviceState(Connection.GONE, ended, frames=counts)
        return DeviceState(CONNECTED.connection, frames=counts)

    def start(self) -> None:
        """Plays from the first frame, or from the one that is due now."""
        self._start_ns = self._clock.now_ns() if self._begun_ns is None else self._begun_ns
        self._returned = -1
        self._received = self._unread = 0

    def stop(self) -> None:
        """No frame comes until it is started anew."""
        self._start_ns = None

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        until_ns = self._clock.now_ns() + max(0, timeout_ns)
        if self._start_ns is None or self._schedule.is_last(self._returned):
            self._clock.sleep_until_ns(until_ns)
            return None
        newest = self._schedule.newest_due(self._clock.now_ns() - self._start_ns)
        if newest <= self._returned:
            due_ns = self._start_ns + self._schedule.due_ns(self._returned + 1)
            self._clock.sleep_until_ns(min(due_ns, until_ns))
            newest = self._schedule.newest_due(self._clock.now_ns() - self._start_ns)
            if newest <= self._returned:
                return None
        self._received += newest - self._returned
        self._unread += newest - self._returned - 1
        self._returned = newest
        lap, index = divmod(newest, self._schedule.count)
        frame = self._recording.frames[index]
        sequence = frame.sequence - self._first_sequence + lap * self._lap_sequences
        capture_ns = self._start_ns + self._schedule.due_ns(newest)
        return TrackerFrame(sequence, capture_ns, self._with_own_times(frame, capture_ns))

    def _with_own_times(self, frame: RecordedFrame, capture_ns: int) -> Mapping[str, ToolObservation]:
        """The tools of a frame; those with a time of their own are as far from the frame's as they were."""
        if all(seen.capture_ns is None for seen in frame.tools.values()):
            return frame.tools
        return {
            tool: seen
            if seen.capture_ns is None
            else replace(seen, capture_ns=capture_ns + round((seen.capture_ns - frame.time_ns) / self._speed))
            for tool, seen in frame.tools.items()
        }
