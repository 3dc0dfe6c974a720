"""The field that centrelines are found in: a structure resampled to cubes, and its border as sub-voxel points.

Everything here is in "grid mm": the voxel index times the spacing. That is the volume's own frame, turned and shifted
against `ct` but not scaled, so distances and angles are true ones on anisotropic and oblique grids alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, distance_transform_edt, find_objects, gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from geometry.errors import InvalidVolumeError, SurgNavError
from geometry.points import Bools, Floats, Singles
from geometry.volume import Volume

Ints = NDArray[np.intp]

_MARGIN = 3  # voxels kept around the structure
_STAIR = 0.5  # of a slice: how far the steps between a mask's slices are blurred before thinning, and only then
_CUBIC, _LINEAR = 3, 1


class NoCentrelineError(SurgNavError):
    """Nothing in the volume has a centreline, or it is too large to look for one."""


@dataclass(frozen=True, eq=False)
class TubeField:
    """A structure on a grid of cubes, in grid mm.

    Attributes:
        excess: ``(nk, nj, ni)`` float32, above 0 inside; only its zero level has a meaning.
        inside: ``(nk, nj, ni)`` what is thinned: the same, without the staircase of a mask with thick slices.
        step_mm: side of the cubes.
        first_mm: centre of voxel (0, 0, 0).
        border_mm: ``(n, 3)`` where edges between neighbouring voxel centres cross the border.
        low_mm, high_mm: ``(3,)`` corners of the scan, on the outer faces of its outermost voxels.
        tree: a KD-tree (SciPy) over `border_mm`.
    """

    excess: Singles
    inside: Bools
    step_mm: float
    first_mm: Floats
    border_mm: Floats
    low_mm: Floats
    high_mm: Floats
    tree: Any

    def to_mm(self, ijk: NDArray[Any]) -> Floats:
        return ijk * self.step_mm + self.first_mm

    def distance_mm(self, points_mm: Floats) -> Floats:
        """Distance of points ``(n, 3)`` from the border, whichever side they are on: ``(n,)``."""
        return np.asarray(self.tree.query(points_mm)[0])

    def excess_at(self, points_mm: Floats) -> Floats:
        """The field between the voxel centres (trilinear): ``(n,)``; below 0 beyond the grid."""
        kji = ((points_mm - self.first_mm) / self.step_mm)[:, ::-1].T
        return np.asarray(map_coordinates(self.excess, kji, order=1, mode="constant", cval=-1.0), dtype=np.float64)

    def within_scan(self, points_mm: Floats) -> Bools:
        return np.asarray(((points_mm >= self.low_mm) & (points_mm <= self.high_mm)).all(axis=1))


def build_tube_field(structure: Volume, level: float, step_mm: float | None, most_voxels: int) -> TubeField:
    """Crops, continues what leaves the scan straight beyond it, and resamples to cubes.

    Args:
        structure: a probability, or a mask (bool, or two values only).
        level: the border's value in a probability.
        step_mm: side of the cubes; None for the smallest spacing.
        most_voxels: the largest grid of cubes.

    Raises:
        InvalidVolumeError: no real numbers, or several labels at once.
        NoCentrelineError: nothing reaches the level, or the grid would be too large.
    """
    spacing = structure.spacing_mm
    inside, binary = _inside(structure, level)
    block, first_ijk = _cropped(structure, inside, binary)
    excess = _shape_between_slices(block > 0, spacing) if binary else block.astype(np.float32) - np.float32(level)
    step = float(spacing.min()) if step_mm is None else step_mm
    cubes = _resampled(excess, spacing, step, _LINEAR if binary else _CUBIC, most_voxels)
    first_mm = first_ijk * spacing
    border_mm = _crossings(cubes) * step + first_mm
    high_mm = (np.array(structure.shape_ijk) - 0.5) * spacing
    stair = _STAIR * np.maximum(spacing[::-1] / step, 1.0)
    inside = gaussian_filter(cubes, stair) > 0.0 if binary else cubes > 0.0
    return TubeField(cubes, inside, step, first_mm, border_mm, -0.5 * spacing, high_mm, cKDTree(border_mm))


def _inside(structure: Volume, level: float) -> tuple[Bools, bool]:
    """The voxels of the structure, and whether the volume says no more than that."""
    voxels = np.asarray(structure.voxels)
    if voxels.dtype.kind not in "biuf" or (voxels.dtype.kind == "f" and not np.isfinite(voxels).all()):
        came = f"values of type {voxels.dtype} that are not real numbers, or NaN or infinity among them"
        raise InvalidVolumeError(came, "finite real numbers", "convert or replace these values")
    if voxels.dtype.kind in "iu":
        largest = voxels.max()
        if ((voxels != 0) & (voxels != largest)).any():
            raise InvalidVolumeError("several labels in one volume", "one structure", "pass `voxels == label`")
        inside = voxels > 0
    else:
        inside = voxels >= level if voxels.dtype.kind == "f" else voxels
    if not inside.any():
        raise NoCentrelineError("a structure with no voxel", f"values reaching {level:g}", "choose another structure")
    binary = voxels.dtype.kind != "f" or not ((voxels > 0.0) & (voxels < 1.0)).any()
    return inside, bool(binary)


def _cropped(structure: Volume, inside: Bools, binary: bool) -> tuple[NDArray[Any], Floats]:
    """The box around the structure and the index (i, j, k) of its first voxel.

    Where the structure leaves the scan, the outermost slices are repeated beyond it, further than it is thick: its
    border then does not turn inwards there, and neither does the centreline.
    """
    bounds = find_objects(inside.astype(np.uint8))[0]
    around = tuple(
        slice(max(b.start - _MARGIN, 0), min(b.stop + _MARGIN, n)) for b, n in zip(bounds, inside.shape, strict=True)
    )
    block = inside[around] if binary else np.asarray(structure.voxels)[around]
    spacing = structure.spacing_mm[::-1]
    thickest = float(distance_transform_edt(np.pad(inside[bounds], 1, mode="edge"), sampling=spacing).max())
    beyond = []
    for bound, size, side in zip(bounds, inside.shape, spacing, strict=True):
        further = int(np.ceil(1.5 * min(thickest, 20.0) / side)) + _MARGIN
        beyond.append((further if bound.start == 0 else 0, further if bound.stop == size else 0))
    first = np.array([cut.start - pad[0] for cut, pad in zip(around, beyond, strict=True)], dtype=np.float64)
    return np.pad(block, beyond, mode="edge"), first[::-1].copy()


def _shape_between_slices(inside: Bools, spacing_mm: Floats) -> Singles:
    """Signed distance to a mask's border, half-way between its voxels: linear steps between slices then follow the
    shape (Raya & Udupa, IEEE Trans Med Imaging 9, 1990) instead of making a staircase of it.
    """
    padded = np.pad(inside, 1)  # something is outside, at the least beyond the block
    sampling = spacing_mm[::-1]
    signed = distance_transform_edt(padded, sampling=sampling) - distance_transform_edt(~padded, sampling=sampling)
    return np.asarray(signed[1:-1, 1:-1, 1:-1], dtype=np.float32)


def _resampled(field: Singles, spacing_mm: Floats, step_mm: float, order: int, most_voxels: int) -> Singles:
    ratio = step_mm / spacing_mm[::-1]
    shape = tuple(int(size) for size in np.floor((np.array(field.shape) - 1) / ratio + 1e-6).astype(int) + 1)
    if np.prod(np.array(shape, dtype=np.float64)) > most_voxels:
        raise NoCentrelineError(
            f"a box of {' x '.join(map(str, shape))} cubes of {step_mm:.3g} mm",
            f"at most {most_voxels} cubes",
            "crop the volume, or set a larger step_mm",
        )
    if np.allclose(ratio, 1.0, atol=1e-6):
        return field
    return np.asarray(affine_transform(field, ratio, output_shape=shape, order=order, mode="nearest"), dtype=np.float32)


def _crossings(excess: Singles) -> Floats:
    """Where the edges between neighbouring voxels cross 0 (linear): indices (i, j, k), ``(n, 3)``."""
    found = []
    for axis in range(3):
        low = excess[tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))]
        high = excess[tuple(slice(1, None) if a == axis else slice(None) for a in range(3))]
        kji = np.argwhere((low > 0.0) != (high > 0.0))
        a, b = (side[tuple(kji.T)].astype(np.float64) for side in (low, high))
        points = kji.astype(np.float64)
        points[:, axis] += a / (a - b)
        found.append(points)
    return np.concatenate(found)[:, ::-1].copy()
