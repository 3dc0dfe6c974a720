"""The bright line of a flat bottom, such as that of a water tank, in an ultrasound image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d

from geometry.points import Floats

_COLUMN_STEP = 4  # neighbouring columns see the same echo: a quarter of them carries all that is known
_HALF_ECHO_PX = 8
_NEAR_PX = 5.0


@dataclass(frozen=True)
class BottomLine:
    """A line through the image.

    Attributes:
        depth_px: its y at the image's middle column.
        slope: by how much y grows per px of x.
        share: of the image's columns in which it was seen, 0 to 1.
    """

    depth_px: float
    slope: float
    share: float


def find_bottom_line(image: np.ndarray, least_share: float = 0.15) -> BottomLine | None:
    """Finds the line in a grey image ``(h, w)``, row 0 at the transducer; None where there is none.

    In each column the brightest echo counts, with the centre of its brightness; the line goes where most columns agree,
    by L1 weights, then by least squares of those near it.
    """
    columns = np.arange(_COLUMN_STEP // 2, image.shape[1], _COLUMN_STEP)
    smooth = uniform_filter1d(image[:, columns].astype(np.float32), 5, axis=0)
    peaks = smooth.max(axis=0)
    bright = peaks > max(0.25 * float(np.percentile(peaks, 98)), 3.0 * float(smooth.mean()), 1.0)
    if bright.mean() < least_share:
        return None
    y = _centres(smooth[:, bright], smooth[:, bright].argmax(axis=0), peaks[bright])
    x = columns[bright] - 0.5 * (image.shape[1] - 1)
    slope, depth = _line(x, y)
    near = np.abs(slope * x + depth - y) < _NEAR_PX
    if near.mean() < 0.5 or near.sum() < least_share * len(columns):
        return None
    slope, depth = np.polyfit(x[near], y[near], 1)
    return BottomLine(float(depth), float(slope), float(near.sum() / len(columns)))


def _centres(smooth: np.ndarray, rows: np.ndarray, peaks: np.ndarray) -> Floats:
    """Centre of what is brighter than half the peak, about the brightest row of each column, ``(n,)`` in px."""
    offsets = np.arange(-_HALF_ECHO_PX, _HALF_ECHO_PX + 1)
    wanted = np.clip(rows + offsets[:, None], 0, len(smooth) - 1)
    weights = np.maximum(np.take_along_axis(smooth, wanted, axis=0) - 0.5 * peaks, 0.0).astype(np.float64)
    centres: Floats = (weights * wanted).sum(axis=0) / weights.sum(axis=0)
    return centres


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    weights = np.ones(len(x))
    slope, depth = 0.0, 0.0
    for _ in range(15):
        slope, depth = np.polyfit(x, y, 1, w=np.sqrt(weights))
        weights = 1.0 / np.maximum(np.abs(slope * x + depth - y), 1.0)
    return float(slope), float(depth)
