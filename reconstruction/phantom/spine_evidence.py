"""What a network would say about a labelled spine, right or disturbed; not by the model of the counting step."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, find_objects, gaussian_filter, zoom

from geometry.points import Bools
from geometry.volume import Volume
from reconstruction.network.grid import network_grid, resample
from reconstruction.vertebrae.evidence import CLASSES_NEEDED, VERTEBRA_CLASSES, SpineEvidence
from reconstruction.vertebrae.order import level_of
from reconstruction.vertebrae.result import Vertebrae

COARSE_MM = 3.0


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """How far the pretended network is off.

    Attributes:
        short: offsets are multiplied by it.
        noise_mm: of the offsets, correlated over 9 mm.
        blur: of the class probabilities, in voxels.
        mixed: share by which neighbouring regions run into one another, over some 30 mm along the spine.
        lost_mm: a slab of this height in which vertebrae are not seen, at 40 % of the height.
    """

    short: float = 1.0
    noise_mm: float = 0.0
    blur: float = 0.0
    mixed: float = 0.0
    lost_mm: float = 0.0


def class_of(name: str) -> str | None:
    """The network's class of a structure in TotalSegmentator's names."""
    if name.startswith("vertebrae_") and name[10] in "CTL":
        return {"C": "vertebra_cervical", "T": "vertebra_thoracic", "L": "vertebra_lumbar"}[name[10]]
    if name in ("sacrum", "vertebrae_S1"):
        return "sacrum"
    if name.startswith("rib_"):
        return "rib"
    if name.startswith(("hip", "skull", "sternum", "scapula", "clavicula", "humerus", "femur")):
        return "bone"
    return None


def around_spine(labels: Volume, names: Mapping[int, str], margin_mm: float = 45.0) -> Volume:
    """The part of a label map around its vertebrae and sacrum, whole along the body: what is counted, and quicker."""
    inside = mask_of(labels, names, (*VERTEBRA_CLASSES, "sacrum"))
    margin = np.ceil(margin_mm / labels.spacing_mm[::-1]).astype(int)
    box = [slice(0, labels.voxels.shape[0])]
    for axis in (1, 2):
        hit = np.flatnonzero(inside.any(axis=(0, 3 - axis)))
        box.append(slice(max(0, int(hit[0] - margin[axis])), int(hit[-1] + margin[axis]) + 1))
    affine = labels.affine.copy()
    affine[:3, 3] = labels.index_to_mm([[box[2].start, box[1].start, 0]])[0]
    return Volume(labels.voxels[tuple(box)], affine, labels.frame)


def matched(labels: Volume, names: Mapping[int, str], found: Vertebrae) -> dict[str, tuple[str | None, float]]:
    """True level -> the number that was given, and Dice on the grid of what was found.

    Of several found in one, the one with the larger Dice counts; one that lies in no true vertebra is left out.
    """
    grid, voxels = found.labels, np.asarray(labels.voxels)
    index = np.argwhere(np.asarray(grid.voxels) > 0)
    at = np.rint(labels.mm_to_index(grid.index_to_mm(index[:, ::-1]))[:, ::-1]).astype(int)
    inside = ((at >= 0) & (at < voxels.shape)).all(axis=1)
    truth = np.zeros(len(index), int)
    truth[inside] = voxels[tuple(at[inside].T)]
    taken = np.asarray(grid.voxels)[tuple(index.T)]
    levels = {value: level_of(name) for value, name in names.items() if level_of(name)}
    true_ml = np.bincount(voxels.ravel().astype(int), minlength=max(levels) + 1) * labels.voxel_volume_ml
    result: dict[str, tuple[str | None, float]] = {}
    for vertebra in found.vertebrae:
        own = taken == vertebra.label
        overlaps = np.bincount(truth[own], minlength=max(levels) + 1)
        value = max(levels, key=lambda value: int(overlaps[value]))
        own_ml = float(own.sum()) * grid.voxel_volume_ml
        dice = 2.0 * float(overlaps[value]) * grid.voxel_volume_ml / (own_ml + float(true_ml[value]))
        if dice > result.get(str(levels[value]), (None, 0.0))[1]:
            result[str(levels[value])] = (vertebra.number, dice)
    return result


def mask_of(labels: Volume, names: Mapping[int, str], classes: Collection[str]) -> Bools:
    """Where a structure of these classes lies."""
    voxels = np.asarray(labels.voxels)
    table = np.zeros(max(int(voxels.max()), *names) + 1, bool)
    table[[value for value, name in names.items() if class_of(name) in classes]] = True
    return np.asarray(table[voxels])


def evidence_of(
    labels: Volume, names: Mapping[int, str], off: Disturbance | None = None, seed: int = 0, offsets: bool = True
) -> SpineEvidence:
    """Labels near LPS to the evidence of a network at 3 mm."""
    off, rng = off or Disturbance(), np.random.default_rng(seed)
    grid = network_grid(labels, COARSE_MM)
    classes: dict[str, NDArray[np.float32]] = {}
    for wanted in CLASSES_NEEDED:
        mask = mask_of(labels, names, (wanted,))
        share = resample(labels.with_voxels(mask.astype(np.float32)), grid)
        classes[wanted] = gaussian_filter(share, off.blur) if off.blur else share
    coarse = Volume(np.zeros(grid.shape, np.uint8), grid.affine, grid.frame)
    if off.mixed:
        _mix(classes, off.mixed, rng)
    if off.lost_mm:
        height = int(off.lost_mm / COARSE_MM)
        first = int(0.4 * grid.shape[0])
        for share in classes.values():
            share[first : first + height] = 0.0
    return SpineEvidence(coarse, classes, _offsets(labels, names, coarse, off, rng) if offsets else None)


def _mix(classes: dict[str, NDArray[np.float32]], mixed: float, rng: np.random.Generator) -> None:
    stacked = np.stack([classes[name] for name in VERTEBRA_CLASSES])
    total = stacked.sum(axis=0)
    spread = np.stack([gaussian_filter(s, (8, 3, 3)) for s in stacked])
    spread /= np.maximum(spread.sum(axis=0), 1e-6)
    shift = gaussian_filter(rng.normal(size=stacked.shape), (0, 6, 6, 6))
    shift *= 0.5 * mixed / shift.std()
    share = np.clip((1 - mixed) * stacked / np.maximum(total, 1e-6) + mixed * spread + shift, 0.0, 1.0)
    share /= np.maximum(share.sum(axis=0), 1e-6)
    for name, s in zip(VERTEBRA_CLASSES, share, strict=True):
        classes[name] = np.asarray(s * total, np.float32)


def _offsets(
    labels: Volume, names: Mapping[int, str], coarse: Volume, off: Disturbance, rng: np.random.Generator
) -> NDArray[np.float32]:
    """From each voxel to the centroid of the vertebra nearest to it."""
    voxels = np.asarray(labels.voxels)
    values = [value for value, name in names.items() if (class_of(name) or "").startswith("vertebra_")]
    table = np.zeros((max(names) + 1, 3))
    boxes = find_objects(voxels, max(values))
    for value in values:
        if boxes[value - 1] is not None:
            inside = np.argwhere(voxels[boxes[value - 1]] == value) + [part.start for part in boxes[value - 1]]
            table[value] = labels.index_to_mm(inside[:, ::-1]).mean(axis=0)
    places = coarse.index_to_mm(np.argwhere(np.ones(coarse.voxels.shape, bool))[:, ::-1])
    index = np.clip(np.rint(labels.mm_to_index(places)[:, ::-1]).astype(int), 0, np.array(voxels.shape) - 1)
    sampled = voxels[tuple(index.T)].reshape(coarse.voxels.shape)
    nearest = distance_transform_edt(~np.isin(sampled, values), return_distances=False, return_indices=True)
    field = table[sampled[tuple(nearest)].ravel()] - places
    field *= off.short
    if off.noise_mm:
        small = [max(2, n // 3) for n in coarse.voxels.shape]
        for axis in range(3):
            coarse_noise = rng.normal(size=small)
            noise = zoom(coarse_noise, np.array(coarse.voxels.shape) / small, order=1)
            field[:, axis] += off.noise_mm * (noise / noise.std()).ravel()
    return np.moveaxis(field.reshape(*coarse.voxels.shape, 3), 3, 0).astype(np.float32)
