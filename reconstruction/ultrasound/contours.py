"""The outlines of what a network found in one frame, with sub-pixel vertices in the frame's own pixels."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.points import Floats, Singles
from reconstruction.network.letterbox import Letterbox

# Of the network's grid. Smaller islands come and go with the speckle, and no structure it was trained on is so small.
MIN_AREA_SHARE = 0.0005


@dataclass(frozen=True, eq=False)
class Contour:
    """One outline of one structure.

    Attributes:
        structure: its name.
        points_px: vertices ``(n, 2)``, x along a row and y down the depth, in pixels of the frame; the centre of the
            upper left pixel is (0, 0). The first is not repeated at the end.
        closed: whether the last vertex joins the first; an outline that leaves the frame runs along its border.
        confidence: mean calibrated probability of the structure inside, 0 to 1; None from a method that has none.
        area_px2: area inside, in pixels of the frame; 0 for an open line.
    """

    structure: str
    points_px: Floats
    closed: bool
    confidence: float | None
    area_px2: float


def find_contours(probabilities: Singles, placement: Letterbox, classes: tuple[str, ...]) -> tuple[Contour, ...]:
    """Outlines of the regions where a structure is the likeliest class, the largest first.

    Holes are filled, since vessels and nerves have none. The vertices lie where the structure's probability equals that
    of the likeliest other class, by linear interpolation between pixels (marching squares).

    Args:
        probabilities: of each class on the network's grid ``(c, H, W)``.
        placement: where the frame lies on the grid.
        classes: names by index, the background first.
    """
    (r, c), (h, w) = placement.first, placement.inner
    inner = probabilities[:, r : r + h, c : c + w]
    scale_px2 = np.prod(placement.frame) / (h * w)
    found = []
    for index in range(1, len(classes)):
        # Beyond the frame there is nothing; the outline of what reaches its border closes along it.
        margins = np.pad(_margins(inner, index), 1, constant_values=-1e-3)
        for region, (top, left) in _islands(margins > 0, MIN_AREA_SHARE * np.prod(placement.grid)):
            at = (slice(top, top + region.shape[0]), slice(left, left + region.shape[1]))
            points = _outline(margins[at], region)
            points_rc = placement.points_to_frame(points + (top - 1 + r, left - 1 + c))
            limits = np.array(placement.frame) - 1
            found.append(
                Contour(
                    structure=classes[index],
                    points_px=np.clip(points_rc, 0, limits)[:, ::-1],
                    closed=True,
                    confidence=_mean_inside(inner[index], region, (top, left)),
                    area_px2=float(region.sum() * scale_px2),
                )
            )
    return tuple(sorted(found, key=lambda contour: -contour.area_px2))


def _islands(mask: NDArray[np.bool_], smallest: float) -> list[tuple[NDArray[np.bool_], tuple[int, int]]]:
    """Connected regions of at least that many pixels, each in its box, and the box's first row and column.

    The box has one pixel more on each side, for the values that the outline lies between.
    """
    with from_extra("ultrasound"):
        import cv2

    if not mask.any():
        return []
    # Most of a frame is background; only the part that is not is searched.
    (first, last), (leftmost, rightmost) = (np.flatnonzero(mask.any(axis=axis))[[0, -1]] for axis in (1, 0))
    part = mask[first - 1 : last + 2, leftmost - 1 : rightmost + 2]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(part.view(np.uint8), connectivity=4)
    found = []
    for number in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[number])
        if area >= smallest:
            box = labels[top - 1 : top + height + 1, left - 1 : left + width + 1]
            found.append((box == number, (int(first) + top - 2, int(leftmost) + left - 2)))
    return found


def _mean_inside(probability: Singles, region: NDArray[np.bool_], corner: tuple[int, int]) -> float:
    """Mean of a probability over a region, whose box has its upper left corner there, one pixel beyond the image."""
    inside = region[1:-1, 1:-1]
    top, left = corner
    return float(probability[top : top + inside.shape[0], left : left + inside.shape[1]][inside].mean())


def _margins(probabilities: Singles, index: int) -> Singles:
    """How much likelier a class is than the likeliest other one; negative where it is not."""
    others = functools.reduce(np.maximum, [p for other, p in enumerate(probabilities) if other != index])
    return np.asarray(probabilities[index] - others, np.float32)


def _outline(margin: Singles, region: NDArray[np.bool_]) -> Floats:
    """The outer outline of one region, ``(n, 2)`` row and column of its box."""
    with from_extra("ultrasound"):
        import contourpy

    # Beside the region the margin is made negative, so that neighbours of the same class do not join it.
    field = np.where(region, np.maximum(margin, 1e-6), np.minimum(margin, -1e-6))
    lines = contourpy.contour_generator(z=field, line_type=contourpy.LineType.Separate).lines(0.0)
    longest = max((np.asarray(line) for line in lines), key=len)
    return np.asarray(longest[:-1, ::-1], np.float64)
