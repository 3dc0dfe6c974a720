"""From one frame of a source to its contours, or to the reason why it has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from geometry import Transform
from geometry.clock import Clock
from navigation.devices.ultrasound.source import GreyPixels, UltrasoundFrame
from navigation.ultrasound.finding import ContourFinder
from reconstruction.ultrasound.contours import Contour
from reconstruction.ultrasound.frame_state import FrameJudge, FrameState

MISSING = "no image"
USABLE = FrameState.USABLE.value


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameResult:
    """What is known of one frame.

    Attributes:
        sequence, capture_ns, source_ns, pixel_mm, poses, label: the frame's own, as its source stated them
            (`navigation.devices.ultrasound.source.UltrasoundFrame`).
        finished_ns: when the contours were ready, on the clock of `capture_ns`; None unless the source runs live.
        state: ``usable``, or why nothing may be drawn on the frame.
        reason: the state in words with its numbers; empty if usable.
        contours: in the frame's pixels; empty unless usable. A usable frame without contours shows no structure.
        pixels: the frame itself, to be drawn on; None if the source had no image.
    """

    sequence: int
    capture_ns: int | None
    finished_ns: int | None
    state: str
    reason: str
    contours: tuple[Contour, ...]
    pixels: GreyPixels | None
    source_ns: int | None = None
    pixel_mm: tuple[float, float] | None = None
    poses: Mapping[str, Transform | None] = field(default_factory=dict)
    label: str = ""

    @property
    def age_ms(self) -> float | None:
        """Age of the frame when its contours were ready, in ms; None unless the source runs live."""
        if self.capture_ns is None or self.finished_ns is None:
            return None
        return (self.finished_ns - self.capture_ns) / 1e6


class FramePipeline:
    """Judges frames and finds contours in the usable ones; a frame that is not usable has none, and leaves none behind.

    Args:
        finder: looks for structures.
        judge: decides whether a frame may be used.
        clock: the clock that stamps the frames of a source that runs live; None for stills and for recordings that are
            not played.
    """

    def __init__(self, finder: ContourFinder, judge: FrameJudge, clock: Clock | None = None) -> None:
        self._finder, self._judge, self._clock = finder, judge, clock

    def accept_geometry(self) -> None:
        """A person has seen that size or depth changed, and goes on with the new one."""
        self._judge.accept_geometry()

    def process(self, frame: UltrasoundFrame) -> FrameResult:
        """Judges one frame and finds its contours.

        Raises:
            EngineError: the engine cannot run.
        """
        contours: tuple[Contour, ...] = ()
        if frame.pixels is None:
            state, reason = MISSING, frame.missing
        else:
            judgement = self._judge.judge(frame.pixels, frame.capture_ns, frame.pixel_mm)
            state, reason = judgement.state.value, judgement.reason
            if state == USABLE:
                contours = self._finder.find(frame.pixels, frame.capture_ns)
        if state != USABLE:
            self._finder.forget()
        return FrameResult(
            sequence=frame.sequence,
            capture_ns=frame.capture_ns,
            finished_ns=None if self._clock is None else self._clock.now_ns(),
            state=state,
            reason=reason,
            contours=contours,
            pixels=frame.pixels,
            source_ns=frame.source_ns,
            pixel_mm=frame.pixel_mm,
            poses=frame.poses,
            label=frame.label,
        )
