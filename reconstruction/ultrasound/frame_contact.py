"""Whether the probe touches anything: in air, sound runs to and fro in the transducer, and nothing comes from below.

Such columns hold the transducer's ring-down and a few bright bands, the same in all columns, then nothing but the
scanner's own noise. Columns in the shadow of bone are dark below too, but tissue lies above the bone, and tissue
differs from column to column and is not black between its layers. So a column is in air if near the transducer it
agrees with a neighbour and is black in places, and below a third of the depth differs from the neighbour by noise only.

Depth is counted from the first bright row of each column, so that a picture may begin below row 0, and may be a sector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.points import Singles

# A frame is looked at on this grid: bands of a few millimetres stay apart along the beam, noise is averaged across it.
ROWS, COLUMNS = 128, 64
ECHO_GREY = 16.0  # the transducer's echo is brighter than this, on every scanner seen
LAST_TOP = ROWS // 4  # a column whose first echo lies deeper does not begin at the transducer
NEAR = ROWS // 4  # rows in which columns are compared
BLACK_ROWS = NEAR // 4  # of these, so many must be darker than an echo
DEEP_FROM = ROWS // 3  # bands of recorded air end at an eighth of the depth; convex probes ring longer
NEIGHBOUR = 4  # columns between those that are compared: farther apart than speckle hangs together
LIKE = 0.8  # correlation of neighbours: recorded air 0.95 and more
STRUCTURE_GREY = 3.0  # standard deviation along the deep part of the difference of neighbours
FEWEST = 8  # columns


def on_grid(pixels: NDArray[np.uint8]) -> Singles:
    """Mean grey values of a frame ``(h, w)``, the transducer at row 0, on ``(ROWS, COLUMNS)``."""
    with from_extra("ultrasound"):
        import cv2

    height, width = pixels.shape
    if height >= 2 * ROWS and width >= 2 * COLUMNS:
        # Halves are much faster than the broken numbers that follow.
        even = pixels[: height // 2 * 2, : width // 2 * 2]
        pixels = cv2.resize(even, (width // 2, height // 2), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return cv2.resize(pixels, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)


def share_in_air(grid: Singles) -> float:
    """Share of the field's columns that are in air, 0 to 1; 0 if hardly any column has an echo near the transducer.

    Args:
        grid: the frame, by `on_grid`.
    """
    with from_extra("ultrasound"):
        import cv2

    bright = grid > ECHO_GREY
    top = np.where(bright.any(axis=0), bright.argmax(axis=0), ROWS)
    field = top < LAST_TOP
    if field.sum() < FEWEST:
        return 0.0
    smooth = cv2.blur(grid, (5, 5)).astype(np.float32, copy=False)
    alike = np.zeros(COLUMNS, bool)
    near = _rows_from(grid, top, NEAR + 2)
    pairs = _alike(near, _rows_from(smooth, top + DEEP_FROM, ROWS - DEEP_FROM))
    alike[:-NEIGHBOUR] |= pairs & field[NEIGHBOUR:]
    alike[NEIGHBOUR:] |= pairs & field[:-NEIGHBOUR]
    black = (near <= ECHO_GREY).sum(axis=0) >= BLACK_ROWS
    return float((field & alike & black).sum() / field.sum())


def _rows_from(grid: Singles, first: NDArray[np.intp], count: int) -> Singles:
    """`count` rows of each column from a first row of its own; the last row of the grid stands for those below it."""
    rows = np.minimum(first + np.arange(count)[:, None], len(grid) - 1)
    return np.take_along_axis(grid, rows, axis=0)


def _alike(near: Singles, deep: Singles) -> NDArray[np.bool_]:
    """Whether a column and its neighbour to the right have the same bands above, and below no structure apart."""
    left, right = near[1:-1, :-NEIGHBOUR], near[:, NEIGHBOUR:]
    # A row up or down: the first bright row is a whole number, and the arc of a convex probe is not.
    above = np.maximum.reduce([_correlation(left, right[up : up + len(left)]) for up in range(3)]) > LIKE
    apart: Singles = (deep[:, :-NEIGHBOUR] - deep[:, NEIGHBOUR:]).std(axis=0)
    return above & (apart < STRUCTURE_GREY)


def _correlation(a: Singles, b: Singles) -> Singles:
    """Of each column of one with the same column of the other."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return (a * b).sum(axis=0) / np.maximum(np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0), 1e-3)
