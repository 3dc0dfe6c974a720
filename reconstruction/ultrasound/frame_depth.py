"""Whether the scanner's depth was changed, as the picture shows it: the same tissue at another scale from one frame on.

A changed depth zooms the picture about the transducer, rows and columns alike, from one frame to the next; tissue and
probe never do. Each frame is compared with the one before, zoomed by steps from half to twice, by normalised
cross-correlation after brightness and contrast are made even. A zoom counts if it explains the new frame far better
than the frame before as it is, and than that frame shifted: a lone reflector that moves looks like a zoom as well.

What it cannot see: a change by less than a tenth, and one that comes while the probe is lifted, or together with
another picture. Frames with hardly anything in them, such as wires in water, are passed over.
"""

from __future__ import annotations

import numpy as np

from geometry.extras import from_extra
from geometry.points import Singles

STEP = 2.0 ** (1 / 12)
STEPS = 12  # up and down: half and twice
SMALLEST = 2  # steps that count; one is what pressing with the probe can do
SAME = 0.7  # correlation over which the scale is not asked for: live neighbours 0.85 and more
LIKE = 0.4  # correlation that a zoom must reach
BETTER = 0.2  # and how much more it must explain
EVEN = 15  # grid points over which brightness and contrast are made even
QUIET_GREY = 6.0  # contrast under which nothing is amplified
SHIFT = 12  # grid points
BLACK_GREY, FEWEST_LIT = 6.0, 0.1  # share of the grid that must be brighter


class DepthWatch:
    """Follows the scale of the picture from frame to frame.

    Attributes:
        steps: of `STEP`, by which the picture is larger than at the beginning, or than when it was last accepted.
    """

    def __init__(self) -> None:
        self.steps = 0
        self._before: Singles | None = None

    @property
    def scale(self) -> float:
        """How much larger the picture is; over 1 the depth is smaller than it was."""
        return STEP**self.steps

    @property
    def changed(self) -> bool:
        """Whether the scale is another; a step is within the error of there and back."""
        return abs(self.steps) >= SMALLEST

    def follow(self, grid: Singles) -> None:
        """Takes the next frame in contact, on a grid ``(rows, columns)`` of grey values."""
        lit = grid > BLACK_GREY
        if lit.mean() < FEWEST_LIT:
            return
        # The transducer's row: the first that is not black in a tenth of its columns.
        first_row = int((lit.mean(axis=1) > FEWEST_LIT).argmax())
        now = _even(grid)
        if self._before is not None:
            self.steps += _zoom_between(self._before, now, first_row)
        self._before = now


def _zoom_between(before: Singles, now: Singles, first_row: int) -> int:
    """Steps by which the picture was zoomed about the middle of its first row; 0 if nothing says that it was."""
    unzoomed = _correlation(before, now)
    if unzoomed > SAME:
        return 0

    def explained(step: int) -> float:
        return _zoomed_correlation(before, now, STEP**step, first_row)

    coarse = max((step for step in range(-STEPS, STEPS + 1, 2) if step), key=explained)
    best = max((step for step in (coarse - 1, coarse, coarse + 1) if abs(step) >= SMALLEST), key=explained)
    if explained(best) < max(LIKE, unzoomed + BETTER, _shifted_correlation(before, now) + BETTER):
        return 0
    return best


def _even(grid: Singles) -> Singles:
    with from_extra("ultrasound"):
        import cv2

    grid = cv2.GaussianBlur(grid, (0, 0), 0.8).astype(np.float32, copy=False)
    local = grid - cv2.blur(grid, (EVEN, EVEN))
    return (local / (np.sqrt(np.maximum(cv2.blur(local * local, (EVEN, EVEN)), 0.0)) + QUIET_GREY)).astype(np.float32)


def _zoomed_correlation(before: Singles, now: Singles, zoom: float, first_row: int) -> float:
    """Correlation where both frames show something: a smaller picture leaves its surroundings unknown."""
    with from_extra("ultrasound"):
        import cv2

    rows, columns = before.shape
    middle = (columns - 1) / 2
    matrix = np.array([[zoom, 0.0, (1 - zoom) * middle], [0.0, zoom, (1 - zoom) * first_row]])
    zoomed: Singles = cv2.warpAffine(before, matrix, (columns, rows)).astype(np.float32, copy=False)
    inside = min(zoom, 1.0)
    last = round(first_row + inside * (rows - first_row))
    left = int(np.ceil((1 - inside) * middle))
    there = (slice(0, last), slice(left, columns - left))
    return _correlation(zoomed[there], now[there])


def _shifted_correlation(before: Singles, now: Singles) -> float:
    """The largest correlation of the frame before, shifted in any direction."""
    with from_extra("ultrasound"):
        import cv2

    inner = before[SHIFT:-SHIFT, SHIFT // 2 : -SHIFT // 2]
    return float(np.nan_to_num(cv2.matchTemplate(now, np.ascontiguousarray(inner), cv2.TM_CCOEFF_NORMED)).max())


def _correlation(a: Singles, b: Singles) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (np.sqrt(float((a * a).sum()) * float((b * b).sum())) + 1e-3))
