"""Whether an ultrasound frame may be segmented and its contours drawn, and if not, why.

The judge fails closed: it names what is wrong with a frame, and one bad frame hides its own contour at once. Nothing
has to be waited for when the frames are good again, except that a changed geometry stays until it is back or a person
accepts the new one: contours would be in pixels of another size.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from reconstruction.ultrasound.frame_contact import on_grid, share_in_air
from reconstruction.ultrasound.frame_depth import DepthWatch
from reconstruction.ultrasound.frame_familiarity import Familiarity

GreyPixels = NDArray[np.uint8]

SMALLEST_SIDE = 64  # px
NEAR_GREY = 8  # grey levels that video noise and a scanner's floor stay within
FLAT_SHARE = 0.999  # of the pixels near the commonest grey value; wires in water 0.997, the darkest of 204 nerves 0.78
# Two pictures are the same if hardly any pixel changed: a clock or a cursor over a frozen picture, and the noise of
# lossy video, are no new picture. Of recorded live neighbours, at least 16 % changed.
SAME_GREY, SAME_SHARE = 2, 0.02


class FrameState(StrEnum):
    """What a frame is. Only the first may be segmented."""

    USABLE = "usable"
    BLACK = "black"
    NO_CONTACT = "no contact"
    FROZEN = "frozen"
    SIZE_CHANGED = "size changed"
    DEPTH_CHANGED = "depth changed"
    UNFAMILIAR = "unfamiliar"


@dataclass(frozen=True)
class FrameJudgement:
    """The state of one frame, and the reason in words and numbers; empty exactly if the frame is usable."""

    state: FrameState
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class FrameJudgeSettings:
    """What a judge bears.

    Attributes:
        frozen_after_ns: how long the same picture may come again; grabbers that are faster than the scanner repeat
            pictures for tens of milliseconds.
        air_share: share of the columns without contact from which the frame shows none.
    """

    frozen_after_ns: int = 250_000_000
    air_share: float = 0.5


class FrameJudge:
    """Judges the frames of one run in the order in which they come.

    Frames without a time are stills. Each is judged by itself: it is never frozen, and has no size or depth to keep.

    Args:
        familiarity: of the frames that the network was trained on; with None, no frame is unfamiliar.
    """

    def __init__(self, familiarity: Familiarity | None, settings: FrameJudgeSettings | None = None) -> None:
        self._familiarity = familiarity
        self._settings = settings or FrameJudgeSettings()
        self._size: tuple[int, int] | None = None
        self._pixel_mm: tuple[float, float] | None = None
        self._depth = DepthWatch()
        self._same: GreyPixels | None = None
        self._same_since_ns = 0

    def accept_geometry(self) -> None:
        """A person says that the size and the depth of the picture are right as they now are."""
        self._size = self._pixel_mm = None
        self._depth.steps = 0

    def judge(
        self, pixels: GreyPixels, time_ns: int | None, pixel_mm: tuple[float, float] | None = None
    ) -> FrameJudgement:
        """Judges the next frame.

        Args:
            pixels: grey values ``(h, w)``, the transducer at row 0. Anything else is unfamiliar, and does not raise.
            time_ns: time of capture on a clock that does not go back; None for a still.
            pixel_mm: size of a pixel as the source states it; None if it does not.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 2 or min(pixels.shape) < SMALLEST_SIDE:
            return FrameJudgement(
                FrameState.UNFAMILIAR,
                f"{pixels.dtype} of shape {pixels.shape}; expected 8-bit grey, {SMALLEST_SIDE} px a side or more",
            )
        flat, frozen = self._black(pixels), self._frozen(pixels, time_ns)
        found = flat or frozen
        if time_ns is not None:
            found = found or self._geometry(pixels, pixel_mm)
        found = found or self._in_contact(pixels, time_ns is not None) or self._unfamiliar(pixels)
        if found is None and time_ns is not None and self._size is None:
            self._size, self._pixel_mm = (pixels.shape[0], pixels.shape[1]), pixel_mm
        return found or FrameJudgement(FrameState.USABLE)

    def _black(self, pixels: GreyPixels) -> FrameJudgement | None:
        with from_extra("ultrasound"):
            import cv2

        counts = cv2.calcHist([pixels], [0], None, [256], [0, 256]).ravel()
        grey = int(counts.argmax())
        share = float(counts[max(grey - NEAR_GREY, 0) : grey + NEAR_GREY + 1].sum() / pixels.size)
        if share < FLAT_SHARE:
            return None
        return FrameJudgement(FrameState.BLACK, f"{share:.1%} of the picture is one grey value, {grey}")

    def _frozen(self, pixels: GreyPixels, time_ns: int | None) -> FrameJudgement | None:
        if time_ns is None:
            self._same = None
            return None
        if self._same is None or time_ns < self._same_since_ns or not _same_picture(self._same, pixels):
            # A copy, because a grabber may write its next frame into the same memory.
            if self._same is None or self._same.shape != pixels.shape:
                self._same = np.empty_like(pixels)
            np.copyto(self._same, pixels)
            self._same_since_ns = time_ns
            return None
        for_ns = time_ns - self._same_since_ns
        if for_ns <= self._settings.frozen_after_ns:
            return None
        return FrameJudgement(FrameState.FROZEN, f"the same picture for {for_ns / 1e6:.0f} ms")

    def _geometry(self, pixels: GreyPixels, pixel_mm: tuple[float, float] | None) -> FrameJudgement | None:
        if self._size is None:
            return None
        height, width = pixels.shape
        if (height, width) != self._size:
            return FrameJudgement(
                FrameState.SIZE_CHANGED,
                f"{width}x{height} px; the run began with {self._size[1]}x{self._size[0]} px",
            )
        if _differs(pixel_mm, self._pixel_mm):
            return FrameJudgement(
                FrameState.DEPTH_CHANGED,
                f"a pixel is {_in_words(pixel_mm)}; when the run began, {_in_words(self._pixel_mm)}",
            )
        return None

    def _in_contact(self, pixels: GreyPixels, in_time: bool) -> FrameJudgement | None:
        """Contact, and where there is some, the depth that the picture shows."""
        grid = on_grid(pixels)
        share = share_in_air(grid)
        if share >= self._settings.air_share:
            return FrameJudgement(
                FrameState.NO_CONTACT, f"{share:.0%} of the columns show only the transducer itself: lifted, or no gel"
            )
        if not in_time:
            return None
        self._depth.follow(grid)
        if self._size is None:
            self._depth.steps = 0
        if not self._depth.changed:
            return None
        return FrameJudgement(
            FrameState.DEPTH_CHANGED, f"the picture is {self._depth.scale:.2f} times as large as when the run began"
        )

    def _unfamiliar(self, pixels: GreyPixels) -> FrameJudgement | None:
        if self._familiarity is None:
            return None
        distance, unusual = self._familiarity.distance(pixels)
        if distance <= self._familiarity.limit:
            return None
        return FrameJudgement(
            FrameState.UNFAMILIAR,
            f"{distance:.1f} from the frames trained on, over {self._familiarity.limit:.1f}; most unusual: {unusual}",
        )


def _same_picture(before: GreyPixels, now: GreyPixels) -> bool:
    """Whether hardly any of the pixels that are not black changed."""
    with from_extra("ultrasound"):
        import cv2

    if before.shape != now.shape:
        return False
    changed = cv2.countNonZero(cv2.threshold(cv2.absdiff(before, now), SAME_GREY, 1, cv2.THRESH_BINARY)[1])
    lit = cv2.countNonZero(cv2.threshold(cv2.max(before, now), NEAR_GREY, 1, cv2.THRESH_BINARY)[1])
    return changed <= SAME_SHARE * lit


def _differs(now: tuple[float, float] | None, before: tuple[float, float] | None) -> bool:
    if now is None or before is None:
        return now is not before
    return not np.allclose(now, before, rtol=1e-3, atol=0.0)


def _in_words(pixel_mm: tuple[float, float] | None) -> str:
    return "of no stated size" if pixel_mm is None else f"{pixel_mm[0]:.4g} x {pixel_mm[1]:.4g} mm"
