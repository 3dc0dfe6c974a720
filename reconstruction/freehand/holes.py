"""Fills small holes between frames along sticks, as PLUS does; larger ones stay empty.

A stick is a straight line through an empty voxel, in one of 13 directions, with a seen voxel at both ends. The shortest
gives the voxel its value; several that are equally short, their mean. PLUS's weights of the two ends lean by half a
voxel to the one ahead, and it cuts fractions off; so does this, and `tests/reconstruction/freehand/test_plus.py` holds
every filled voxel to PLUS's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geometry.points import Floats
from reconstruction.freehand.compounding import Compounded, Grey
from reconstruction.freehand.errors import FreehandError
from reconstruction.freehand.grid import Mask
from reconstruction.freehand.settings import STICK_VOXELS

# PLUS's order (x, y, z), in which equally short sticks are added up.
_DIRECTIONS = (
    *((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, -1, 0), (1, 0, -1), (0, 1, -1)),
    *((1, 1, 1), (-1, 1, 1), (1, -1, 1), (-1, -1, 1)),
)
_Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Filled:
    """A volume whose small holes were filled.

    Attributes:
        compounded: grey values with the holes filled; `seen` as before: what was filled was not seen.
        filled: the voxels that were filled.
    """

    compounded: Compounded
    filled: Mask

    @property
    def covered(self) -> Mask:
        """Voxels with a value."""
        return self.compounded.seen | self.filled


def fill_holes(compounded: Compounded, stick_voxels: int = STICK_VOXELS) -> Filled:
    """Fills each empty voxel that a stick of at most `stick_voxels`, its ends included, bridges.

    Raises:
        FreehandError: a stick shorter than 3 voxels, which bridges nothing.
    """
    if stick_voxels < 3:
        came = f"sticks of {stick_voxels} voxels"
        raise FreehandError(came, "3 or more, ends included", "leave the holes as they are instead")
    reach = stick_voxels - 2
    seen, grey = np.pad(compounded.seen, reach), np.pad(compounded.grey, reach)
    near: Mask = ndimage.maximum_filter(seen, size=2 * reach + 1)
    holes = np.flatnonzero(near & ~seen)
    # The padding is empty, so a stick that leaves the grid, or wraps around it, meets nothing within its reach.
    holes = holes[_inside(holes, seen.shape, reach)]
    found, values = _bridged(seen, grey, holes, stick_voxels)
    ijk = tuple(axis - reach for axis in np.unravel_index(holes[found], seen.shape))
    filled, out = np.zeros_like(compounded.seen), compounded.grey.copy()
    filled[ijk], out[ijk] = True, values
    return Filled(replace(compounded, grey=out), filled)


def _inside(flat: _Indices, shape: tuple[int, ...], pad: int) -> Mask:
    kji = np.unravel_index(flat, shape)
    inside = [(axis >= pad) & (axis < n - pad) for axis, n in zip(kji, shape, strict=True)]
    return np.logical_and.reduce(inside)


def _bridged(seen: Mask, grey: Grey, holes: _Indices, stick_voxels: int) -> tuple[Mask, Grey]:
    """Which holes a stick bridges, and their values."""
    best, total, weighted = (np.zeros(len(holes)) for _ in range(3))
    for direction in _DIRECTIONS:
        step = (direction[2] * seen.shape[1] + direction[1]) * seen.shape[2] + direction[0]
        ahead, value_ahead = _first_seen(seen, grey, holes, step, stick_voxels - 2)
        behind, value_behind = _first_seen(seen, grey, holes, -step, stick_voxels - 2)
        length = ahead + behind + 1.0
        bridged = (ahead > 0) & (behind > 0) & (length <= stick_voxels)
        part_ahead = (behind + 1) / length
        value = np.trunc((1.0 - part_ahead) * value_behind + part_ahead * value_ahead)
        weight = np.where(bridged, 1.0 / (length * np.sqrt(float(np.dot(direction, direction)))), 0.0)
        better, equal = weight > best, bridged & (weight == best)
        best = np.maximum(best, weight)
        total = np.where(better, weight, total + np.where(equal, weight, 0.0))
        weighted = np.where(better, value * weight, weighted + np.where(equal, value * weight, 0.0))
    found = best > 0.0
    return found, np.trunc(weighted[found] / total[found]).astype(np.uint8)


def _first_seen(seen: Mask, grey: Grey, holes: _Indices, step: int, most: int) -> tuple[Floats, Floats]:
    """How far the first seen voxel is along a step, 0 for none within `most`, and its value."""
    flat_seen, distance, value = seen.reshape(-1), np.zeros(len(holes)), np.zeros(len(holes))
    left = np.arange(len(holes))
    for far in range(1, most + 1):
        at = holes[left] + far * step
        hit = flat_seen[at]
        distance[left[hit]], value[left[hit]] = far, grey.reshape(-1)[at[hit]]
        left = left[~hit]
    return distance, value
