"""Where the vertebrae are without offsets: bodies between discs, along the curve through the bodies.

The curve follows the thickest part of the vertebrae, their bodies. Bone in a small disk across the curve is dense in a
body and thin in a disc, so the discs are the dips of a profile along it. Where the network's grid is coarser than a
disc is high (the neck, the upper chest), dips are shallow; the chain then says that vertebrae are missing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats
from geometry.volume import Volume
from reconstruction.vertebrae.evidence import SpineEvidence
from reconstruction.vertebrae.votes import Candidates, candidates_of

BODY_MM = 7.0  # standard deviation of the smoothing whose maximum in a slice is the body
DISK_MM = 8.0  # radius of the disk in which bone is measured across the curve
STEP_MM = 1.0
SMOOTH_MM = 2.0
DIP = 0.04  # a disc's least depth in the profile
HALF_LENGTH_MM = 6.0  # bone this near to a body's middle, along the curve, is that body's for certain
RADIUS_MM = 14.0  # and this near to the curve


def find_bodies(evidence: SpineEvidence, bone: Volume) -> Candidates:
    """Finds the bodies between dips of `bone` (its probability or mask, any grid in the same frame)."""
    curve = _curve(evidence)
    if len(curve) < 3:
        return candidates_of(evidence, np.zeros((0, 3)), np.full(len(evidence.voxels), -1))
    profile = _profile(curve, bone)
    borders = _dips(profile)
    middles = np.rint((borders[:-1] + borders[1:]) / 2).astype(int)
    centres = curve[middles]
    return candidates_of(evidence, centres, *_owners(evidence, curve, middles))


def _curve(evidence: SpineEvidence) -> Floats:
    """Points every `STEP_MM` from the head down."""
    from scipy.interpolate import make_smoothing_spline
    from scipy.ndimage import gaussian_filter

    density = gaussian_filter(evidence.vertebra, BODY_MM / evidence.grid.spacing_mm[::-1])
    slices = np.unique(evidence.voxels[:, 0])
    if len(slices) < 6:
        return np.zeros((0, 3))
    ridge = []
    for k in slices:
        j, i = np.unravel_index(int(density[k].argmax()), density[k].shape)
        ridge.append((i, j, k))
    points = evidence.grid.index_to_mm(np.array(ridge))
    height, smooth = points[:, 2], 2000.0
    x, y = (make_smoothing_spline(height, points[:, axis], lam=smooth) for axis in (0, 1))
    fine = np.linspace(height[-1], height[0], 4 * len(height))
    line = np.stack([x(fine), y(fine), fine], axis=1)
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.arange(0.0, way[-1], STEP_MM)
    return np.stack([np.interp(at, way, line[:, axis]) for axis in range(3)], axis=1)


def _profile(curve: Floats, bone: Volume) -> Floats:
    """Mean of `bone` in a disk across the curve at each of its points."""
    from scipy.ndimage import gaussian_filter1d, map_coordinates

    along = np.gradient(curve, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    left = np.cross(np.array([0.0, 1.0, 0.0]), along)
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    back = np.cross(along, left)
    grid = np.arange(-DISK_MM, DISK_MM + 0.1, 2.0)
    u, v = (axis.ravel() for axis in np.meshgrid(grid, grid))
    disk = np.hypot(u, v) <= DISK_MM
    offsets = u[disk, None, None] * left + v[disk, None, None] * back
    points = (curve + offsets).reshape(-1, 3)
    values = map_coordinates(np.asarray(bone.voxels, np.float32), bone.mm_to_index(points)[:, ::-1].T, order=1)
    profile = values.reshape(-1, len(curve)).mean(axis=0)
    return np.asarray(gaussian_filter1d(profile, SMOOTH_MM / STEP_MM), np.float64)


def _dips(profile: Floats) -> NDArray[np.intp]:
    """Discs, and both ends of the curve."""
    from scipy.signal import find_peaks

    dips, _ = find_peaks(-profile, prominence=DIP, distance=8)
    return np.concatenate([[0], dips, [len(profile) - 1]])


def _owners(
    evidence: SpineEvidence, curve: Floats, middles: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each voxel the body that it certainly belongs to, or -1, and the nearest along the curve."""
    from scipy.spatial import cKDTree

    away, at = cKDTree(curve).query(evidence.points_mm)
    off = np.abs(at[:, None] - middles[None]) * STEP_MM
    nearest = off.argmin(axis=1)
    certain = (off.min(axis=1) <= HALF_LENGTH_MM) & (away <= RADIUS_MM)
    return np.where(certain, nearest, -1), nearest
