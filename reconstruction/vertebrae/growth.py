"""Which voxel of the bone belongs to which vertebra: seeds that are certain, then the shortest way through bone.

Planes between neighbours would cut spinous processes, which reach down to the next body's height; the way through bone
leads from a process over its own arch to its own body, and joints are the long way round.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geometry.points import Bools, Floats
from geometry.volume import Volume
from reconstruction.vertebrae.evidence import NEIGHBOURS, SpineEvidence

INSIDE = 0.5
SOME_BONE = 0.15  # probability of all bone classes below which what is dense is no bone: contrast in a vessel
SEED_NEIGHBOURS = 4
SEED_MM = 4.0  # a voxel is a seed if the network's voxels this near agree
THIN_BONE = 3.0  # how much longer a way seems through voxels that are bone by half
SMALLEST_PART_ML = 0.1


def grow(evidence: SpineEvidence, owners: NDArray[np.intp], bone: Volume | None) -> Volume:
    """Gives each vertebra its bone: labels from 1 on the grid of `bone`, or on the network's where that is None.

    Args:
        evidence: the network's classes.
        owners: for each voxel of the evidence the vertebra that it certainly belongs to, from 0; -1 if none.
        bone: probability or mask of all bone on a finer grid in the same frame.
    """
    grid = bone if bone is not None else evidence.grid.with_voxels(evidence.vertebra)
    cells, solid = _cells(evidence, grid, own_grid=bone is None)
    labels = np.zeros(grid.voxels.shape, np.uint8)
    if len(cells):
        seeds = _seeds(evidence, owners, grid.index_to_mm(cells[:, ::-1]))
        labels[tuple(cells.T)] = _by_shortest_way(cells, solid, seeds, grid.spacing_mm[::-1]) + 1
        _clear_fragments(labels, grid.voxel_volume_ml)
    return grid.with_voxels(labels)


def _cells(evidence: SpineEvidence, grid: Volume, own_grid: bool) -> tuple[NDArray[np.intp], Floats]:
    """Indices (k, j, i) of bone voxels that are a vertebra's rather than a rib's, and how much bone they hold."""
    if own_grid:
        return evidence.voxels, evidence.vertebra[tuple(evidence.voxels.T)].astype(np.float64)
    if not len(evidence.voxels):
        return np.zeros((0, 3), np.intp), np.zeros(0)
    box = _box(evidence, grid)
    cells = np.argwhere(np.asarray(grid.voxels[box]) >= INSIDE) + [part.start for part in box]
    at = evidence.grid.mm_to_index(grid.index_to_mm(cells[:, ::-1]))[:, ::-1].T
    vertebra = _interpolated(evidence.vertebra, at)
    others = sum((_interpolated(evidence.probabilities[name], at) for name in NEIGHBOURS), np.zeros(len(cells)))
    own = (vertebra > others) & (vertebra + others >= SOME_BONE)
    cells = cells[own]
    return cells, np.asarray(grid.voxels[tuple(cells.T)], np.float64)


def _box(evidence: SpineEvidence, grid: Volume) -> tuple[slice, slice, slice]:
    """Where the vertebrae are on `grid`, with the network's voxel to spare."""
    index = grid.mm_to_index(evidence.points_mm)[:, ::-1]
    spare = np.ceil(1.5 * evidence.grid.spacing_mm.max() / grid.spacing_mm[::-1]).astype(int)
    first = np.clip(np.floor(index.min(axis=0)).astype(int) - spare, 0, None)
    last = np.minimum(np.ceil(index.max(axis=0)).astype(int) + spare + 1, grid.voxels.shape)
    return (slice(first[0], last[0]), slice(first[1], last[1]), slice(first[2], last[2]))


def _interpolated(field: NDArray[np.floating], at: Floats) -> Floats:
    from scipy.ndimage import map_coordinates

    return np.asarray(map_coordinates(np.asarray(field, np.float32), at, order=1, mode="nearest"), np.float64)


def _seeds(evidence: SpineEvidence, owners: NDArray[np.intp], points_mm: Floats) -> NDArray[np.intp]:
    """The owner on which the nearest voxels of the network agree; -1 where they do not, or have none."""
    from scipy.spatial import cKDTree

    count = min(SEED_NEIGHBOURS, len(evidence.points_mm))
    distances, near = cKDTree(evidence.points_mm).query(points_mm, k=count)
    distances, near = distances.reshape(-1, count), near.reshape(-1, count)
    said = owners[near]
    far = distances > SEED_MM
    far[:, 0] = distances[:, 0] > 2 * SEED_MM
    said = np.where(far, said[:, :1], said)
    return np.where((said == said[:, :1]).all(axis=1) & ~far[:, 0], said[:, 0], -1)


def _by_shortest_way(
    cells: NDArray[np.intp], solid: Floats, seeds: NDArray[np.intp], spacing_mm: Floats
) -> NDArray[np.intp]:
    """The seed that each cell is nearest to, through bone; -1 for cells without a way."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    starts = np.flatnonzero(seeds >= 0)
    if not len(starts):
        return seeds
    shape = cells.max(axis=0) - cells.min(axis=0) + 3
    at = cells - cells.min(axis=0) + 1
    number = np.full(shape, -1)
    number[tuple(at.T)] = np.arange(len(cells))
    rows, columns, lengths = [], [], []
    for step in np.argwhere(np.ones((3, 3, 3), bool))[14:] - 1:
        to = number[tuple((at + step).T)]
        pair = (to >= 0) & ~((seeds >= 0) & (seeds[to] >= 0))  # no way leads from seed to seed
        thin = 2.0 - solid[pair] - solid[to[pair]]
        rows.append(np.flatnonzero(pair))
        columns.append(to[pair])
        lengths.append(float(np.linalg.norm(step * spacing_mm)) * (1.0 + THIN_BONE * np.clip(thin, 0.0, 1.0)))
    graph = coo_array(
        (np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns))), shape=(len(cells),) * 2
    ).tocsr()
    _, _, source = dijkstra(graph, directed=False, indices=starts, return_predecessors=True, min_only=True)
    return np.where(source >= 0, seeds[np.maximum(source, 0)], -1)


def _clear_fragments(labels: NDArray[np.uint8], voxel_ml: float) -> None:
    """Gives parts that lie apart from their vertebra to what they touch, in place; alone and tiny, they go."""
    from scipy import ndimage

    everywhere = np.ones((3, 3, 3), bool)
    for value, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        wide = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in box)
        view = labels[wide]
        parts, count = ndimage.label(view == value, everywhere)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        main = int(sizes[1:].argmax()) + 1
        for part in range(1, count + 1):
            if part != main:
                _give_away(view, parts == part, sizes[part] * voxel_ml)


def _give_away(view: NDArray[np.uint8], part: Bools, volume_ml: float) -> None:
    from scipy import ndimage

    around = view[ndimage.binary_dilation(part, np.ones((3, 3, 3), bool)) & ~part]
    touching = around[around > 0]
    if len(touching):
        view[part] = np.bincount(touching).argmax()
    elif volume_ml < SMALLEST_PART_ML:
        view[part] = 0
