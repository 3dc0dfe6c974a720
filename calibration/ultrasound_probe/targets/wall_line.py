"""The line of a wall in an ultrasound image: a membrane, or the bottom of a water tank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from geometry.points import Floats

# Neighbouring columns show the same echo: every so many carries all that is known.
_COLUMN_STEP = 4
# Echoes of a column that may be the wall's: the brightest is often the wall's echo of an echo, or a bubble.
_ECHOES = 3
# Two echoes of a column are at least this far apart, and an echo is smoothed over so many rows.
_APART_PX, _SMOOTH_PX = 12, 5
_TRIES, _STEEPEST = 200, 1.5


@dataclass(frozen=True, kw_only=True)
class WallLineSettings:
    """What passes for a wall.

    Attributes:
        near_px: an echo this near to the line belongs to it.
        least_share: share of the image's columns in which the wall must be seen.
        least_agreeing: share of the columns with an echo, over the line's length, that must agree with it.
        least_contrast: an echo is this many times as bright as its column is on average.
    """

    near_px: float = 4.0
    least_share: float = 0.15
    least_agreeing: float = 0.6
    least_contrast: float = 3.0


@dataclass(frozen=True, eq=False)
class WallLine:
    """A wall as it is seen.

    Attributes:
        ends_px: where the line begins and ends, ``(2, 2)`` in px, the end at the left first.
        share: of the image's columns in which it was seen, 0 to 1.
        scatter_px: RMS distance of its echoes from it, down the columns.
    """

    ends_px: Floats
    share: float
    scatter_px: float


def find_wall_line(image: NDArray[Any], settings: WallLineSettings | None = None) -> WallLine | None:
    """Finds the wall's line in a grey image ``(h, w)``, row 0 at the transducer; None where there is none.

    The near edge of an echo counts, where it is half as bright as at its peak: behind it the pulse rings on, and the
    more, the more the wall is tilted. Of lines that columns agree on, the one with most light wins.
    """
    settings = settings or WallLineSettings()
    columns = np.arange(_COLUMN_STEP // 2, image.shape[1], _COLUMN_STEP)
    grey = uniform_filter1d(image[:, columns].astype(np.float32), _SMOOTH_PX, axis=0)
    x, y, light = _echoes(grey, columns, settings)
    if len(np.unique(x)) < settings.least_share * len(columns):
        return None
    near = _most_light(x, y, light, settings)
    for _ in range(3):
        if len(np.unique(x[near])) < settings.least_share * len(columns):
            return None
        slope, height = np.polyfit(x[near], y[near], 1)
        near = np.abs(y - slope * x - height) < settings.near_px
    seen = np.unique(x[near])
    within = np.unique(x[(x >= seen.min()) & (x <= seen.max())])
    if len(seen) < settings.least_share * len(columns) or len(seen) < settings.least_agreeing * len(within):
        return None
    ends = np.array([seen.min(), seen.max()])
    scatter = float(np.sqrt(np.mean((y[near] - slope * x[near] - height) ** 2)))
    return WallLine(np.column_stack([ends, slope * ends + height]), len(seen) / len(columns), scatter)


def _echoes(grey: NDArray[Any], columns: NDArray[Any], settings: WallLineSettings) -> tuple[Floats, Floats, Floats]:
    """The brightest echoes of each column: x, the row of their near edge, and their light, each ``(m,)``."""
    left, means = grey.copy(), grey.mean(axis=0)
    brightest = float(np.percentile(grey.max(axis=0), 98))
    rows = np.arange(len(grey))[:, None]
    found = []
    for _ in range(_ECHOES):
        peak_rows = left.argmax(axis=0)
        peaks = left[peak_rows, np.arange(len(columns))]
        bright = (peaks > settings.least_contrast * means) & (peaks > 0.15 * brightest) & (peaks > 4.0)
        found.append((columns[bright], _near_edges(grey[:, bright], peak_rows[bright], peaks[bright]), peaks[bright]))
        left[np.abs(rows - peak_rows) < _APART_PX] = 0.0
    x, y, light = (np.concatenate(parts).astype(np.float64) for parts in zip(*found, strict=True))
    return x, y, light


def _near_edges(grey: NDArray[Any], rows: NDArray[Any], peaks: NDArray[Any]) -> Floats:
    """Rows above a peak where the light rises through half of it, between two rows by their light."""
    above = np.arange(len(grey))[:, None] <= rows
    dark = above & (grey < 0.5 * peaks)
    last = np.where(dark.any(axis=0), len(grey) - 1 - dark[::-1].argmax(axis=0), 0)
    column = np.arange(len(rows))
    low, high = grey[last, column], grey[np.minimum(last + 1, len(grey) - 1), column]
    edges: Floats = last + np.clip((0.5 * peaks - low) / np.maximum(high - low, 1e-6), 0.0, 1.0)
    return edges


def _most_light(x: Floats, y: Floats, light: Floats, settings: WallLineSettings) -> NDArray[np.bool_]:
    """Which echoes are near the best of many lines through two of them, chosen by their light."""
    rng = np.random.default_rng(0)
    pairs = rng.choice(len(x), (_TRIES, 2), p=light / light.sum())
    run = x[pairs[:, 1]] - x[pairs[:, 0]]
    usable = np.abs(run) > 0.1 * np.ptp(x)
    slopes = np.where(usable, (y[pairs[:, 1]] - y[pairs[:, 0]]) / np.where(usable, run, 1.0), np.inf)
    usable &= np.abs(slopes) < _STEEPEST
    slopes = np.where(usable, slopes, 0.0)
    heights = y[pairs[:, 0]] - slopes * x[pairs[:, 0]]
    near = np.abs(y - slopes[:, None] * x - heights[:, None]) < settings.near_px
    light_of = np.where(usable, near @ light, 0.0)
    best: NDArray[np.bool_] = near[int(np.argmax(light_of))]
    return best
