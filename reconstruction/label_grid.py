"""Labels from their own grid onto the CT's: the nearest voxel, and what is lost on the way, said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.volume import Volume
from reconstruction.errors import LabelsError

Floats = NDArray[np.float64]

SAME_PLACE_VOXELS = 0.02  # grids this close are one: headers round positions, and no half voxel is near
AXIS_VOXELS = 0.02  # over the whole grid, axes that part by less are parallel
COUNTED = 1_000_000  # labelled voxels that are looked up to say how many lie outside


@dataclass(frozen=True, eq=False)
class Placement:
    """Labels on the CT's grid.

    Attributes:
        voxels: ``(nk, nj, ni)`` of the CT's grid.
        warnings: that the grid was another one; that some of the labels lie outside of the CT.
    """

    voxels: NDArray[np.generic]
    warnings: tuple[str, ...]


def place_on_grid(labels: Volume, ct: Volume) -> Placement:
    """Gives every voxel of the CT the label nearest to its centre.

    Voxel axes may be turned and reversed against one another: where the centres coincide nothing is resampled.

    Raises:
        LabelsError: no labelled voxel lies inside the CT.
    """
    outside = _outside_fraction(labels, ct)
    if outside == 1.0:
        raise LabelsError(
            "a segmentation that lies wholly outside of the CT",
            "labels within the CT",
            "give the segmentation of this CT",
        )
    to_labels = np.linalg.inv(labels.affine) @ ct.affine
    axes = _parallel_axes(to_labels, ct)
    voxels = _nearest_anywhere(labels, ct, to_labels) if axes is None else _nearest_along(labels, ct, to_labels, axes)
    warnings = []
    if axes is None or not _centres_coincide(to_labels, axes):
        warnings.append(
            f"labels on a grid of {_in_words(labels)} resampled to the CT's of {_in_words(ct)}, each voxel taking the "
            "nearest label"
        )
    if outside > 0.0:
        share = f"{outside:.1%}" if outside >= 0.001 else "under 0.1%"
        warnings.append(f"{share} of the labelled voxels lie outside of the CT and are lost")
    return Placement(voxels, tuple(warnings))


def _in_words(volume: Volume) -> str:
    columns, rows, slices = volume.shape_ijk
    return f"{columns} x {rows} x {slices} ({' x '.join(f'{value:.3g}' for value in volume.spacing_mm)} mm)"


def _parallel_axes(to_labels: Floats, ct: Volume) -> tuple[int, ...] | None:
    """The CT axis along which each label axis runs; None where the grids are turned by other than right angles."""
    axes = tuple(int(axis) for axis in np.abs(to_labels[:3, :3]).argmax(axis=1))
    along = np.zeros((3, 3), dtype=bool)
    along[range(3), axes] = True
    drift = np.abs(np.where(along, 0.0, to_labels[:3, :3])) * np.array(ct.shape_ijk)
    return axes if len(set(axes)) == 3 and drift.max() < AXIS_VOXELS else None


def _centres_coincide(to_labels: Floats, axes: tuple[int, ...]) -> bool:
    scales = np.abs(to_labels[range(3), axes])
    shifts = to_labels[:3, 3]
    return bool(np.abs(scales - 1.0).max() < 1e-4 and np.abs(shifts - np.round(shifts)).max() < SAME_PLACE_VOXELS)


def _nearest_along(labels: Volume, ct: Volume, to_labels: Floats, axes: tuple[int, ...]) -> NDArray[np.generic]:
    """For parallel grids: one index list per axis."""
    indices, valid = [], []
    for row, axis in enumerate(axes):
        place = to_labels[row, axis] * np.arange(ct.shape_ijk[axis]) + to_labels[row, 3]
        index = np.floor(place + 0.5).astype(np.int64)
        inside = (index >= 0) & (index < labels.shape_ijk[row])
        indices.append(np.where(inside, index, 0))
        valid.append(inside)
    picked = labels.voxels[np.ix_(indices[2], indices[1], indices[0])]
    for row in range(3):
        keep = np.moveaxis(valid[row].reshape(-1, 1, 1), 0, 2 - row)
        picked = np.where(keep, picked, picked.dtype.type(0)) if not valid[row].all() else picked
    # The array's dimensions follow the labels' k, j, i; they must follow the CT's.
    runs_along = [axes[2], axes[1], axes[0]]
    return np.ascontiguousarray(picked.transpose([runs_along.index(axis) for axis in (2, 1, 0)]))


def _nearest_anywhere(labels: Volume, ct: Volume, to_labels: Floats) -> NDArray[np.generic]:
    """For grids turned against each other, slice by slice."""
    ni, nj, nk = ct.shape_ijk
    result = np.zeros((nk, nj, ni), labels.voxels.dtype)
    i, j = np.meshgrid(np.arange(ni), np.arange(nj))
    in_slice = i[..., None] * to_labels[:3, 0] + j[..., None] * to_labels[:3, 1] + to_labels[:3, 3] + 0.5
    limits = np.array(labels.shape_ijk)
    for k in range(nk):
        index = np.floor(in_slice + k * to_labels[:3, 2]).astype(np.int64)
        inside = ((index >= 0) & (index < limits)).all(axis=-1)
        found = index[inside]
        result[k][inside] = labels.voxels[found[:, 2], found[:, 1], found[:, 0]]
    return result


def _outside_fraction(labels: Volume, ct: Volume) -> float:
    """Share of labelled voxels whose centre is in no voxel of the CT; of a sample where there are many."""
    voxels: NDArray[Any] = labels.voxels
    flat = np.flatnonzero(voxels)
    flat = flat[:: max(1, len(flat) // COUNTED)]
    k, j, i = np.unravel_index(flat, voxels.shape)
    index = ct.mm_to_index(labels.index_to_mm(np.stack([i, j, k], axis=1)))
    outside = ((index < -0.5) | (index > np.array(ct.shape_ijk) - 0.5)).any(axis=1)
    return float(outside.mean()) if len(flat) else 0.0
