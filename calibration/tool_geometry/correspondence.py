"""Which observed point is which sphere: by triangles of the same sides, then by the whole layout laid over them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats

Indices = NDArray[np.int64]
# Hypotheses that are laid over the points at once; more come from clutter, and the best are among the first.
_MOST = 4000


@dataclass(frozen=True, eq=False)
class Match:
    """How a layout lies in a set of points.

    Attributes:
        point_of: for each sphere the index of its point, or -1, ``(n,)``.
        rotation, translation_mm: of the rigid motion from the layout to the points, ``(3, 3)`` and ``(3,)``.
        rms_mm: RMS distance of the matched points from their spheres.
    """

    point_of: Indices
    rotation: Floats
    translation_mm: Floats
    rms_mm: float

    @property
    def count(self) -> int:
        """Number of matched spheres."""
        return int((self.point_of >= 0).sum())

    def anew(self, layout_mm: Floats, points_mm: Floats) -> Match:
        """The same assignment, laid over the points again after the layout changed."""
        seen = self.point_of >= 0
        source, target = layout_mm[seen], points_mm[self.point_of[seen]]
        rotations, translations = rigid_fits(source[None], target[None])
        off = source @ rotations[0].T + translations[0] - target
        return Match(self.point_of, rotations[0], translations[0], float(np.sqrt(np.mean(np.sum(off**2, axis=1)))))

    def back(self, points_mm: Floats) -> Floats:
        """Points in the layout's frame, ``(k, 3)``."""
        return (points_mm - self.translation_mm) @ self.rotation


def rigid_fits(sources_mm: Floats, targets_mm: Floats) -> tuple[Floats, Floats]:
    """Rotations ``(h, 3, 3)`` and translations ``(h, 3)`` that lay ``(h, k, 3)`` sources over targets in least squares.

    Arun, Huang and Blostein, IEEE PAMI 9(5), 1987; mirror images are never among them (Umeyama, PAMI 13(4), 1991).
    """
    source, target = sources_mm.mean(axis=1), targets_mm.mean(axis=1)
    mixed = np.swapaxes(targets_mm - target[:, None], 1, 2) @ (sources_mm - source[:, None])
    u, _, vt = np.linalg.svd(mixed)
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    rotations = u @ vt
    return rotations, target - (rotations @ source[:, :, None])[:, :, 0]


def matches(layout_mm: Floats, points_mm: Floats, tolerance_mm: float) -> list[Match]:
    """Every way that three or more spheres of a layout lie in a set of points, the best first.

    Best is what matches most spheres, then with the smallest residual. Each way is another assignment.

    Args:
        layout_mm: spheres ``(n, 3)``.
        points_mm: ``(k, 3)``, in any order, some of them perhaps strays.
        tolerance_mm: how far a point may lie from its sphere.
    """
    if min(len(layout_mm), len(points_mm)) < 3:
        return []
    corners = np.array(list(permutations(range(len(layout_mm)), 3)))
    triangles = np.array(list(combinations(range(len(points_mm)), 3)))
    of_layout, of_points = _sides(layout_mm, corners), _sides(points_mm, triangles)
    apart = np.abs(of_layout[:, None] - of_points[None]).max(axis=2)
    first, second = np.nonzero(apart < 2.0 * tolerance_mm)
    if not len(first):
        return []
    if len(first) > _MOST:
        nearest = np.argpartition(apart[first, second], _MOST)[:_MOST]
        first, second = first[nearest], second[nearest]
    rotations, translations = rigid_fits(layout_mm[corners[first]], points_mm[triangles[second]])
    laid = layout_mm @ np.swapaxes(rotations, 1, 2) + translations[:, None]
    off = np.linalg.norm(laid[:, :, None] - points_mm, axis=3)
    near = off.argmin(axis=2)
    # A point belongs to the sphere that is nearest to it, and the other way round.
    mutual = np.take_along_axis(off.argmin(axis=1), near, axis=1) == np.arange(len(layout_mm))
    assigned = np.where(mutual & (off.min(axis=2) < 2.0 * tolerance_mm), near, -1)
    found = [_refined(layout_mm, points_mm, each, tolerance_mm) for each in np.unique(assigned, axis=0)]
    return sorted((each for each in found if each), key=lambda each: (-each.count, each.rms_mm))


def _sides(points_mm: Floats, triangles: Indices) -> Floats:
    corners = points_mm[triangles]
    return np.asarray(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2))


def _refined(layout_mm: Floats, points_mm: Floats, point_of: Indices, tolerance_mm: float) -> Match | None:
    """The least-squares fit of an assignment; None if one of its points is off by more than the tolerance."""
    seen = point_of >= 0
    if seen.sum() < 3:
        return None
    source, target = layout_mm[seen], points_mm[point_of[seen]]
    rotations, translations = rigid_fits(source[None], target[None])
    off = np.linalg.norm(source @ rotations[0].T + translations[0] - target, axis=1)
    if off.max() > tolerance_mm:
        return None
    return Match(point_of, rotations[0], translations[0], float(np.sqrt(np.mean(off**2))))
