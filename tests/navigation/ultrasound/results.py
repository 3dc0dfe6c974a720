"""Made frames and results of the ultrasound process."""

from __future__ import annotations

import numpy as np

from navigation.ultrasound.pipeline import USABLE, FrameResult
from reconstruction.ultrasound.contours import Contour

MS = 1_000_000
SQUARE = np.array([[20.0, 30.0], [60.0, 30.0], [60.0, 50.0], [20.0, 50.0]])


def vessel(points_px: np.ndarray = SQUARE) -> Contour:
    return Contour("vessel", points_px, closed=True, confidence=0.875, area_px2=800.0)


def pixels(grey: int = 90, size: tuple[int, int] = (100, 120)) -> np.ndarray:
    return np.full(size, grey, np.uint8)


def result(sequence: int, capture_ns: int, state: str = USABLE, reason: str = "", **more: object) -> FrameResult:
    """One frame with one vessel; the contours were ready 10 ms after the capture."""
    fields: dict[str, object] = {
        "sequence": sequence,
        "capture_ns": capture_ns,
        "finished_ns": capture_ns + 10 * MS,
        "state": state,
        "reason": reason,
        "contours": (vessel(),) if state == USABLE else (),
        "pixels": pixels(),
        **more,
    }
    return FrameResult(**fields)  # type: ignore[arg-type]
