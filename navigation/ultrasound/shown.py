"""What may be shown at an instant: the newest contours while they are young enough, else the reason why none are."""

from __future__ import annotations

from dataclasses import dataclass

from navigation.ultrasound.pipeline import USABLE, FrameResult

# The limits of poses (navigation.live.supervisor): stale past the first, and past the second the source is silent. The
# frames of a slower source are as old as its period before the next can come; half a second is the most for any.
STALE_MS, SILENT_MS = 100.0, 250.0
_STALE_PERIODS, _SILENT_PERIODS, _MOST_MS = 2.0, 4.0, 500.0

STARTING, STALE, SILENT, ENDED = "starting", "stale", "silent", "ended"


@dataclass(frozen=True, eq=False)
class Shown:
    """What a viewer shows at one instant.

    Attributes:
        state: ``usable`` exactly if the contours may be drawn.
        reason: the state in words; empty if usable.
        result: the newest result, for its frame; None before the first. Its contours count only if usable.
        age_ms: age of that frame now; None before the first.
    """

    state: str
    reason: str
    result: FrameResult | None
    age_ms: float | None

    @property
    def is_usable(self) -> bool:
        return self.state == USABLE


class Display:
    """Keeps the newest result and judges it each time that something is drawn.

    The age counts as well as the state that the worker gave: a worker that is stopped, starved or dead cannot say so
    itself, and its last contours must not stay on the screen.

    Args:
        rate_hz: frames a second of the source.

    Attributes:
        stale_ms, silent_ms: ages beyond which a frame is stale, and its source is silent: 100 ms and 250 ms for
            sources of 20 frames a second and more, else two and four periods, half a second at most.
    """

    def __init__(self, rate_hz: float) -> None:
        period_ms = 1_000.0 / rate_hz
        self.stale_ms = max(STALE_MS, min(_MOST_MS, _STALE_PERIODS * period_ms))
        self.silent_ms = max(SILENT_MS, min(_MOST_MS, _SILENT_PERIODS * period_ms))
        self._newest: FrameResult | None = None
        self._ended = ""

    def take(self, result: FrameResult) -> None:
        """A new result; one that is older than the newest is left out."""
        if self._newest is None or result.sequence > self._newest.sequence:
            self._newest = result

    def end(self, reason: str) -> None:
        """No more results will come."""
        self._ended = reason

    def at(self, now_ns: int) -> Shown:
        """What may be shown at that time, on the clock that stamps the frames."""
        newest = self._newest
        age_ms = None if newest is None or newest.capture_ns is None else (now_ns - newest.capture_ns) / 1e6
        if self._ended:
            return Shown(ENDED, self._ended, newest, age_ms)
        if newest is None:
            return Shown(STARTING, "no frame has come yet", None, None)
        if age_ms is not None and age_ms > self.silent_ms:
            return Shown(SILENT, f"no new frame for {age_ms / 1000:.1f} s: source or worker is silent", newest, age_ms)
        if age_ms is not None and age_ms > self.stale_ms:
            return Shown(STALE, f"the newest frame is {age_ms:.0f} ms old, over {self.stale_ms:.0f} ms", newest, age_ms)
        return Shown(newest.state, newest.reason, newest, age_ms)
