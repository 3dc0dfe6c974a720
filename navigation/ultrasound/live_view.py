"""Shows and records what the ultrasound process sends, until its source or a person ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from navigation.clock import NS_PER_S, PacedClock
from navigation.ultrasound.drawing import Caption, Picture, draw, picture_height
from navigation.ultrasound.messages import Ended
from navigation.ultrasound.outputs import Video, save_picture
from navigation.ultrasound.process import UltrasoundProcess
from navigation.ultrasound.record import ContourRecord
from navigation.ultrasound.shown import Display, Shown
from navigation.ultrasound.summary import Summary
from navigation.ultrasound.window import Key, Window

# Enough to see afterwards how a run went: one for a change of state, but not for each flicker, and one now and then.
_PICTURE_EVERY_NS, _LEAST_BETWEEN_NS = 5 * NS_PER_S, NS_PER_S
VIDEO_HZ = 30.0
_TICK_NS = round(NS_PER_S / VIDEO_HZ)
_ANSWER_NS = 2 * NS_PER_S  # for the ultrasound process to end when it is asked to


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Where a run leaves what it showed.

    Attributes:
        folder: for the pictures.
        record: gets every result.
        video: gets what was shown, `VIDEO_HZ` times a second.
        window: None where there is no screen.
    """

    folder: Path
    record: ContourRecord
    video: Video
    window: Window | None


class LiveView:
    """Draws whenever a result comes, and at a steady rate besides: what is old must go although nothing new is there.

    Args:
        process: running.
        clock: the clock that stamps the frames.
    """

    def __init__(self, process: UltrasoundProcess, outputs: Outputs, summary: Summary, clock: PacedClock) -> None:
        self._process, self._outputs, self._summary, self._clock = process, outputs, summary, clock
        self._display = Display(process.started.rate_hz)
        self._caption = Caption(Path(process.started.source).name, process.started.finder)
        self._height = 0
        self._state, self._pictured_ns, self._pictures = "", -_PICTURE_EVERY_NS, 0

    def run(self, should_stop: Callable[[], bool]) -> Ended:
        """Goes on until the process has ended; asks it to, once `should_stop` returns True or the window is closed.

        A process that does not answer, because it is suspended or hangs, is not waited for longer than two seconds.
        """
        next_ns = self._clock.now_ns()
        wants_end, asked_ns = False, None
        while True:
            is_new = self._take(next_ns)
            now_ns = self._clock.now_ns()
            if is_new or now_ns >= next_ns:
                ticks = max(0, now_ns - next_ns + _TICK_NS) // _TICK_NS
                wants_end = self._show(now_ns, ticks) or wants_end
                next_ns += ticks * _TICK_NS
            if self._process.ended is not None:
                return self._process.ended
            if asked_ns is None and (wants_end or should_stop()):
                asked_ns = now_ns
                self._process.stop()
            if asked_ns is not None and now_ns - asked_ns > _ANSWER_NS:
                return self._process.no_answer()

    def _take(self, until_ns: int) -> bool:
        """Takes what has come, and waits for it at most until then; returns whether anything is new."""
        is_new = False
        for result in self._process.take(until_ns - self._clock.now_ns()):
            self._outputs.record.add(result)
            self._summary.add(result)
            self._display.take(result)
            is_new = True
            if not self._height and result.pixels is not None:
                self._height = picture_height(result.pixels.shape)
        if self._process.ended is not None:
            self._display.end(self._process.ended.reason)
            return True
        return is_new

    def _show(self, now_ns: int, ticks: int) -> bool:
        """Draws once, for that many pictures of the video; returns whether the person wants to end."""
        shown = self._display.at(now_ns)
        if not self._height and shown.result is None:
            return False  # the size of the pictures is not known yet
        self._height = self._height or picture_height(None)
        self._summary.add_shown(shown)
        picture = draw(shown, self._caption, self._height)
        for _ in range(ticks):
            self._outputs.video.add(picture)
        self._keep_picture(picture, shown, now_ns)
        key = None if self._outputs.window is None else self._outputs.window.show(picture)
        if key is Key.ACCEPT_GEOMETRY:
            self._process.accept_geometry()
        elif key is Key.SAVE:
            self._save(picture, shown)
        return key is Key.QUIT

    def _keep_picture(self, picture: Picture, shown: Shown, now_ns: int) -> None:
        since_ns = now_ns - self._pictured_ns
        if since_ns >= (_LEAST_BETWEEN_NS if shown.state != self._state else _PICTURE_EVERY_NS):
            self._state, self._pictured_ns = shown.state, now_ns
            self._save(picture, shown)

    def _save(self, picture: Picture, shown: Shown) -> None:
        self._pictures += 1
        name = f"{self._pictures:04d} {shown.state}.png".replace(" ", "_")
        save_picture(picture, self._outputs.folder / "pictures" / name)
