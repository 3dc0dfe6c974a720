"""A CT drawn for a region of a label map: means for its compartments, what is in them, and the tissue between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geometry.points import Singles
from reconstruction.network.classes import CLASS_INDEX, OUTSIDE_INDEX
from reconstruction.training.synthesis.contents import draw_contents, has_contents
from reconstruction.training.synthesis.fields import smooth_field
from reconstruction.training.synthesis.filler import draw_cover, unlabelled_hu
from reconstruction.training.synthesis.tissues import draw_part_hu, draw_uptake
from reconstruction.training.synthesis.volume import LAYERS, LabelVolume, outside_share

Region = tuple[slice, slice, slice]
AIR_HU = -1000.0
# How far the HU of bone known from a scan are scaled and shifted.
_BONE_SCALE, _BONE_SHIFT_HU = (0.75, 1.3), 40.0
# Room that the texture of a tissue is correlated over.
_GRAIN_MM = (3.0, 7.0)


def synthesise(volume: LabelVolume, region: Region, rng: np.random.Generator) -> tuple[Singles, Singles]:
    """HU ``(k, j, i)`` of a region, and the fractions of all classes ``(classes, k, j, i)`` 0 to 1 that they show.

    No blur, no noise: the scanner's part comes after the deformation (`artefacts.scan`).
    """
    box = (slice(None), *region)
    parts, shares = volume.parts[box], _of_one(volume.shares[box])
    uptake = draw_uptake(rng)
    part_hu = draw_part_hu(volume.compartments, uptake, rng)
    grain = smooth_field(parts.shape[1:], rng.uniform(*_GRAIN_MM) / volume.spacing_mm, rng)
    cover = draw_cover(rng)
    cover_mm = cover.thickness_mm(parts.shape[1:], volume.spacing_mm, rng)
    depth_mm = volume.hull_mm[region].astype(np.float32) - cover_mm
    filling = unlabelled_hu(volume, region, depth_mm, cover, uptake, rng)

    free = np.zeros(filling.shape, np.float32)
    contents = draw_contents(volume, parts, uptake, rng)
    hu = np.zeros(filling.shape, np.float32)
    for layer in range(LAYERS):
        # Most voxels hold one compartment only: the further layers are worked on where they are.
        at = slice(None) if layer == 0 else np.flatnonzero(shares[layer])
        part, share = parts[layer].reshape(-1)[at], shares[layer].reshape(-1)[at]
        value = part_hu.means[part] + part_hu.textures[part] * grain.reshape(-1)[at]
        value += contents.reshape(-1)[at] * has_contents(volume)[part]
        unlabelled = part == 0
        value[unlabelled] = filling.reshape(-1)[at][unlabelled]
        free.reshape(-1)[at] += share * unlabelled
        hu.reshape(-1)[at] += share * value
    if volume.true_bone is not None:
        hu = _with_true_bone(hu, volume, region, parts, shares, part_hu.means, rng)
    fractions = _fractions(volume, region, free, outside_share(depth_mm, volume.spacing_mm))
    hu += fractions[OUTSIDE_INDEX] * (AIR_HU - filling)
    return hu, fractions


def _fractions(volume: LabelVolume, region: Region, free: Singles, outside: Singles) -> Singles:
    """The stored fractions, with the skin where this sample has it: only unlabelled tissue can be outside."""
    fractions = _of_one(volume.fractions[(slice(None), *region)])
    body = CLASS_INDEX["body"]
    both = fractions[OUTSIDE_INDEX] + fractions[body]
    fractions[OUTSIDE_INDEX] = free * outside
    fractions[body] = np.maximum(both - fractions[OUTSIDE_INDEX], 0)
    return fractions


def _of_one(shares: NDArray[np.uint8]) -> Singles:
    return np.multiply(shares, np.float32(1 / 255), dtype=np.float32)


def _with_true_bone(
    hu: Singles,
    volume: LabelVolume,
    region: Region,
    parts: NDArray[np.uint8],
    shares: Singles,
    means: Singles,
    rng: np.random.Generator,
) -> Singles:
    """Dense bone as the scan had it, scaled and shifted; what is left of the labelled bone is marrow."""
    if volume.true_bone is None or rng.random() < 0.3:
        return hu
    true_share, value = volume.true_bone[(slice(None), *region)].astype(np.float32)
    layers = np.array([p.layer for p in volume.compartments])
    in_bone = shares * (layers != "").astype(np.float32)[parts]
    bone, drawn = in_bone.sum(axis=0), (in_bone * means[parts]).sum(axis=0)
    marrow = np.float32(means[layers == "marrow"].mean())
    true_share = np.minimum(true_share, bone)
    value = value * np.float32(rng.uniform(*_BONE_SCALE)) + np.float32(rng.normal(0, _BONE_SHIFT_HU))
    return np.asarray(hu - drawn + true_share * value + (bone - true_share) * marrow, np.float32)
