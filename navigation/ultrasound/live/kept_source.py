"""A live source of ultrasound that is opened again when it ends, after a pause that grows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.reader import in_words
from navigation.devices.ultrasound.source import UltrasoundFrame, UltrasoundSource

FIRST_PAUSE_NS, LONGEST_PAUSE_NS = NS_PER_S // 2, 10 * NS_PER_S


class KeptSource:
    """Gives the newest frame of a source; when that ends, because a cable was pulled or a program ended, another one.

    Satisfies `UltrasoundSource`; it never ends by itself. Sequence numbers go on from one to the next.

    Args:
        open_: opens the source, without waiting for it.
        clock: times the pauses.

    Attributes:
        ended: empty.
        name: of the source; empty before it was opened.
        rate_hz: its frames a second, as stated.
        why: why there is none now; empty while one runs.
        breaks: how often one has ended.
    """

    def __init__(self, open_: Callable[[], UltrasoundSource], clock: PacedClock) -> None:
        self.name, self.rate_hz, self.why, self.breaks, self.ended = "", 1.0, "it is being opened", 0, ""
        self._open, self._clock = open_, clock
        self._source: UltrasoundSource | None = None
        self._again_ns, self._pause_ns = clock.now_ns(), FIRST_PAUSE_NS
        self._base = self._next = 0
        self._newest_ns = -1

    def start(self) -> None:
        """It is opened with the first frame that is asked for."""

    def stop(self) -> None:
        """As `close`."""
        self.close()

    def next_frame(self, timeout_ns: int) -> UltrasoundFrame | None:
        """The newest frame that was not returned yet, or None if none came within `timeout_ns`."""
        source = self._source or self._opened(timeout_ns)
        if source is None:
            return None
        frame = source.next_frame(timeout_ns)
        if frame is None:
            if source.ended:
                self._end(source.ended)
            return None
        if frame.capture_ns is not None and frame.capture_ns <= self._newest_ns:
            return None  # the last frame of a recording that was opened again; time does not go back
        self._newest_ns = frame.capture_ns or 0
        self.why, self._pause_ns = "", FIRST_PAUSE_NS
        frame = replace(frame, sequence=frame.sequence + self._base)
        self._next = frame.sequence + 1
        return frame

    def close(self) -> None:
        """Stops the source; may be called again."""
        if self._source is not None:
            self._source.stop()
            self._source = None

    def _opened(self, timeout_ns: int) -> UltrasoundSource | None:
        now_ns = self._clock.now_ns()
        if now_ns < self._again_ns:
            self._clock.sleep_until_ns(min(self._again_ns, now_ns + timeout_ns))
            return None
        try:
            source = self._open()
            source.start()
        except (OSError, SurgNavError) as error:
            self._end(in_words(error))
            return None
        self._source, self._base = source, self._next
        self.name, self.rate_hz = source.name, source.rate_hz
        return source

    def _end(self, why: str) -> None:
        self.close()
        self.breaks += 1
        self.why = f"{why}; it is opened again"
        self._again_ns = self._clock.now_ns() + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, LONGEST_PAUSE_NS)
