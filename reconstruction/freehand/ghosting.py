"""Ghosting: structures that stand in a volume twice, because two groups of its frames place them differently.

The frames are parted into two groups, each is compounded by itself, and blocks of the one are shifted over the other:
the shift at which they agree best is by how much they part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geometry.points import Floats, Singles
from reconstruction.freehand.compounding import Compounder, Grey
from reconstruction.freehand.grid import FreehandGrid, Mask
from reconstruction.freehand.holes import Filled, fill_holes
from reconstruction.freehand.settings import STICK_VOXELS

Box = tuple[slice, slice, slice]
BLOCK_MM = 20.0
MOST_MM = 4.0  # of the shifts that are tried
# Of a block: share of its voxels that both groups cover, standard deviation of its grey values, and their correlation
# at the best shift. A block with less says nothing.
_LEAST_SHARE, _LEAST_CONTRAST = 0.3, 8.0
_LEAST_CORRELATION = 0.5
_SMOOTH_VOXELS = 0.7


@dataclass(frozen=True, eq=False)
class Ghosting:
    """By how much two groups of frames place the same structures differently.

    Attributes:
        overlap: share of the covered voxels that both groups cover.
        correlation: of the grey values there; -1 where nothing overlaps, or nothing is to be seen.
        shifts_mm: of the blocks that could be compared, ``(n, 3)``.
    """

    overlap: float
    correlation: float
    shifts_mm: Floats

    def shift_mm(self, percentile: float) -> float:
        """A percentile of the blocks' shifts, in mm; NaN without blocks."""
        return (
            float(np.percentile(np.linalg.norm(self.shifts_mm, axis=1), percentile)) if len(self.shifts_mm) else np.nan
        )


def two_groups(
    frames: Iterable[tuple[Grey, Floats]], in_first: Iterable[bool], grid: FreehandGrid, mask: Mask
) -> Ghosting:
    """Compounds two groups of frames apart, and compares them.

    Args:
        frames: pixels and ``T_frame_image_px`` of each.
        in_first: which group each belongs to.
    """
    groups = Compounder(grid, mask), Compounder(grid, mask)
    for (grey, pose), first in zip(frames, in_first, strict=True):
        groups[0 if first else 1].add(grey, pose)
    # Every second frame leaves holes twice as long.
    return compare(*(fill_holes(group.read(), 2 * STICK_VOXELS) for group in groups))


def compare(first: Filled, second: Filled) -> Ghosting:
    """Compares two volumes on one grid."""
    pair = _Pair.of(first, second)
    both, spacing_kji = first.covered & second.covered, first.compounded.grid.spacing_mm[::-1]
    size, most = (np.maximum(np.rint(mm / spacing_kji).astype(int), 1) for mm in (BLOCK_MM, MOST_MM))
    shifts_mm = []
    for block in _blocks(both.shape, size):
        shift = pair.shift(block, most) if both[block].mean() >= _LEAST_SHARE else None
        if shift is not None:
            shifts_mm.append((shift * spacing_kji)[::-1])
    either = int((first.covered | second.covered).sum())
    return Ghosting(
        overlap=float(both.sum()) / max(either, 1),
        correlation=_correlation(pair.first[both], pair.second[both]),
        shifts_mm=np.array(shifts_mm, np.float64).reshape(-1, 3),
    )


def _blocks(shape: tuple[int, ...], size: NDArray[np.intp]) -> Iterator[Box]:
    for corner in product(*(range(0, n, side) for n, side in zip(shape, size, strict=True))):
        k, j, i = (slice(at, min(at + side, n)) for at, side, n in zip(corner, size, shape, strict=True))
        yield k, j, i


@dataclass(frozen=True, eq=False)
class _Pair:
    first: Singles
    second: Singles
    first_covered: Mask
    second_covered: Mask

    @classmethod
    def of(cls, first: Filled, second: Filled) -> _Pair:
        grey = [each.compounded.grey.astype(np.float32) for each in (first, second)]
        smooth = [ndimage.gaussian_filter(each, _SMOOTH_VOXELS) for each in grey]
        return cls(smooth[0], smooth[1], first.covered, second.covered)

    def shift(self, block: Box, most: NDArray[np.intp]) -> Floats | None:
        """By how many voxels (k, j, i) a block of the first lies elsewhere in the second; None if they do not agree.

        One axis after the other, twice: along an edge there is no best shift, and none is looked for.
        """
        at = np.zeros(3, np.intp)
        for axis in (0, 1, 2, 0, 1, 2):
            scores = self._scores(block, at, axis, int(most[axis]))
            at[axis] = int(np.argmax(scores)) - most[axis]
        if max(scores) < _LEAST_CORRELATION or (np.abs(at) == most).any():
            return None
        return at + np.array([self._between(block, at, axis) for axis in range(3)])

    def _scores(self, block: Box, at: NDArray[np.intp], axis: int, most: int) -> list[float]:
        along = np.eye(3, dtype=np.intp)[axis]
        return [self._score(block, at * (1 - along) + step * along) for step in range(-most, most + 1)]

    def _between(self, block: Box, at: NDArray[np.intp], axis: int) -> float:
        """The top of the parabola through the best shift and its neighbours, relative to the best."""
        along = np.eye(3, dtype=np.intp)[axis]
        before, best, after = (self._score(block, at + step * along) for step in (-1, 0, 1))
        bend = before - 2.0 * best + after
        if bend >= 0.0 or min(before, after) <= -1.0:  # flat, or nothing to compare with on one side
            return 0.0
        return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))

    def _score(self, block: Box, shift: NDArray[np.intp]) -> float:
        moved = tuple(slice(each.start + by, each.stop + by) for each, by in zip(block, shift, strict=True))
        if any(each.start < 0 or each.stop > n for each, n in zip(moved, self.second.shape, strict=True)):
            return -1.0
        both = self.first_covered[block] & self.second_covered[moved]
        if both.mean() < 0.5 * _LEAST_SHARE:
            return -1.0
        return _correlation(self.first[block][both], self.second[moved][both])


def _correlation(a: Singles, b: Singles) -> float:
    """NaN-free: values without contrast agree in nothing."""
    if len(a) < 2 or min(a.std(), b.std()) < _LEAST_CONTRAST:
        return -1.0
    return float(np.corrcoef(a, b)[0, 1])
