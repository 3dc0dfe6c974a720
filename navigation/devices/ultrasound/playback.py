"""Plays a recording in its own time, as if its device were running."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import replace

from navigation.clock import NS_PER_S, PacedClock
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

    Raises:
        DeviceError: stills; fewer than two instants; a speed that is not positive and finite.
    """

    def __init__(
        self, recording: UltrasoundRecording, clock: PacedClock, speed: float = 1.0, loop: bool = False
    ) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise DeviceError(f"a speed of {speed:g}", "a positive number", "give 1 for the speed of the recording")
        times_ns = recording.times_ns
        if times_ns is None:
            raise DeviceError(
                f"{recording.name}, stills without times, to be played",
                "a recording whose frames have times",
                "say how many frames a second they are (rate_hz), or go through them without playing",
            )
        if not times_ns or times_ns[-1] <= times_ns[0]:
            raise DeviceError(
                f"{recording.name}, {len(times_ns)} frames within no time at all, to be played",
                "a recording of at least two instants",
                "go through the frames without playing",
            )
        self._recording, self._clock, self._loop = recording, clock, loop
        # Whole nanoseconds on the clock, rounded once: what is waited for is then also what is due.
        self._due_ns = tuple(round((time_ns - times_ns[0]) / speed) for time_ns in times_ns)
        span_ns = self._due_ns[-1]
        if not span_ns:
            raise DeviceError(f"a speed of {speed:g}", "one that leaves time between the frames", "give a lower one")
        self._lap_ns = span_ns + max(1, round(span_ns / (len(times_ns) - 1)))
        self._rate_hz = (len(times_ns) - 1) * NS_PER_S / span_ns
        self._lap_sequences = recording.sequences[-1] + 1
        self._start_ns: int | None = None
        self._returned = -1

    @property
    def name(self) -> str:
        return self._recording.name

    @property
    def rate_hz(self) -> float:
        """Mean rate of the recording at this speed."""
        return self._rate_hz

    @property
    def ended(self) -> str:
        """Says so as soon as the last frame was returned; never with `loop`."""
        count = len(self._due_ns)
        return f"the recording has ended ({count} frames)" if not self._loop and self._returned == count - 1 else ""

    def start(self) -> None:
        """Plays from the first frame, which is due at once."""
        self._start_ns = self._clock.now_ns()
        self._returned = -1

    def stop(self) -> None:
        """No frame comes until it is started anew."""
        self._start_ns = None

    def next_frame(self, timeout_ns: int) -> UltrasoundFrame | None:
        """As `UltrasoundSource.next_frame`; None as well while it is not started."""
        if self._start_ns is None or self.ended:
            return None
        now_ns = self._clock.now_ns()
        if self._newest_due(now_ns - self._start_ns) <= self._returned:
            next_ns = self._start_ns + self._time_of(self._returned + 1)
            self._clock.sleep_until_ns(min(next_ns, now_ns + max(0, timeout_ns)))
            now_ns = self._clock.now_ns()
        newest = self._newest_due(now_ns - self._start_ns)
        if newest <= self._returned:
            return None
        self._returned = newest
        lap, index = divmod(newest, len(self._due_ns))
        frame = self._recording.frame(index)
        return replace(
            frame,
            sequence=frame.sequence + lap * self._lap_sequences,
            capture_ns=self._start_ns + self._time_of(newest),
        )

    def _time_of(self, number: int) -> int:
        """When the frame of that number, counted on through the laps, is due, since the start."""
        lap, index = divmod(number, len(self._due_ns))
        return lap * self._lap_ns + self._due_ns[index]

    def _newest_due(self, elapsed_ns: int) -> int:
        count = len(self._due_ns)
        lap, within_ns = divmod(elapsed_ns, self._lap_ns) if self._loop else (0, elapsed_ns)
        return lap * count + bisect_right(self._due_ns, within_ns) - 1
