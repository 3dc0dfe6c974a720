"""A surface's normals averaged over discs, so that facets and ripples do not count as shape.

The averages are computed once, at sites some mm apart, and looked up at the nearest site. The exact position of the
site does not matter: the mean over a slightly shifted disc is as smooth, and on a cylinder or a sphere as degenerate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array
from scipy.spatial import cKDTree

from geometry.points import Floats

# Number of sites per radius along the surface.
SITES_PER_RADIUS = 3.0
# Length of the mean of two perpendicular normals, as at the edge of a box.
SHORTEST_MEAN = 0.7


@dataclass(frozen=True, eq=False)
class NormalTrend:
    """Sums of normals and of their moments within `radius_mm`, at k sites spread over a surface.

    Attributes:
        radius_mm: radius of the disc.
        centres_mm: positions of the sites, ``(k, 3)``, in the surface's frame.
        facing: unit normals of the sites, ``(k, 3)``; two sheets back to back have separate sites.
        sums: sums of the lines ``(n, p x n)`` within the radius, without those facing away, ``(k, 6)``.
        counts: numbers of summed lines, ``(k,)``.
    """

    radius_mm: float
    centres_mm: Floats
    facing: Floats
    sums: Floats
    counts: Floats

    @classmethod
    def of(cls, points_mm: Floats, normals: Floats, radius_mm: float) -> NormalTrend:
        """Makes the trend from points ``(n, 3)`` spread over the surface and the unit normals there ``(n, 3)``."""
        centres_mm, lines, sizes = _cells(points_mm, normals, radius_mm / SITES_PER_RADIUS)
        facing = lines[:, :3] / np.maximum(np.linalg.norm(lines[:, :3], axis=1, keepdims=True), 1e-12)
        pairs = cKDTree(centres_mm).query_pairs(radius_mm, output_type="ndarray")
        own = np.arange(len(centres_mm))
        rows, columns = np.hstack([pairs.T, pairs[:, ::-1].T, np.stack([own, own])])
        together = np.einsum("nj,nj->n", facing[rows], facing[columns]) > 0.0
        rows, columns = rows[together], columns[together]
        near = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(own), len(own))).tocsr()
        return cls(radius_mm, centres_mm, facing, near @ lines, near @ sizes)

    def lines(self, feet_mm: Floats, normals: Floats) -> Floats:
        """Mean lines ``(n, 6)`` around feet ``(n, 3)`` with unit normals ``(n, 3)``.

        The foot's own line is added once: it is the only one where the nearest site is farther than two radii.
        """
        away, nearest = self._sites.query(np.hstack([feet_mm, self.radius_mm * normals]))
        known = (away <= 2.0 * self.radius_mm)[:, None]
        sums = np.hstack([normals, np.cross(feet_mm, normals)]) + np.where(known, self.sums[nearest], 0.0)
        means: Floats = sums / (1.0 + np.where(known, self.counts[nearest][:, None], 0.0))
        # On a curved surface the mean of unit normals is shorter than 1, which is no lack of information: it is scaled
        # to 1. Where it is much shorter, as at a rim, there is no common direction, and the mean stays shorter.
        return means / np.maximum(np.linalg.norm(means[:, :3], axis=1, keepdims=True), SHORTEST_MEAN)

    @cached_property
    def _sites(self) -> cKDTree:
        # Normals are part of the key, so that a site of the opposite sheet is two radii farther away.
        return cKDTree(np.hstack([self.centres_mm, self.radius_mm * self.facing]))


def _cells(points_mm: Floats, normals: Floats, edge_mm: float) -> tuple[Floats, Floats, Floats]:
    """Groups points by cube and by octant of their normal: centres, sums of lines, and counts of the groups."""
    cubes = np.floor((points_mm - points_mm.min(axis=0)) / edge_mm).astype(np.int64)
    octants = (normals > 0.0) @ np.array([1, 2, 4])
    keys = np.ravel_multi_index((*cubes.T, octants), (*(cubes.max(axis=0) + 1), 8))
    _, cell = np.unique(keys, return_inverse=True)
    sizes = np.bincount(cell).astype(np.float64)
    columns = (*points_mm.T, *normals.T, *np.cross(points_mm, normals).T)
    sums: Floats = np.column_stack([np.bincount(cell, column) for column in columns]).astype(np.float64)
    return sums[:, :3] / sizes[:, None], sums[:, 3:], sizes
