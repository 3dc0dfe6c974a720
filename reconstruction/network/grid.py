"""The network's grid: near-LPS, isotropic, each voxel the average of the CT over its extent.

A voxel of the coarse grid is the mean of the CT's linear interpolant over the voxel's extent. That is a low-pass where
the grid is coarser (no aliasing) and an interpolation where it is finer. The training targets go through the very same
averaging and become partial-volume fractions, so the level 0.5 of the network's output lies on the anatomical border,
not on voxel corners.

The grid keeps the axes of the CT, permuted and flipped to the nearest LPS order: the averaging is then separable, exact
and the same for an oblique series; the network meets small rotations in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from geometry.points import Floats, Singles
from geometry.volume import Volume

# Sample points in a target voxel along each axis (midpoint rule on a piecewise linear interpolant).
SUBSAMPLES = 8
# Slices of the grid made at once: their source in float32 bounds the working memory, some 50 MB for 512 x 512.
SLAB = 16
# What HU are clipped to before they are averaged: padding (-2048) must not deepen the air, nor metal brighten its rim.
HU_LIMITS = (-1024.0, 3071.0)


@dataclass(frozen=True)
class NetworkGrid:
    """A regular grid: shape as ``(nk, nj, ni)`` and the affine of (i, j, k, 1) to mm in `frame`."""

    shape: tuple[int, int, int]
    affine: Floats
    frame: str


def to_nearest_lps(volume: Volume) -> Volume:
    """The same voxels, axes permuted and flipped so that i, j, k run nearest to left, posterior, superior."""
    order = _nearest_axes(volume.direction)
    # Array axes are (k, j, i), so index axis a is array axis 2 - a.
    voxels = np.transpose(volume.voxels, [2 - order[2], 2 - order[1], 2 - order[0]])
    affine = volume.affine[:, [*order, 3]].copy()
    for axis in range(3):
        if affine[axis, axis] < 0:
            n = voxels.shape[2 - axis]
            voxels = np.flip(voxels, 2 - axis)
            affine[:3, 3] += affine[:3, axis] * (n - 1)
            affine[:3, axis] *= -1
    return Volume(voxels, affine, volume.frame)


def network_grid(lps: Volume, spacing_mm: float | tuple[float, float, float]) -> NetworkGrid:
    """The smallest grid of this spacing (for all axes, or for i, j, k) that covers all of `lps`, centred on it."""
    extents_mm = np.array(lps.shape_ijk) * lps.spacing_mm
    counts = np.maximum(1, np.ceil(extents_mm / spacing_mm - 1e-6)).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = lps.direction * spacing_mm
    centre_mm = lps.index_to_mm([(np.array(lps.shape_ijk) - 1) / 2])[0]
    affine[:3, 3] = centre_mm - affine[:3, :3] @ ((counts - 1) / 2)
    return NetworkGrid((int(counts[2]), int(counts[1]), int(counts[0])), affine, lps.frame)


def resample_hu(lps: Volume, grid: NetworkGrid) -> Singles:
    """HU for the network: clipped to `HU_LIMITS`, then averaged."""
    return resample(lps, grid, HU_LIMITS)


def resample(lps: Volume, grid: NetworkGrid, limits: tuple[float, float] = (-np.inf, np.inf)) -> Singles:
    """Averages `lps`, clipped to `limits`, over each voxel of a grid made from it: ``(nk, nj, ni)``."""
    start = lps.mm_to_index(grid.affine[:3, 3][None])[0]
    ratio = np.linalg.norm(grid.affine[:3, :3], axis=0) / lps.spacing_mm
    wi, wj, wk = (
        _averaging_weights(lps.shape_ijk[axis], grid.shape[2 - axis], start[axis], ratio[axis]) for axis in range(3)
    )
    out = np.empty(grid.shape, np.float32)
    for first in range(0, grid.shape[0], SLAB):
        rows = wk[first : first + SLAB]
        used = np.unique(rows.indices)
        source = np.asarray(lps.voxels[used[0] : used[-1] + 1], np.float32).clip(*limits)
        slab = (rows[:, used[0] : used[-1] + 1] @ source.reshape(len(source), -1)).reshape(-1, *source.shape[1:])
        for target, plane in zip(out[first : first + SLAB], slab, strict=True):
            target[:] = (wi @ (wj @ plane).T).T
    return out


def _nearest_axes(direction: Floats) -> list[int]:
    """For each of L, P, S the index axis that runs along it: the permutation with the largest total alignment."""
    from scipy.optimize import linear_sum_assignment

    _, columns = linear_sum_assignment(-np.abs(direction))
    return [int(c) for c in columns]


def _averaging_weights(n_source: int, n_target: int, start: float, ratio: float) -> csr_array:
    """``(n_target, n_source)``, sparse: mean of the linear interpolant over each target voxel; the edge continues."""
    offsets = (np.arange(SUBSAMPLES) + 0.5) / SUBSAMPLES - 0.5
    centres = start + (np.arange(n_target)[:, None] + offsets) * ratio
    position = np.clip(centres, 0, n_source - 1)
    low = np.minimum(np.floor(position).astype(int), max(n_source - 2, 0))
    fraction = position - low
    rows = np.broadcast_to(np.arange(n_target)[:, None], low.shape)
    high = np.minimum(low + 1, n_source - 1)
    values = np.concatenate([1 - fraction, fraction], axis=None) / SUBSAMPLES
    places = (np.concatenate([rows, rows], axis=None), np.concatenate([low, high], axis=None))
    return csr_array((values, places), shape=(n_target, n_source)).astype(np.float32)
