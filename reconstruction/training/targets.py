"""From labels to what the network learns: partial-volume fractions of the classes, and tissue parts for contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.points import Bools, Floats, Singles
from geometry.volume import Volume
from reconstruction.network.classes import CLASS_INDEX, CLASSES, OUTSIDE_INDEX
from reconstruction.network.grid import network_grid, resample, resample_hu, to_nearest_lps
from reconstruction.training.config import BoneRefinement, TrainingConfig
from reconstruction.training.scans import LabelledScan

# Half-way between air (-1000 HU) and water (0 HU): where a blurred skin keeps its true place.
SKIN_HU = -500.0
# Tables and clothes touch the skin in a few voxels; structures thinner than this are cut off it.
TABLE_THICKNESS_MM = 12.0
# Tissue bins of a label, upper ends in HU: gas, fat, soft or blood, dense.
TISSUE_BINS_HU = (-400.0, -25.0, 200.0)


@dataclass(frozen=True)
class Things:
    """Things of a kind, told apart.

    Attributes:
        numbers: ``(nk, nj, ni)`` uint8, the number of the thing at a voxel's centre, from 1; 0 is none.
        centres: ``(n + 1, 3)`` float32, their centroids in voxels k, j, i; that of 0 means nothing.
    """

    numbers: NDArray[np.uint8]
    centres: Singles


def things_of(numbers: NDArray[np.integer]) -> Things:
    """Things from any numbers ``(nk, nj, ni)``, 0 being none."""
    present = np.unique(numbers)
    order = np.searchsorted(present[present > 0], numbers) + 1
    ordered = np.where(numbers > 0, order, 0).astype(np.uint8)
    counts = np.maximum(np.bincount(ordered.ravel()), 1)
    places = [np.bincount(ordered.ravel(), weights=axis.ravel()) / counts for axis in np.indices(numbers.shape)]
    return Things(ordered, np.stack(places, axis=1).astype(np.float32))


@dataclass(frozen=True)
class TrainingVolume:
    """A scan on the network's grid.

    Attributes:
        hu: ``(nk, nj, ni)`` float16, averaged HU, clipped to -1024 .. 3071.
        fractions: ``(classes, nk, nj, ni)`` uint8, 255 times the class's share of the voxel.
        parts: ``(nk, nj, ni)`` uint8, the voxel's label and tissue bin, numbered without gaps.
        part_classes: ``(n_parts,)`` tissue of each part, an index in `reconstruction.network.classes.CLASSES`.
        part_bins: ``(n_parts,)`` tissue bin of each part, 0 gas to 3 dense.
        part_means_hu: ``(n_parts,)`` its mean HU.
        known: ``(nk, nj, ni)`` uint8, 1 where the fractions are known; None where all are.
        things: what is told apart one by one, as vertebrae are; None for a network that does not.
    """

    name: str
    hu: NDArray[np.float16]
    fractions: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    part_classes: NDArray[np.uint8]
    part_bins: NDArray[np.uint8]
    part_means_hu: Singles
    known: NDArray[np.uint8] | None = None
    things: Things | None = None


def prepare(scan: LabelledScan, config: TrainingConfig) -> TrainingVolume:
    """Brings a labelled scan onto the network's grid."""
    ct, labels = to_nearest_lps(scan.ct), to_nearest_lps(scan.labels)
    classes = class_volume(ct, labels, scan, config)
    grid = network_grid(ct, config.network.spacing_mm)
    shares = [resample(ct.with_voxels(classes == index), grid) for index in range(len(config.network.classes))]
    fractions = np.rint(np.stack(shares) * 255).astype(np.uint8)
    hu = resample_hu(ct, grid)
    take = np.ix_(*_nearest_indices(grid.shape, ct, grid.affine))
    tissue_of = np.array([config.meaning.tissue_of(index) for index in range(len(config.network.classes))])
    keys = _part_keys(labels.voxels[take].astype(np.int64), tissue_of[classes[take]], hu)
    _, parts = np.unique(keys, return_inverse=True)
    parts = _merge_small(parts.reshape(hu.shape))
    n = int(parts.max()) + 1
    counts = np.maximum(np.bincount(parts.ravel(), minlength=n), 1)
    means = np.bincount(parts.ravel(), weights=hu.ravel(), minlength=n) / counts
    present = keys.ravel()[[int(np.flatnonzero(parts.ravel() == p)[0]) for p in range(n)]]
    return TrainingVolume(
        scan.name,
        hu.astype(np.float16),
        fractions,
        parts.astype(np.uint8),
        (present // 4 % len(CLASSES)).astype(np.uint8),
        (present % 4).astype(np.uint8),
        means.astype(np.float32),
        things=_things(labels.voxels[take], scan, config),
    )


def _things(labels: NDArray[np.generic], scan: LabelledScan, config: TrainingConfig) -> Things | None:
    if not config.network.offsets_of:
        return None
    told_apart = [config.network.classes.index(name) for name in config.network.offsets_of]
    numbers = [number for number, name in scan.names.items() if config.class_of(name) in told_apart]
    return things_of(np.where(np.isin(labels, numbers), labels.astype(np.int64), 0))


def class_volume(ct: Volume, labels: Volume, scan: LabelledScan, config: TrainingConfig) -> NDArray[np.uint8]:
    """Class index of each voxel of the CT."""
    lookup = np.full(int(labels.voxels.max()) + 1, CLASS_INDEX["body"], np.uint8)
    for number, name in scan.names.items():
        if 0 < number < lookup.size:
            lookup[number] = config.class_of(name)
    classes = lookup[labels.voxels]
    labelled = np.greater(labels.voxels, 0)
    inside = body_mask(ct) | labelled
    if config.bone_refinement is not None:
        bone = np.isin(classes, config.meaning.indices("bone"))
        bone &= labelled
        added, nearest = refined_bone(bone, ct, inside & ~labelled, config.bone_refinement)
        if added.any():
            classes[added] = classes[nearest]
    classes[~inside] = OUTSIDE_INDEX
    return classes


def body_mask(ct: Volume) -> Bools:
    """Everything inside the skin: the largest body of tissue, without table and clothes, slice holes filled.

    Lungs and bowel gas are inside. Air is filled slice by slice, where it does not reach the slice's edge, so that a
    scan that ends in the lung keeps it.
    """
    from scipy import ndimage

    tissue = np.greater(ct.voxels, SKIN_HU)
    for plane in tissue:
        ndimage.binary_fill_holes(plane, output=plane)
    radius_mm = TABLE_THICKNESS_MM / 2
    outside_mm = ndimage.distance_transform_edt(tissue, sampling=ct.spacing_mm[::-1])
    components, count = ndimage.label(outside_mm > radius_mm)
    if count == 0:
        return np.zeros_like(tissue)
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    core = components == int(sizes.argmax())
    # Grown back by a little more than it was shrunk, within the tissue: skin and fingers return, the table does not.
    reach_mm = ndimage.distance_transform_edt(~core, sampling=ct.spacing_mm[::-1])
    return tissue & (reach_mm <= 1.25 * radius_mm)


def refined_bone(
    bone: Bools, ct: Volume, free: Bools, settings: BoneRefinement
) -> tuple[Bools, tuple[NDArray[np.int32], ...]]:
    """Unlabelled dense voxels near labelled bone, and the nearest voxel of labelled bone of each."""
    from scipy import ndimage

    if not bone.any():
        return np.zeros_like(bone), ()
    distance_mm, nearest = ndimage.distance_transform_edt(~bone, sampling=ct.spacing_mm[::-1], return_indices=True)
    added = free & np.greater(ct.voxels, settings.above_hu) & (distance_mm <= settings.within_mm)
    return added, tuple(axis[added] for axis in nearest)


def _part_keys(labels: NDArray[np.int64], classes: NDArray[np.int64], hu: Singles) -> NDArray[np.int64]:
    """One number for each combination of label, class and tissue bin."""
    return (labels * len(CLASSES) + classes) * 4 + np.digitize(hu, TISSUE_BINS_HU)


def _merge_small(parts: NDArray[np.int64], smallest: int = 20) -> NDArray[np.int64]:
    """Numbers parts without gaps, at most 256; parts of a few voxels join the one before, mostly of the same label."""
    counts = np.bincount(parts.ravel())
    threshold = max(smallest, int(np.sort(counts)[-256]) if counts.size > 256 else 0)
    kept = counts >= threshold
    kept[0] = True
    return (np.cumsum(kept) - 1)[parts]


def _nearest_indices(shape: tuple[int, int, int], ct: Volume, affine: Floats) -> list[NDArray[np.int64]]:
    """The CT's indices nearest to the grid's voxel centres along k, j, i (the grids share their axes)."""
    start = ct.mm_to_index(affine[:3, 3][None])[0]
    ratio = float(np.linalg.norm(affine[:3, 0])) / ct.spacing_mm
    nearest = (np.rint(start[axis] + np.arange(shape[2 - axis]) * ratio[axis]) for axis in (2, 1, 0))
    return [np.clip(n, 0, size - 1).astype(np.int64) for n, size in zip(nearest, ct.voxels.shape, strict=True)]
