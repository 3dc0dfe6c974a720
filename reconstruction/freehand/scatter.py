"""From the pixels of one frame to voxels and weights.

The arrays of voxels have one voxel more on every side than the grid (`PAD`): a pixel on the outermost voxel centres
gives its neighbours beyond their weight of nearly nothing there, and no index needs a check.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats, Singles

Indices = NDArray[np.intp]
PAD = 1
# Of a voxel: the outermost pixels of a sweep lie on the border of the grid that was laid around it, and are not lost to
# rounding.
_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Placed:
    """The pixels of a frame that lie within the grid.

    Attributes:
        chosen: which of the given pixels these are.
        places: along i, j, k of the padded array, ``(3, n)``, in voxels.
        shape: of the padded array.
    """

    chosen: Indices | slice
    places: Singles
    shape: tuple[int, int, int]

    def nearest(self) -> Indices:
        """The voxel that each pixel lies in, ``(n,)``, flat."""
        return self._flat((self.places + np.float32(0.5)).astype(np.intp))

    def corners(self) -> Iterator[tuple[Indices, Singles]]:
        """Flat voxels and weights of linear interpolation, ``(n,)`` each, eight times."""
        lower = self.places.astype(np.intp)
        part = self.places - lower.astype(np.float32)
        sides, cells = (np.float32(1.0) - part, part), self._flat(lower)
        _, nj, ni = self.shape
        for k in (0, 1):
            for j in (0, 1):
                plane = sides[k][2] * sides[j][1]
                for i in (0, 1):
                    yield cells + ((k * nj + j) * ni + i), plane * sides[i][0]

    def _flat(self, ijk: Indices) -> Indices:
        _, nj, ni = self.shape
        return (ijk[2] * nj + ijk[1]) * ni + ijk[0]


def place(xs: Singles, ys: Singles, voxel_from_px: Floats, shape: tuple[int, int, int], *, nearest: bool) -> Placed:
    """Places pixels in a grid.

    Args:
        xs, ys: pixels, ``(n,)`` each.
        voxel_from_px: ``(3, 3)``, of `FreehandGrid.voxel_from_px`.
        shape: of the grid, ``(nk, nj, ni)``.
        nearest: a pixel counts that lies in a voxel; else one that lies between voxel centres.
    """
    nk, nj, ni = (n + 2 * PAD for n in shape)
    reach = (0.5 if nearest else 0.0) + _TOLERANCE
    first, last = np.float32(PAD - reach), np.array([[ni], [nj], [nk]], np.float32) - np.float32(PAD + 1 - reach)
    places = np.empty((3, len(xs)), np.float32)
    for axis, (along_x, along_y, at) in enumerate(voxel_from_px):
        places[axis] = np.float32(along_x) * xs + np.float32(along_y) * ys + np.float32(at + PAD)
    chosen: Indices | slice = slice(None)
    if (places.min(axis=1) < first).any() or (places.max(axis=1) > last[:, 0]).any():
        chosen = np.flatnonzero(((places >= first) & (places <= last)).all(axis=0))
        places = places[:, chosen]
    return Placed(chosen, places, (nk, nj, ni))
