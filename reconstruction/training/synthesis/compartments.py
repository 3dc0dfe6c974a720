"""A label map cut into compartments on its own grid, then brought onto the training grid as shares of voxels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from geometry.points import Bools
from geometry.volume import Volume
from reconstruction.network.grid import NetworkGrid
from reconstruction.training.synthesis.tissues import Part, kind_of

# Depths below a bone's surface: the cortex ends at the first, what may be either at the second.
CORTEX_MM, BETWEEN_MM = 1.6, 3.2
# Layers below the surfaces of hollow and layered organs.
BOWEL_WALL_MM, KIDNEY_CORTEX_MM = 3.1, 7.0
# The height of a disc at most: what lies between two vertebrae so near is disc.
DISC_MM = 14.0
# A voxel of the training grid holds this many compartments at most; the others are too small to see.
LAYERS = 3

UNLABELLED = Part("", "unlabelled")


def cut(labels: Volume, names: Mapping[int, str]) -> tuple[NDArray[np.uint8], tuple[Part, ...]]:
    """The compartment of each voxel of the label map, and what each is; 0 is unlabelled tissue, or air.

    Bones become cortex, a layer that may be either, and marrow; where the map has cortical and spongy bone apart
    ("..._compact", "..._spongy"), these. Bowel becomes wall and contents, kidneys cortex and medulla; what lies between
    two vertebrae is disc.
    """
    parts, out = [UNLABELLED], np.zeros(labels.voxels.shape, np.uint8)
    spacing = labels.spacing_mm[::-1]
    present = np.flatnonzero(np.bincount(labels.voxels.ravel()))
    for number in (int(n) for n in present if n):
        label = names[number]
        box = _box(labels.voxels == number)
        mask = labels.voxels[box] == number
        for part, voxels in _layers(label, mask, spacing):
            out[box][voxels] = len(parts)
            parts.append(part)
    spine = np.isin(labels.voxels, [n for n, name in names.items() if name.lower().startswith("vertebrae")])
    discs = _between(spine, round(DISC_MM / spacing[0])) & (out == 0)
    if discs.any():
        out[discs] = len(parts)
        parts.append(Part("disc", "disc"))
    return out, tuple(parts)


def shares_on(
    compartments: NDArray[np.uint8], labels: Volume, grid: NetworkGrid
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The largest compartments of each voxel of the grid and their shares, both ``(LAYERS, nk, nj, ni)`` uint8.

    Shares are of 255 and add up to it. A voxel is looked up at several points along each axis; beyond the label map all
    is unlabelled.
    """
    ratio = float(np.linalg.norm(grid.affine[:3, 0])) / labels.spacing_mm
    start = labels.mm_to_index(grid.affine[:3, 3][None])[0]
    places = [_lookup(grid.shape[2 - a], start[a], ratio[a], labels.shape_ijk[a]) for a in (2, 1, 0)]
    padded = np.pad(compartments, [(0, 1)] * 3)
    parts = np.zeros((LAYERS, *grid.shape), np.uint8)
    shares = np.zeros((LAYERS, *grid.shape), np.uint8)
    for k in range(grid.shape[0]):
        points = padded[np.ix_(places[0][k], places[1].ravel(), places[2].ravel())]
        points = points.reshape(len(places[0][k]), *places[1].shape, *places[2].shape)
        points = points.transpose(1, 3, 0, 2, 4).reshape(grid.shape[1] * grid.shape[2], -1)
        chosen, counts = _largest(points)
        parts[:, k] = chosen.reshape(LAYERS, *grid.shape[1:])
        shares[:, k] = counts.reshape(LAYERS, *grid.shape[1:])
    return parts, shares


def _largest(points: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The commonest values of each row and their shares of 255, ``(LAYERS, rows)``."""
    left = np.sort(points, axis=1).astype(np.int16)
    parts = np.zeros((LAYERS, len(left)), np.uint8)
    counts = np.zeros((LAYERS, len(left)), np.float32)
    parts[0] = left[:, 0]
    mixed = np.flatnonzero(left[:, 0] != left[:, -1])
    counts[0] = 1
    rows = left[mixed]
    for layer in range(LAYERS):
        same = (rows[:, :, None] == rows[:, None, :]).sum(axis=2) * (rows >= 0)
        best = same.argmax(axis=1)
        value, number = rows[np.arange(len(rows)), best], same.max(axis=1)
        parts[layer, mixed], counts[layer, mixed] = np.maximum(value, 0), number
        rows = np.where(rows == value[:, None], -1, rows)
    share = np.rint(counts / counts.sum(axis=0) * 255).astype(np.int16)
    share[0] += 255 - share.sum(axis=0)
    return parts, share.astype(np.uint8)


def _lookup(n: int, start: float, ratio: float, size: int) -> NDArray[np.int64]:
    """``(n, points)`` source indices within each target voxel; `size`, one past the end, where there is no source."""
    points = max(2, round(ratio))
    offsets = (np.arange(points) + 0.5) / points - 0.5
    index = np.rint(start + (np.arange(n)[:, None] + offsets) * ratio).astype(np.int64)
    return np.where((index < 0) | (index >= size), size, index)


def _layers(label: str, mask: Bools, spacing_kji: NDArray[np.float64]) -> list[tuple[Part, Bools]]:
    name, _, suffix = label.rpartition("_")
    kind = kind_of(label)
    if kind.startswith("bone"):
        if suffix == "compact":
            return [(Part(name, kind, "cortex"), mask)]
        if suffix == "spongy":
            return [(Part(name, kind, "marrow"), mask)]
        depth = _depth_mm(mask, spacing_kji)
        cortex, between = mask & (depth <= CORTEX_MM), mask & (depth > CORTEX_MM) & (depth <= BETWEEN_MM)
        layers = (("cortex", cortex), ("between", between), ("marrow", mask & (depth > BETWEEN_MM)))
        return [(Part(label, kind, layer), voxels) for layer, voxels in layers]
    if kind == "bowel":
        wall = mask & (_depth_mm(mask, spacing_kji) <= BOWEL_WALL_MM)
        return [(Part(label, "bowel_wall"), wall), (Part(label, "bowel_inside"), mask & ~wall)]
    if kind == "kidney":
        cortex = mask & (_depth_mm(mask, spacing_kji) <= KIDNEY_CORTEX_MM)
        return [(Part(label, "kidney_cortex"), cortex), (Part(label, "kidney_medulla"), mask & ~cortex)]
    return [(Part(label, kind), mask)]


def _depth_mm(mask: Bools, spacing_kji: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance to the nearest voxel outside; the map's edge is no surface, only the box's margin is cut."""
    from scipy import ndimage

    return ndimage.distance_transform_edt(mask, sampling=spacing_kji)


def _box(mask: Bools) -> tuple[slice, slice, slice]:
    """The bounding box with a voxel of margin, where the map has it."""
    found = []
    for axis in range(3):
        where = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        found.append(slice(max(0, int(where[0]) - 1), int(where[-1]) + 2))
    return found[0], found[1], found[2]


def _between(mask: Bools, reach: int) -> Bools:
    """Voxels with the mask both below and above them within `reach` voxels along k."""
    below, above = np.zeros_like(mask), np.zeros_like(mask)
    for step in range(1, reach + 1):
        below[step:] |= mask[:-step]
        above[:-step] |= mask[step:]
    return below & above & ~mask
