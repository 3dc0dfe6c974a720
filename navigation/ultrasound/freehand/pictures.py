"""Slices through a freehand volume, with what was filled and what stayed empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from navigation.pictures.colours import NIGHT, NIGHT_INK
from navigation.pictures.figures import empty_figure
from reconstruction.freehand.coverage import Coverage
from reconstruction.freehand.holes import Filled

_FILLED, _GAP = (0.25, 0.55, 1.0), (1.0, 0.25, 0.2)
# The axis across a slice, the axes to the right and down.
_SLICES = ((0, "z", "x", "y"), (1, "y", "x", "z"), (2, "x", "y", "z"))


def save_slices(path: Path, filled: Filled, coverage: Coverage) -> None:
    """Writes a PNG of three slices along the axes of the volume's frame, through the middle of what was seen.

    Filled voxels are tinted blue, gaps are red.

    Args:
        path: of the PNG; its folder must exist.
    """
    grid = filled.compounded.grid
    middle = [int(np.median(where)) for where in np.nonzero(filled.compounded.seen)]
    figure = empty_figure(12.0, 4.6, NIGHT)
    figure.subplots_adjust(left=0.05, right=0.99, top=0.9, bottom=0.12, wspace=0.16)
    for number, (axis, across, right, down) in enumerate(_SLICES):
        grey = np.take(filled.compounded.grey, middle[axis], axis)
        picture = np.stack([grey / 255.0] * 3, axis=-1)
        blue = np.take(filled.filled, middle[axis], axis)
        picture[blue] = 0.6 * picture[blue] + 0.4 * np.array(_FILLED)
        picture[np.take(coverage.gap, middle[axis], axis)] = _GAP
        i, j = ("xyz".index(letter) for letter in (right, down))
        start, step, count = grid.origin_mm, grid.spacing_mm, grid.shape_ijk
        ends = [(start[n] - 0.5 * step[n], start[n] + (count[n] - 0.5) * step[n]) for n in (i, j)]
        axes = figure.add_subplot(1, 3, number + 1)
        axes.imshow(picture, extent=(*ends[0], *reversed(ends[1])), interpolation="nearest", aspect="equal")
        at_mm = start["xyz".index(across)] + middle[axis] * step["xyz".index(across)]
        axes.set_title(f"{across} = {at_mm:.0f} mm in {grid.frame}", color=NIGHT_INK, fontsize=10)
        axes.set_xlabel(f"{right} [mm]", color=NIGHT_INK, fontsize=8)
        axes.set_ylabel(f"{down} [mm]", color=NIGHT_INK, fontsize=8)
        axes.tick_params(colors=NIGHT_INK, labelsize=8)
    figure.savefig(path, facecolor=NIGHT, pil_kwargs={"optimize": True})
