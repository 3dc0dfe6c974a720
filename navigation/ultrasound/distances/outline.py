"""A contour as a flat shape: points along its line and in its area, and its nearest point to one beside the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats

# Between points along a line. A smooth distance is off by its square over eight times the radius of curvature: 0.03 mm
# at 1 mm. In an area they are farther apart where it is large: what is deep in a structure is that deep all the same.
STEP_MM, MOST_IN_AREA = 0.5, 400


@dataclass(frozen=True, eq=False)
class Nearest:
    """The point of a shape that is nearest to a given one.

    Attributes:
        px: where it is, ``(2,)``.
        away_mm: from there to the given point, ``(3,)``.
        is_above: whether the given point lies above or below the shape's area, along the image's normal.
    """

    px: Floats
    away_mm: Floats
    is_above: bool


def points_along_px(points_px: Floats, *, closed: bool, pixel_mm: float) -> Floats:
    """All vertices ``(n, 2)`` and points between them, at most `STEP_MM` apart, ``(m, 2)``."""
    ends = np.roll(points_px, -1, axis=0) if closed else np.concatenate([points_px[1:], points_px[-1:]])
    gaps_mm = np.linalg.norm(ends - points_px, axis=1) * pixel_mm
    counts = np.maximum(1, np.ceil(gaps_mm / STEP_MM).astype(int))
    first = np.repeat(np.arange(len(points_px)), counts)
    share = (np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)) / counts[first]
    along: Floats = points_px[first] + share[:, None] * (ends - points_px)[first]
    return along


def points_within_px(points_px: Floats, pixel_mm: float) -> Floats:
    """Points on a grid in the area of a closed contour, ``(m, 2)``: none where it is smaller than a step."""
    low, high = points_px.min(axis=0), points_px.max(axis=0)
    step_px = max(STEP_MM / pixel_mm, float(np.sqrt(np.prod(high - low) / MOST_IN_AREA)))
    across, down = (np.arange(a + step_px / 2.0, b, step_px) for a, b in zip(low, high, strict=True))
    grid = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
    return grid[is_within(grid, points_px)]


def is_within(points_px: Floats, outline_px: Floats) -> NDArray[np.bool_]:
    """Whether points ``(m, 2)`` lie in the area of a closed contour ``(n, 2)``, ``(m,)``: a ray leaves it as often, and
    once more, as it comes in."""
    x, y = points_px[:, :1], points_px[:, 1:]
    (x0, y0), (x1, y1) = outline_px.T, np.roll(outline_px, -1, axis=0).T
    crosses = (y0 > y) != (y1 > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        right = x < x0 + (y - y0) / (y1 - y0) * (x1 - x0)
    odd: NDArray[np.bool_] = (crosses & right).sum(axis=1) % 2 == 1
    return odd


def nearest(points_px: Floats, *, closed: bool, image_px_to_mm: Floats, point_mm: Floats) -> Nearest:
    """The nearest point of a contour, or of its area if it is closed, exactly.

    Args:
        points_px: vertices ``(n, 2)``.
        image_px_to_mm: ``(4, 4)`` from ``(x px, y px, z, 1)``, z along the image's normal.
        point_mm: the given point ``(3,)``, in the frame that `image_px_to_mm` leads to.
    """
    foot_px = np.linalg.solve(image_px_to_mm, np.append(point_mm, 1.0))[:2]
    if closed and is_within(foot_px[None], points_px)[0]:
        return Nearest(foot_px, point_mm - _placed(image_px_to_mm, foot_px[None])[0], is_above=True)
    starts = points_px if closed or len(points_px) < 2 else points_px[:-1]
    ends = np.roll(points_px, -1, axis=0)[: len(starts)]
    starts_mm, ends_mm = _placed(image_px_to_mm, starts), _placed(image_px_to_mm, ends)
    along = ends_mm - starts_mm
    squared = np.maximum(np.einsum("ni,ni->n", along, along), 1e-18)
    share = np.clip(np.einsum("ni,ni->n", point_mm - starts_mm, along) / squared, 0.0, 1.0)
    away_mm = point_mm - starts_mm - share[:, None] * along
    best = int(np.einsum("ni,ni->n", away_mm, away_mm).argmin())
    return Nearest(starts[best] + share[best] * (ends - starts)[best], away_mm[best], is_above=False)


def _placed(image_px_to_mm: Floats, points_px: Floats) -> Floats:
    placed: Floats = points_px @ image_px_to_mm[:3, :2].T + image_px_to_mm[:3, 3]
    return placed
