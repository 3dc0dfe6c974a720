"""Steadies what a network says from frame to frame, without delay.

The scores of earlier frames are moved along with the picture by dense optical flow (DIS: Kroeger et al., ECCV 2016) and
mixed with the new ones, pixel by pixel, as far as the moved picture still looks like the new one. Where the picture
changed, the new frame alone counts. So noise is averaged over time, and a structure that moves is not trailed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from geometry.extras import from_extra
from geometry.points import Singles
from reconstruction.ultrasound.segment import SegmentedFrame


@dataclass(frozen=True, kw_only=True)
class SteadySettings:
    """How much of the past is kept.

    Attributes:
        most_kept: share of the earlier scores where the picture did not change, 0 to 1. White noise falls to
            ``sqrt((1 - s) / (1 + s))`` of itself.
        alike_grey: grey values by which the moved picture may differ; at this difference 37 % of the share is left.
        longest_gap_ns: after a longer pause nothing is kept.
    """

    most_kept: float = 0.75
    alike_grey: float = 12.0
    longest_gap_ns: int = 250_000_000


class SteadyScores:
    """Keeps the scores of the past and mixes new ones with them."""

    def __init__(self, settings: SteadySettings | None = None) -> None:
        with from_extra("ultrasound"):
            import cv2

        self._settings = settings or SteadySettings()
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._last: SegmentedFrame | None = None
        self._last_ns = 0

    def reset(self) -> None:
        """Forgets the past: after a frame that was not used, nothing of it may show."""
        self._last = None

    def step(self, frame: SegmentedFrame, time_ns: int) -> SegmentedFrame:
        """The frame with steadied scores; the first one, and one of another size, as it is."""
        last, gap_ns = self._last, time_ns - self._last_ns
        if last is not None and last.placement == frame.placement and 0 < gap_ns <= self._settings.longest_gap_ns:
            frame = replace(frame, scores=self._mixed(last, frame))
        self._last, self._last_ns = frame, time_ns
        return frame

    def _mixed(self, last: SegmentedFrame, frame: SegmentedFrame) -> Singles:
        with from_extra("ultrasound"):
            import cv2

        h, w = frame.grey.shape
        half = (w // 2, h // 2)
        greys = (frame.grey, last.grey)
        new, old = (np.asarray(cv2.resize(grey, half, interpolation=cv2.INTER_AREA), np.float32) for grey in greys)
        start = np.zeros((*new.shape, 2), np.float32)
        flow = np.asarray(self._flow.calc(new.astype(np.uint8), old.astype(np.uint8), start), np.float32)
        difference = cv2.blur(np.abs(new - _moved(old, flow)), (5, 5))
        alike = np.float32(self._settings.most_kept) * np.exp(-np.square(difference / self._settings.alike_grey))
        kept = cv2.resize(alike, (w, h), interpolation=cv2.INTER_LINEAR)
        past = _moved(last.scores, cv2.resize(flow, (w, h), interpolation=cv2.INTER_LINEAR) * np.float32(2))
        return np.asarray(frame.scores + kept * (past - frame.scores), np.float32)


def _moved(values: Singles, came_from: Singles) -> Singles:
    """Values ``(h, w)`` or ``(c, h, w)`` where they are now; `came_from` ``(h, w, 2)`` leads back, x and y in px."""
    with from_extra("ultrasound"):
        import cv2

    h, w = came_from.shape[:2]
    x = came_from[..., 0] + np.arange(w, dtype=np.float32)
    y = came_from[..., 1] + np.arange(h, dtype=np.float32)[:, None]
    channels = values.reshape(-1, h, w)
    moved = [cv2.remap(each, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for each in channels]
    return np.asarray(np.stack(moved).reshape(values.shape), np.float32)
