"""A label map made ready to draw samples from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.volume import Volume
from reconstruction.network.classes import CLASS_INDEX, OUTSIDE_INDEX
from reconstruction.network.grid import NetworkGrid, network_grid, resample, to_nearest_lps
from reconstruction.training.config import TrainingConfig
from reconstruction.training.scans import LabelMap
from reconstruction.training.synthesis.compartments import LAYERS, cut, shares_on
from reconstruction.training.synthesis.outline import hull_distance_mm, padded_shape
from reconstruction.training.synthesis.tissues import Part
from reconstruction.training.targets import Things, things_of

# Bone of which the true HU are given is drawn from these where they are at least so dense.
TRUE_BONE_HU = 200.0
# Fat that covers the hull in the stored fractions, by which places are chosen; each sample draws its own.
TYPICAL_COVER_MM = 15.0


@dataclass(frozen=True)
class LabelVolume:
    """A label map on the network's grid, with room for the skin around it.

    Attributes:
        fractions: ``(classes, nk, nj, ni)`` uint8, 255 times the class's share, with a typical cover of fat.
        parts: ``(LAYERS, nk, nj, ni)`` uint8, the compartments in each voxel; 0 is unlabelled.
        shares: likewise, their shares of 255.
        compartments: what each part is.
        part_classes: ``(n_parts,)`` class index of each part.
        hull_mm: ``(nk, nj, ni)`` float16, signed distance to the labels' hull, negative inside.
        bone_mm: ``(nk, nj, ni)`` float16, distance to the nearest bone.
        true_bone: ``(2, nk, nj, ni)`` float16, share of a voxel that is dense bone of known HU, and those; or None.
        known: ``(nk, nj, ni)`` uint8, 1 where classes are known; None where all are.
        spacing_mm: of the grid.
        things: what is told apart one by one, as vertebrae are; None for a network that does not.
    """

    name: str
    fractions: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    shares: NDArray[np.uint8]
    compartments: tuple[Part, ...]
    part_classes: NDArray[np.uint8]
    hull_mm: NDArray[np.float16]
    bone_mm: NDArray[np.float16]
    true_bone: NDArray[np.float16] | None
    known: NDArray[np.uint8] | None
    spacing_mm: float
    things: Things | None = None


def prepare_labels(scan: LabelMap, config: TrainingConfig) -> LabelVolume:
    """Cuts a label map into compartments and brings them onto the network's grid."""
    from scipy import ndimage

    labels = to_nearest_lps(scan.labels)
    spacing_mm = config.network.spacing_mm
    grid = _with_room(network_grid(labels, spacing_mm))
    fine, compartments = cut(labels, scan.names)
    parts, shares = shares_on(fine, labels, grid)
    is_bone = np.array([p.layer != "" for p in compartments])
    is_arm = np.array([p.label.startswith("humerus") for p in compartments])
    labelled = (parts[0] > 0) | (parts[1] > 0)
    arms = is_arm[parts[0]]
    hull_mm = hull_distance_mm(labelled & ~arms, arms, spacing_mm)
    bone_mm = ndimage.distance_transform_edt(~is_bone[parts[0]], sampling=spacing_mm)
    classes = np.array([CLASS_INDEX["body"]] + [config.class_of(p.label) for p in compartments[1:]], np.uint8)
    return LabelVolume(
        scan.name,
        fractions_of(parts, shares, classes, hull_mm - TYPICAL_COVER_MM, spacing_mm, len(config.network.classes)),
        parts,
        shares,
        compartments,
        classes,
        hull_mm.astype(np.float16),
        bone_mm.astype(np.float16),
        None if scan.bone_ct is None else _true_bone(to_nearest_lps(scan.bone_ct), labels, fine, is_bone, grid),
        None if scan.trusted_mm is None else _known(labelled, scan.trusted_mm, spacing_mm),
        spacing_mm,
        _things(parts[0], compartments, config),
    )


def _things(parts: NDArray[np.uint8], compartments: tuple[Part, ...], config: TrainingConfig) -> Things | None:
    if not config.network.offsets_of:
        return None
    told_apart = [config.network.classes.index(name) for name in config.network.offsets_of]
    labels = sorted({p.label for p in compartments if config.class_of(p.label) in told_apart})
    number = np.array([labels.index(p.label) + 1 if p.label in labels else 0 for p in compartments], np.uint8)
    return things_of(number[parts])


def fractions_of(
    parts: NDArray[np.uint8],
    shares: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    outside_mm: NDArray[np.floating],
    spacing_mm: float,
    count: int,
) -> NDArray[np.uint8]:
    """255 times the share of each class; unlabelled tissue is body, and outside where `outside_mm` is positive."""
    fractions = np.zeros((count, *parts.shape[1:]), np.uint8)
    layers = classes[parts]
    for index in range(count):
        for layer in range(LAYERS):
            fractions[index] += shares[layer] * (layers[layer] == index)
    free = sum(shares[layer] * (parts[layer] == 0) for layer in range(LAYERS))
    outside = np.rint(free * outside_share(outside_mm, spacing_mm)).astype(np.uint8)
    fractions[CLASS_INDEX["body"]] -= outside
    fractions[OUTSIDE_INDEX] += outside
    return fractions


def outside_share(outside_mm: NDArray[np.floating], spacing_mm: float) -> NDArray[np.float32]:
    """The share of a voxel that lies outside a surface, from the signed distance of its centre."""
    return np.clip(np.asarray(outside_mm, np.float32) / np.float32(spacing_mm) + np.float32(0.5), 0, 1)


def _with_room(grid: NetworkGrid) -> NetworkGrid:
    spacing_mm = float(np.linalg.norm(grid.affine[:3, 0]))
    shape = padded_shape(grid.shape, spacing_mm)
    before = (shape - grid.shape)[::-1] // 2
    affine = grid.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ before
    return NetworkGrid((int(shape[0]), int(shape[1]), int(shape[2])), affine, grid.frame)


def _true_bone(
    ct: Volume, labels: Volume, fine: NDArray[np.uint8], is_bone: NDArray[np.bool_], grid: NetworkGrid
) -> NDArray[np.float16]:
    """The share of each voxel that is labelled bone of known HU, and the mean of these HU.

    Averaged over voxels as everything else; a voxel beyond the map has none.
    """
    dense = is_bone[fine] & np.greater_equal(ct.voxels, TRUE_BONE_HU)
    share = resample(labels.with_voxels(dense.astype(np.float32)), grid)
    total = resample(labels.with_voxels(np.where(dense, ct.voxels, 0).astype(np.float32)), grid)
    hu = np.where(share > 0.01, total / np.maximum(share, 0.01), 0)
    return np.stack([share, hu]).astype(np.float16)


def _known(labelled: NDArray[np.bool_], trusted_mm: float, spacing_mm: float) -> NDArray[np.uint8]:
    from scipy import ndimage

    return (ndimage.distance_transform_edt(~labelled, sampling=spacing_mm) <= trusted_mm).astype(np.uint8)
