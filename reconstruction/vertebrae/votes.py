"""Where the vertebrae are: every voxel points to its own vertebra's centroid, and the votes gather there.

The offsets of a network that is unsure are too short. So a vote is followed on: from where it lands to where the voxels
around there point. After a few steps it lies at the centroid even if every offset is a third too short (the idea of
Cellpose's flows, Stringer et al., Nat Methods 2021, and of the instance votes in Payer et al., VISAPP 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.points import Bools, Floats
from reconstruction.vertebrae.anatomy import REGION_VOLUME_ML
from reconstruction.vertebrae.evidence import SpineEvidence

STEPS = 4
SHRINKS = (
    0.5  # a step longer than this share of the one before leads into another vertebra (from the atlas to the dens)
)
NEIGHBOURS = 8  # voxels around a landing place that say where to go on
GATHERED_MM = 8.0  # votes this near to a centre are its own; half of the smallest distance of two centroids
SMALLEST_ML = 0.7  # of a vertebra that the edge of the scan cuts, less is noise
CELL_MM = 3.0


@dataclass(frozen=True, eq=False)
class Candidates:
    """Places where a vertebra may be, from the head down.

    Attributes:
        centres_mm: ``(m, 3)``.
        volumes_ml: what voted for each: ``(m,)``.
        regions: shares of cervical, thoracic and lumbar among those votes: ``(m, 3)``.
        cut: whether a voxel of it lies at the edge of the scan: ``(m,)``.
        owners: for each voxel of the evidence, the candidate that it voted for, or -1: ``(n,)``.
    """

    centres_mm: Floats
    volumes_ml: Floats
    regions: Floats
    cut: Bools
    owners: NDArray[np.intp]


def gather_votes(evidence: SpineEvidence, offsets_mm: NDArray[np.floating]) -> Candidates:
    """Follows all votes and finds where they gather; `offsets_mm` are those of the evidence."""
    from scipy.spatial import cKDTree

    landed = _followed(evidence, offsets_mm)
    weights = evidence.weights_ml
    centres = _peaks(landed, weights)
    tree = cKDTree(landed)
    for _ in range(3):
        if len(centres):
            near = tree.query_ball_point(centres, GATHERED_MM)
            centres = np.array([np.average(landed[rows], axis=0, weights=weights[rows]) for rows in near if rows])
            centres = _apart(centres, landed, weights)
    return candidates_of(evidence, centres, _owners(landed, centres))


def candidates_of(
    evidence: SpineEvidence, centres_mm: Floats, owners: NDArray[np.intp], nearest: NDArray[np.intp] | None = None
) -> Candidates:
    """Volume and regions of each centre, ordered from the head down; those too small are dropped.

    Args:
        evidence: what `owners` speaks of.
        centres_mm: ``(m, 3)``.
        owners: for each voxel the centre that it certainly belongs to, or -1.
        nearest: for each voxel the centre whose volume it counts to, where that is not the owner's.
    """
    count = len(centres_mm)
    regions = evidence.regions_at(evidence.voxels)
    counted = owners if nearest is None else nearest
    inside = counted >= 0
    volumes = np.asarray(np.bincount(counted[inside], evidence.weights_ml[inside], count), np.float64)
    shares = np.stack(
        [np.bincount(counted[inside], (evidence.weights_ml * regions[:, r])[inside], count) for r in range(3)], axis=1
    ) / np.maximum(volumes[:, None], 1e-9)
    at_edge = ((evidence.voxels == 0) | (evidence.voxels == np.array(evidence.grid.voxels.shape) - 1)).any(axis=1)
    cut = np.bincount(counted[inside & at_edge], minlength=count) > 0
    kept = np.flatnonzero(volumes >= SMALLEST_ML)
    order = kept[_along_the_spine(centres_mm[kept])]
    rank = np.full(count + 1, -1)
    rank[order] = np.arange(len(order))
    return Candidates(
        centres_mm[order].reshape(-1, 3), volumes[order], shares[order].reshape(-1, 3), cut[order], rank[owners]
    )


def _along_the_spine(centres_mm: Floats) -> NDArray[np.intp]:
    """Rows from the head down. Height alone would exchange neighbours where a neck lies nearly flat."""
    left = list(range(len(centres_mm)))
    path: list[int] = []
    while left:
        away = np.linalg.norm(centres_mm[left] - centres_mm[path[-1]], axis=1) if path else centres_mm[left, 2]
        path.append(left.pop(int(np.argmin(away))))
    return np.array(path[::-1], np.intp)


def expected_volume_ml(regions: Floats) -> Floats:
    """Of a whole adult vertebra with these shares of regions: ``(m,)`` from ``(m, 3)``."""
    return np.asarray(regions @ np.array(REGION_VOLUME_ML), np.float64)


def _followed(evidence: SpineEvidence, offsets_mm: NDArray[np.floating]) -> Floats:
    from scipy.spatial import cKDTree

    k, j, i = evidence.voxels.T
    points = evidence.points_mm
    targets = points + np.asarray(offsets_mm[:, k, j, i], np.float64).T
    if not len(points):
        return targets
    tree = cKDTree(points)
    landed, longest = targets, SHRINKS * np.linalg.norm(targets - points, axis=1)
    for _ in range(STEPS):
        _, near = tree.query(landed, k=min(NEIGHBOURS, len(points)))
        further = np.median(targets[near.reshape(len(landed), -1)], axis=1)
        step = np.linalg.norm(further - landed, axis=1)
        landed = np.where((step <= longest)[:, None], further, landed)
        longest = np.minimum(longest, np.maximum(SHRINKS * longest, GATHERED_MM / 2))
    return landed


def _peaks(landed: Floats, weights: Floats) -> Floats:
    """Local maxima of the votes' density, at least two cells apart."""
    from scipy.ndimage import gaussian_filter, maximum_filter

    if not len(landed):
        return np.zeros((0, 3))
    first = landed.min(axis=0) - 4 * CELL_MM
    cells = np.floor((landed - first) / CELL_MM).astype(int)
    density = np.zeros(cells.max(axis=0) + 5)
    np.add.at(density, tuple(cells.T), weights)
    density = gaussian_filter(density, 1.0)
    peak = (density == maximum_filter(density, size=5)) & (density > SMALLEST_ML / 40.0)
    return first + (np.argwhere(peak) + 0.5) * CELL_MM


def _apart(centres: Floats, landed: Floats, weights: Floats) -> Floats:
    """Leaves out each centre that lies nearer than `GATHERED_MM` to a stronger one."""
    from scipy.spatial import cKDTree

    near = cKDTree(landed).query_ball_point(centres, GATHERED_MM)
    strength = np.array([weights[rows].sum() for rows in near])
    kept: list[int] = []
    for candidate in np.argsort(-strength):
        if all(np.linalg.norm(centres[candidate] - centres[other]) >= GATHERED_MM for other in kept):
            kept.append(int(candidate))
    return np.asarray(centres[kept])


def _owners(landed: Floats, centres: Floats) -> NDArray[np.intp]:
    """The nearest centre of each vote, -1 for votes that are far from all, or nearly as near to another."""
    from scipy.spatial import cKDTree

    owners = np.full(len(landed), -1)
    if len(centres) and len(landed):
        distances, nearest = cKDTree(centres).query(landed, k=2)
        clear = (distances[:, 0] < 1.5 * GATHERED_MM) & (distances[:, 0] < 0.6 * distances[:, 1])
        owners[clear] = nearest[clear, 0]
    return owners
