"""Places labels relative to the CT: on its voxels, on their own grid, or nowhere if their header gives no position.

Labels on another grid stay on it: resampled to the CT's they would move by up to half a voxel of the CT, which is
millimetres where its slices are thick. Only where voxel centres coincide, axes turned or reversed, cropped or not, are
they written onto the CT's grid, which loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.points import Bools, Floats
from geometry.volume import Volume
from reconstruction.errors import LabelsError

SAME_PLACE_MM = 0.02  # voxel centres this close are the same: headers round positions
COUNTED = 1_000_000  # labelled voxels that are looked up to say how many lie outside


@dataclass(frozen=True, eq=False)
class Placement:
    """Labels placed in the CT's frame.

    Attributes:
        labels: on the CT's grid where the voxel centres coincide, else on their own grid.
        warnings: whether the grid differs, how many labels lie outside the CT, and what was assumed.
    """

    labels: Volume
    warnings: tuple[str, ...]


def place_labels(labels: Volume, ct: Volume) -> Placement:
    """Places labels by their header.

    Raises:
        LabelsError: no labelled voxel lies inside the CT, or the labels' header gives no position while the CT's does.
    """
    _check_has_place(labels, ct)
    outside = _outside_fraction(labels, ct)
    if outside == 1.0:
        raise LabelsError(
            "a segmentation that lies wholly outside of the CT",
            "labels within the CT",
            "give the segmentation of this CT",
        )
    steps, warnings = _whole_steps(labels, ct), []
    if steps is None:
        warnings.append(_other_grid(labels, ct))
    else:
        placed = _onto(labels, ct, steps)
        if np.count_nonzero(placed.voxels) == np.count_nonzero(labels.voxels):
            return Placement(placed, ())
    if outside > 0.0 or steps is not None:
        share = f"{outside:.1%}" if outside >= 0.001 else "under 0.1%"
        warnings.append(f"{share} of the labelled voxels lie outside of the CT; they are kept where their header says")
    return Placement(_with_room(labels, ct), tuple(warnings))


def take_for_ct_voxels(labels: Volume, ct: Volume, ct_i_reversed: bool) -> Placement:
    """Places labels whose header gives no position, voxel for voxel, in the order of the CT's own file.

    Args:
        labels: the labels as read.
        ct: the CT they belong to.
        ct_i_reversed: `CtInfo.i_reversed`: the CT's file counts i in the opposite direction.

    Raises:
        LabelsError: the numbers of voxels differ, or the labels' header does give a position.
    """
    if not _says_no_place(labels):
        if _whole_steps(labels, ct) is not None:
            return place_labels(labels, ct)
        raise LabelsError(
            "labels that are to be taken for the CT's voxels although their header has a place of its own",
            "labels whose header has none: axes along the patient's, from (0, 0, 0) mm",
            "leave --labels-on-ct-grid out, or correct the header",
        )
    if labels.shape_ijk != ct.shape_ijk:
        raise LabelsError(
            f"labels of {_counts(labels)} voxels for a CT of {_counts(ct)}, to be taken one for one",
            "as many voxels along each axis as the CT has",
            "export the segmentation with its geometry",
        )
    as_stored = labels.voxels if _is_zero(labels.origin_mm) else labels.voxels[:, :, ::-1]
    voxels = as_stored[:, :, ::-1] if ct_i_reversed else as_stored
    warning = "the header places the labels nowhere: taken voxel for voxel for the CT's, in its file's order, as asked"
    return Placement(ct.with_voxels(np.ascontiguousarray(voxels)), (warning,))


def same_grid(first: Volume, second: Volume) -> bool:
    """Whether two grids have the same voxels, index for index."""
    if first.shape_ijk != second.shape_ijk:
        return False
    return bool(np.abs(first.corners_mm - second.corners_mm).max() <= SAME_PLACE_MM)


def _check_has_place(labels: Volume, ct: Volume) -> None:
    if not _says_no_place(labels) or _whole_steps(labels, ct) is not None:
        return
    one_for_one = labels.shape_ijk == ct.shape_ijk
    if _says_no_place(ct) and not (one_for_one and np.allclose(labels.spacing_mm, 1.0)):
        return  # a CT from (0, 0, 0) mm as well: there a place of the labels is one
    came = (
        f"labels whose header places them nowhere: axes along the patient's, from (0, 0, 0) mm, spacing "
        f"{_spacing(labels)} mm; the CT begins at ({', '.join(f'{value:.1f}' for value in ct.origin_mm)}) mm, spacing "
        f"{_spacing(ct)} mm"
    )
    again = "export the segmentation with its geometry"
    if one_for_one:
        again += "; if it was made voxel for voxel on this CT, say so with --labels-on-ct-grid"
    raise LabelsError(came, "labels with their place in the patient", again)


def _says_no_place(volume: Volume) -> bool:
    """Axes along the patient's and a first voxel at exactly (0, 0, 0) mm: what a program writes that has no geometry.

    The reader has reversed i in a left-handed file: then the voxel at the other end of i is the file's first.
    """
    if not np.allclose(np.abs(volume.direction), np.eye(3), atol=1e-6):
        return False
    ends = volume.index_to_mm([[0, 0, 0], [volume.shape_ijk[0] - 1, 0, 0]])
    return any(_is_zero(end) for end in ends)


def _is_zero(point_mm: Floats) -> bool:
    return bool(np.abs(point_mm).max() < 1e-4)


def _other_grid(labels: Volume, ct: Volume) -> str:
    spacings_agree = np.allclose(labels.spacing_mm, ct.spacing_mm, rtol=1e-4)
    if labels.shape_ijk == ct.shape_ijk and spacings_agree and np.allclose(labels.direction, ct.direction, atol=1e-4):
        shift = ", ".join(f"{value:.2f}" for value in labels.origin_mm - ct.origin_mm)
        return f"labels on a grid as large as the CT's but shifted by ({shift}) mm, where their surfaces are made"
    return (
        f"labels on a grid of their own, {_in_words(labels)}, not on the CT's, {_in_words(ct)}: their surfaces are "
        "made there, without resampling"
    )


def _in_words(volume: Volume) -> str:
    return f"{_counts(volume)} ({_spacing(volume)} mm)"


def _counts(volume: Volume) -> str:
    return " x ".join(str(count) for count in volume.shape_ijk)


def _spacing(volume: Volume) -> str:
    return " x ".join(f"{value:.3g}" for value in volume.spacing_mm)


def _whole_steps(labels: Volume, ct: Volume) -> NDArray[np.int64] | None:
    """Label index to CT index ``(4, 4)`` in whole numbers; None where the voxel centres do not coincide."""
    steps = np.rint(np.linalg.inv(ct.affine) @ labels.affine).astype(np.int64)
    turns = np.abs(steps[:3, :3])
    if not ((turns.sum(axis=0) == 1).all() and (turns.sum(axis=1) == 1).all()):
        return None
    ends = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    ends[:, :3] *= np.array(labels.shape_ijk) - 1
    apart_mm = ends @ (ct.affine @ steps - labels.affine).T
    return steps if np.linalg.norm(apart_mm[:, :3], axis=1).max() <= SAME_PLACE_MM else None


def _onto(labels: Volume, ct: Volume, steps: NDArray[np.int64]) -> Volume:
    """The same voxels on the CT's grid; what lies beyond it holds no label."""
    ct_axis = np.abs(steps[:3, :3]).argmax(axis=0)  # along which CT axis each label axis runs
    first = steps[:3, 3] + np.minimum(0, steps[:3, :3] @ (np.array(labels.shape_ijk) - 1))
    label_axis = np.argsort(ct_axis)
    # Array axes are (k, j, i), so index axis a is array axis 2 - a.
    turned: NDArray[Any] = labels.voxels.transpose([2 - label_axis[axis] for axis in (2, 1, 0)])
    against = [2 - axis for axis in range(3) if steps[axis, label_axis[axis]] < 0]
    turned = np.flip(turned, tuple(against))
    voxels = np.zeros(ct.voxels.shape, labels.voxels.dtype)
    low = np.maximum(first, 0)[::-1]
    high = np.minimum(first[::-1] + turned.shape, ct.voxels.shape)
    source = tuple(slice(a - f, b - f) for a, b, f in zip(low, high, first[::-1], strict=True))
    voxels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = turned[source]
    return ct.with_voxels(voxels)


def _with_room(labels: Volume, ct: Volume) -> Volume:
    """One empty layer more on each face that labels touch while the CT goes on there.

    A grid cropped to its structure ends where the structure ends, which is no cut by the scan.
    """
    room = np.zeros((3, 2), int)  # of array axes (k, j, i), before and after
    for axis in range(3):
        for side, last in enumerate((0, labels.voxels.shape[axis] - 1)):
            rows = np.argwhere(np.take(labels.voxels, last, axis=axis))
            beyond = np.insert(rows, axis, last + (1 if side else -1), axis=1)[:, ::-1]
            room[axis, side] = len(rows) > 0 and _inside(ct, labels.index_to_mm(beyond)).all()
    if not room.any():
        return labels
    affine = labels.affine.copy()
    affine[:3, 3] = labels.index_to_mm([-room[::-1, 0]])[0]
    return Volume(np.pad(labels.voxels, room), affine, labels.frame)


def _inside(ct: Volume, points_mm: Floats) -> Bools:
    index = ct.mm_to_index(points_mm)
    return np.asarray(((index >= -0.5) & (index <= np.array(ct.shape_ijk) - 0.5)).all(axis=1))


def _outside_fraction(labels: Volume, ct: Volume) -> float:
    """Share of labelled voxels whose centre is in no voxel of the CT; of a sample where there are many."""
    voxels: NDArray[Any] = labels.voxels
    flat = np.flatnonzero(voxels)
    flat = flat[:: max(1, len(flat) // COUNTED)]
    k, j, i = np.unravel_index(flat, voxels.shape)
    inside = _inside(ct, labels.index_to_mm(np.stack([i, j, k], axis=1)))
    return float(1.0 - inside.mean()) if len(flat) else 0.0
