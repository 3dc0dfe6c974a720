"""Plays a recording in its own time, as if its device were running."""

from __future__ import annotations

from dataclasses import replace

from navigation.clock import PacedClock
from navigation.devices.schedule import Schedule
from navigation.devices.ultrasound.source import UltrasoundFrame, UltrasoundRecording
from navigation.errors import DeviceError


class Playback:
    """An `UltrasoundSource` that gives the frames of a recording when they are due.

    The newest frame that is due wins; those that the reader was too late for are dropped, and seen by the gap in
    `sequence`. A frame's `capture_ns` is the time when it was due, however late it is read; its `source_ns` stays.

    Args:
        recording: frames with times.
        clock: the clock to play on, and to wait on.
        speed: 2.0 plays twice as fast; the times on `clock` are then half as far apart as those of the recording.
        loop: starts again after the end, one mean frame interval after the last frame; time and `sequence` go on.
        begun_ns: when the first frame was due, where others play the same recording beside; else when it is started.

    Raises:
        DeviceError: stills; fewer than two instants; a speed that is not positive and finite.
    """

    def __init__(
        self,
        recording: UltrasoundRecording,
        clock: PacedClock,
        speed: float = 1.0,
        loop: bool = False,
        begun_ns: int | None = None,
    ) -> None:
        times_ns = recording.times_ns
        if times_ns is None:
            raise DeviceError(
                f"{recording.name}, stills without times, to be played",
                "a recording whose frames have times",
                "say how many frames a second they are (rate_hz), or go through them without playing",
            )
        self._recording, self._clock = recording, clock
        self._schedule = Schedule(recording.name, times_ns, speed, loop)
        self._lap_sequences = recording.sequences[-1] + 1
        self._begun_ns = begun_ns
        self._start_ns: int | None = None
        self._returned = -1

    @property
    def name(self) -> str:
        return self._recording.name

    @property
    def rate_hz(self) -> float:
        """Mean rate of the recording at this speed."""
        return self._schedule.rate_hz

    @property
    def ended(self) -> str:
        """Says so as soon as the last frame was returned; never with `loop`."""
        schedule = self._schedule
        return f"the recording has ended ({schedule.count} frames)" if schedule.is_last(self._returned) else ""

    def start(self) -> None:
        """Plays from the first frame, which is due at once, or from the one that is due now."""
        self._start_ns = self._clock.now_ns() if self._begun_ns is None else self._begun_ns
        self._returned = -1

    def stop(self) -> None:
        """No frame comes until it is started anew."""
        self._start_ns = None

    def next_frame(self, timeout_ns: int) -> UltrasoundFrame | None:
        """As `UltrasoundSource.next_frame`; None as well while it is not started."""
        if self._start_ns is None or self.ended:
            return None
        now_ns = self._clock.now_ns()
        if self._schedule.newest_due(now_ns - self._start_ns) <= self._returned:
            next_ns = self._start_ns + self._schedule.due_ns(self._returned + 1)
            self._clock.sleep_until_ns(min(next_ns, now_ns + max(0, timeout_ns)))
            now_ns = self._clock.now_ns()
        newest = self._schedule.newest_due(now_ns - self._start_ns)
        if newest <= self._returned:
            return None
        self._returned = newest
        lap, index = divmod(newest, self._schedule.count)
        frame = self._recording.frame(index)
        return replace(
            frame,
            sequence=frame.sequence + lap * self._lap_sequences,
            capture_ns=self._start_ns + self._schedule.due_ns(newest),
        )
