"""Frames of any size on the square grid of a 2D network, and its probabilities back on the frame.

The frame is scaled to fit, its sides in proportion, and centred; what is left over is black, as beside every
ultrasound image. Training, the live path and every benchmark go through here, so none can differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.extras import from_extra
from geometry.points import Floats, Singles


@dataclass(frozen=True)
class Letterbox:
    """Where a frame lies on the network's grid.

    Attributes:
        frame: ``(h, w)`` pixels of the frame.
        grid: ``(h, w)`` pixels of the network's input.
        inner: ``(h, w)`` pixels that the scaled frame covers.
        first: ``(row, column)`` of its upper left pixel.
    """

    frame: tuple[int, int]
    grid: tuple[int, int]
    inner: tuple[int, int]
    first: tuple[int, int]

    def to_grid(self, pixels: Singles) -> Singles:
        """Pixels ``(h, w)`` averaged onto the grid, 0 beside them: ``grid``.

        Every new pixel is the average of the old over its extent, so that speckle does not alias; where the grid is
        finer than the frame, it interpolates.
        """
        (r, c), (h, w) = self.first, self.inner
        out = np.zeros(self.grid, np.float32)
        finer = h > self.frame[0] or w > self.frame[1]
        out[r : r + h, c : c + w] = _resized(pixels, self.inner, averaged=not finer)
        return out

    def to_frame(self, values: Singles) -> Singles:
        """Values ``(c, *grid)`` at the frame's pixels by linear interpolation: ``(c, *frame)``."""
        (r, c), (h, w) = self.first, self.inner
        return np.stack([_resized(channel[r : r + h, c : c + w], self.frame, averaged=False) for channel in values])

    def points_to_frame(self, points_rc: Floats) -> Floats:
        """Points ``(n, 2)``, row and column on the grid, to row and column on the frame; pixel centres are integers."""
        scale = np.array(self.frame) / np.array(self.inner)
        return (points_rc - np.array(self.first) + 0.5) * scale - 0.5


def letterbox(frame: tuple[int, int], grid: tuple[int, int]) -> Letterbox:
    """The placement of a frame of ``(h, w)`` pixels on a grid of ``(h, w)``."""
    scale = min(grid[0] / frame[0], grid[1] / frame[1])
    inner = tuple(min(g, max(1, round(f * scale))) for f, g in zip(frame, grid, strict=True))
    first = tuple((g - n) // 2 for g, n in zip(grid, inner, strict=True))
    return Letterbox(frame, grid, (inner[0], inner[1]), (first[0], first[1]))


def _resized(pixels: Singles, size: tuple[int, int], *, averaged: bool) -> Singles:
    with from_extra("ultrasound"):
        import cv2

    method = cv2.INTER_AREA if averaged else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels.astype(np.float32, copy=False), size[::-1], interpolation=method), np.float32)
