"""Vessels made by formulas: curved and branching tubes whose axes and radii are known, seen as a network sees them.

The shape is the union of balls along the axes, blended where branches meet. Its probability is that of a scan: the
share of each voxel inside, a Gaussian point spread, noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from geometry.frames import CT
from geometry.points import Floats, read_only
from geometry.volume import Volume

FWHM_PER_SIGMA = 2.3548200450309493  # 2 sqrt(2 ln 2)
_SAMPLES = 3  # sub-voxels along each side of a voxel


@dataclass(frozen=True, eq=False)
class VesselAxis:
    """One branch's truth: points ``(n, 3)`` on its axis in `ct`, mm, and its radius at each ``(n,)``."""

    points_ct_mm: Floats
    radius_mm: Floats


@dataclass(frozen=True, kw_only=True)
class VesselScan:
    """How a phantom is scanned.

    Attributes:
        spacing_mm: distance between voxel centres.
        psf_fwhm_mm: full width at half maximum of the point spread.
        noise: standard deviation of the noise in the probability, blurred by half a voxel.
        binary: threshold at 0.5 instead: a mask, as an expert draws it.
    """

    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    psf_fwhm_mm: float = 1.4
    noise: float = 0.05
    binary: bool = False


def scan_vessels(
    axes: Sequence[VesselAxis],
    scan: VesselScan,
    grid_axes: Rotation,
    rng: np.random.Generator,
    blend_mm: float = 1.0,
    margin_mm: float = 6.0,
) -> Volume:
    """The probability (float32, or bool where `scan.binary`) of the phantom on a grid turned by `grid_axes`.

    Args:
        grid_axes: turns the axes of `ct` into those of the grid; its box is fitted to the phantom.
        rng: for the noise.
        blend_mm: distance over which branches are blended where they meet.
        margin_mm: between the phantom and the faces of the box; negative cuts the vessels there.
    """
    turned = grid_axes.as_matrix()
    moved = [VesselAxis(axis.points_ct_mm @ turned, axis.radius_mm) for axis in axes]
    spacing = np.array(scan.spacing_mm)
    low = np.min([(a.points_ct_mm - a.radius_mm[:, None]).min(axis=0) for a in moved], axis=0) - margin_mm
    high = np.max([(a.points_ct_mm + a.radius_mm[:, None]).max(axis=0) for a in moved], axis=0) + margin_mm
    shape_ijk = np.ceil((high - low) / spacing).astype(int) + 1
    share = _inside_share(moved, low, spacing, shape_ijk, blend_mm)
    sigma = scan.psf_fwhm_mm / FWHM_PER_SIGMA / spacing[::-1]
    probability = gaussian_filter(share, sigma)
    noise = gaussian_filter(rng.normal(size=share.shape), 0.5)
    probability += scan.noise / max(float(noise.std()), 1e-12) * noise
    affine = np.eye(4)
    affine[:3, :3] = turned * spacing
    affine[:3, 3] = turned @ low
    voxels = probability >= 0.5 if scan.binary else np.clip(probability, 0.0, 1.0).astype(np.float32)
    return Volume(voxels, affine, CT)


def _inside_share(
    axes: Sequence[VesselAxis], low: Floats, spacing: Floats, shape_ijk: NDArray[np.intp], blend_mm: float
) -> Floats:
    """The share of each voxel inside the shape: ``(nk, nj, ni)``, by sub-voxels where the wall is near."""
    ijk = np.stack(np.meshgrid(*[np.arange(n) for n in shape_ijk[::-1]], indexing="ij"), axis=-1).reshape(-1, 3)
    centres = ijk[:, ::-1] * spacing + low
    depth = vessel_depth_mm(axes, centres, blend_mm)
    share = (depth > 0.0).astype(np.float64)
    near = np.abs(depth) < 0.55 * np.linalg.norm(spacing)  # others lie whole on one side
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5
    offsets = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3) * spacing
    fine = spacing.max() / _SAMPLES
    points = (centres[near, None, :] + offsets).reshape(-1, 3)
    # A sub-voxel cut by the wall counts in part: a ramp as wide as it is.
    covered = np.clip(vessel_depth_mm(axes, points, blend_mm) / fine + 0.5, 0.0, 1.0)
    share[near] = covered.reshape(-1, len(offsets)).mean(axis=1)
    return share.reshape(shape_ijk[::-1])


def vessel_depth_mm(axes: Sequence[VesselAxis], points_mm: Floats, blend_mm: float) -> Floats:
    """How deep points ``(n, 3)`` lie inside the union of the tubes: ``(n,)``, negative outside."""
    deepest = np.full(len(points_mm), -np.inf)
    for axis in axes:
        depth = _tube_depth_mm(axis, points_mm)
        overlap = np.maximum(blend_mm - np.abs(deepest - depth), 0.0)
        deepest = np.maximum(deepest, depth) + overlap**2 / (4.0 * blend_mm)
    return deepest


def _tube_depth_mm(axis: VesselAxis, points_mm: Floats) -> Floats:
    """Radius minus distance, at the nearest of the densely sampled axis points, refined to its two segments."""
    _, nearest = cKDTree(axis.points_ct_mm).query(points_mm)
    depth = np.full(len(points_mm), -np.inf)
    for first in (nearest - 1, nearest):
        start = np.clip(first, 0, len(axis.points_ct_mm) - 2)
        a, b = axis.points_ct_mm[start], axis.points_ct_mm[start + 1]
        t = np.clip(((points_mm - a) * (b - a)).sum(axis=1) / np.square(b - a).sum(axis=1), 0.0, 1.0)
        distance = np.linalg.norm(points_mm - a - t[:, None] * (b - a), axis=1)
        radius = axis.radius_mm[start] + t * (axis.radius_mm[start + 1] - axis.radius_mm[start])
        depth = np.maximum(depth, radius - distance)
    return depth


# ------------------------------------------------------------------------------------------------------------- phantoms
def arc(radius_mm: float = 3.0, bend_mm: float = 25.0, turn_rad: float = 4.0) -> tuple[VesselAxis, ...]:
    """Part of a torus, its ends round."""
    t = np.linspace(0.0, turn_rad, 600)
    return (_axis(np.stack([bend_mm * np.cos(t), bend_mm * np.sin(t), 0.0 * t], axis=1), radius_mm),)


def helix(turns: float = 1.75, bend_mm: float = 16.0, pitch_mm: float = 22.0) -> tuple[VesselAxis, ...]:
    """A helix whose radius swells from 2 to 4 mm and back, twice."""
    t = np.linspace(0.0, 2.0 * np.pi * turns, 1200)
    points = np.stack([bend_mm * np.cos(t), bend_mm * np.sin(t), pitch_mm * t / (2.0 * np.pi)], axis=1)
    return (_axis(points, 3.0 - np.cos(2.0 * np.pi * np.linspace(0.0, 2.0, len(t)))),)


def bifurcation(spread_rad: float = 1.05, bend_mm: float = 60.0) -> tuple[VesselAxis, ...]:
    """A trunk of 4 mm that forks into curving branches of 3 and 2.5 mm, `spread_rad` apart (60 degrees)."""
    trunk = _axis(np.linspace([0.0, 0.0, -35.0], [0.0, 0.0, 0.0], 300), 4.0)
    return trunk, _curved(-0.5 * spread_rad, 0.0, 3.0, bend_mm), _curved(0.5 * spread_rad, 0.0, 2.5, bend_mm)


def trifurcation() -> tuple[VesselAxis, ...]:
    """A trunk of 4 mm into three branches of 2.5 mm, 50 degrees off its direction and evenly around it."""
    trunk = _axis(np.linspace([0.0, 0.0, -35.0], [0.0, 0.0, 0.0], 300), 4.0)
    return trunk, *(_curved(0.87, turn, 2.5) for turn in (0.3, 0.3 + 2.0 * np.pi / 3.0, 0.3 + 4.0 * np.pi / 3.0))


def tree() -> tuple[VesselAxis, ...]:
    """Two generations: a trunk, two branches, one of which forks again, and a side branch at a right angle."""
    trunk, left, right = bifurcation(1.2)
    lower = VesselAxis(trunk.points_ct_mm[:150], trunk.radius_mm[:150])
    upper = VesselAxis(trunk.points_ct_mm[149:], trunk.radius_mm[149:])
    at = trunk.points_ct_mm[149]
    side = _axis(at + np.linspace([0.0, 0.0, 0.0], [4.0, -24.0, 0.0], 250), 2.0)
    tip = left.points_ct_mm[-1]
    onward = tip - left.points_ct_mm[-2]
    onward /= np.linalg.norm(onward)
    forks = [
        _axis(tip + np.linspace([0.0, 0.0, 0.0], 22.0 * (onward + [0.0, sign * 0.7, 0.0]), 250), 2.0)
        for sign in (-1.0, 1.0)
    ]
    return lower, upper, left, right, side, *forks


def ring(radius_mm: float = 3.0, bend_mm: float = 18.0) -> tuple[VesselAxis, ...]:
    """A closed torus."""
    return arc(radius_mm, bend_mm, 2.0 * np.pi)


def _curved(off_rad: float, around_rad: float, radius_mm: float, bend_mm: float = 60.0) -> VesselAxis:
    """From the origin, `off_rad` off +z and bending back towards it (on a circle of `bend_mm`), 30 mm long."""
    s = np.linspace(0.0, 30.0, 300)
    angle = off_rad - np.sign(off_rad) * s / bend_mm
    step = np.stack([np.sin(angle), 0.0 * s, np.cos(angle)], axis=1) * (s[1] - s[0])
    points = np.concatenate([[np.zeros(3)], np.cumsum(0.5 * (step[1:] + step[:-1]), axis=0)])
    cos, sin = np.cos(around_rad), np.sin(around_rad)
    return _axis(points @ np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]]), radius_mm)


def _axis(points_mm: Floats, radius_mm: float | Floats) -> VesselAxis:
    radius = np.broadcast_to(np.asarray(radius_mm, dtype=np.float64), (len(points_mm),))
    return VesselAxis(read_only(np.ascontiguousarray(points_mm)), read_only(radius))
