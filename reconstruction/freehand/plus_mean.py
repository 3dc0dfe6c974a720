"""The running mean of PLUS and 3D Slicer, bit for bit: places of 14 bits, weights of 8 bits, voxels of 8 bits.

Their linear interpolation (``vtkPlusPasteSliceIntoVolume``, optimization FULL) rounds a voxel to 8 bits with every
pixel that it takes, so the order of the pixels counts: a voxel that has taken many no longer follows small
differences. Here the k-th pixels of all voxels are taken at once. `tests/reconstruction/freehand/test_plus.py` holds
the result to PLUS's own volume: no voxel differs.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats

Longs = NDArray[np.int64]
_BITS, _ONE, _HALF = 14, 1 << 14, 1 << 13
_WEIGHT_ONE, _WEIGHT_MOST = 256, 65535


def add_8_bit(
    values: Longs, weights: Longs, grey: NDArray[np.uint8], pixels: tuple[Longs, Longs], voxel_from_px: Floats
) -> None:
    """Adds a frame to the running mean, in place.

    Args:
        values, weights: ``(nk, nj, ni)``; a weight of 256 is one whole pixel.
        grey: of the pixels, ``(n,)``, in the order of the rows.
        pixels: x and y, ``(n,)`` each.
        voxel_from_px: ``(3, 3)``, of `FreehandGrid.voxel_from_px`.
    """
    voxels, parts, given = _corners(grey.astype(np.int64), pixels, voxel_from_px, values.shape)
    flat_values, flat_weights = values.reshape(-1), weights.reshape(-1)
    for at, part, grey_of in _turns(voxels, parts, given):
        before = flat_weights[at] * (_ONE // _WEIGHT_ONE)
        total = part + before
        mean = np.rint((part * grey_of + before * flat_values[at]) / total * _ONE).astype(np.int64)
        flat_values[at] = (mean + _HALF) >> _BITS
        weight = (total * _WEIGHT_ONE + _HALF) >> _BITS
        flat_weights[at] = np.minimum(weight, _WEIGHT_MOST)


def _corners(
    grey: Longs, pixels: tuple[Longs, Longs], voxel_from_px: Floats, shape: tuple[int, ...]
) -> tuple[Longs, Longs, Longs]:
    """Flat voxels, parts in 14 bits and grey values of all pairs of pixel and voxel, in the order of the pixels."""
    fixed = np.rint(voxel_from_px * _ONE).astype(np.int64)
    place = fixed[:, 2:] + fixed[:, 1:2] * pixels[1] + fixed[:, :1] * pixels[0]
    lower, part = place >> _BITS, place & (_ONE - 1)
    last = np.array(shape[::-1])[:, None] - 1
    inside = ((lower >= 0) & (lower + (part > 0) <= last)).all(axis=0)
    lower, part, grey = lower[:, inside], part[:, inside], grey[inside]
    sides, up = (_ONE - part, part), part > 0
    voxels, parts = [], []
    for i, j, k in product((0, 1), repeat=3):
        ijk = lower + np.array([[i], [j], [k]]) * up
        voxels.append((ijk[2] * shape[1] + ijk[1]) * shape[2] + ijk[0])
        parts.append(_product(sides[i][0], _product(sides[j][1], sides[k][2])))
    flat, weight = (np.stack(each, axis=1).reshape(-1) for each in (voxels, parts))
    some = weight > 0
    return flat[some], weight[some], np.repeat(grey, 8)[some]


def _product(a: Longs, b: Longs) -> Longs:
    return (a * b + _HALF) >> _BITS


def _turns(voxels: Longs, parts: Longs, grey: Longs) -> list[tuple[Longs, Longs, Longs]]:
    """The first pixel of every voxel, then the second of every voxel that has one, and so on."""
    if len(voxels) == 0:
        return []
    order = np.argsort(voxels, kind="stable")
    first = np.flatnonzero(np.diff(voxels[order], prepend=-1))
    turn = np.arange(len(order)) - np.repeat(first, np.diff(first, append=len(order)))
    by_turn = order[np.argsort(turn.astype(np.int32), kind="stable")]
    ends = np.cumsum(np.bincount(turn))[:-1]
    return list(zip(*(np.split(each[by_turn], ends) for each in (voxels, parts, grey)), strict=True))
