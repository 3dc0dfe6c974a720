"""Frames of any size on the square grid of a 2D network, and its probabilities back on the frame.

The frame is scaled to fit, its sides in proportion, and centred; what is left over is black, as beside every
ultrasound image. Training, the live path and every benchmark go through here, so none can differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.points import Singles


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
        """Pixels ``(h, w)`` or ``(c, h, w)`` averaged onto the grid, 0 beside them: ``(..., *grid)``."""
        rows = _averaging(self.frame[0], self.inner[0])
        columns = _averaging(self.frame[1], self.inner[1])
        out = np.zeros((*pixels.shape[:-2], *self.grid), np.float32)
        (r, c), (h, w) = self.first, self.inner
        out[..., r : r + h, c : c + w] = rows @ pixels.astype(np.float32, copy=False) @ columns.T
        return out

    def to_frame(self, values: Singles) -> Singles:
        """Values ``(..., *grid)`` at the frame's pixels by linear interpolation: ``(..., *frame)``."""
        (r, c), (h, w) = self.first, self.inner
        inner = values[..., r : r + h, c : c + w].astype(np.float32, copy=False)
        on_frame = _interpolating(h, self.frame[0]) @ inner @ _interpolating(w, self.frame[1]).T
        return np.asarray(on_frame, np.float32)


def letterbox(frame: tuple[int, int], grid: tuple[int, int]) -> Letterbox:
    """The placement of a frame of ``(h, w)`` pixels on a grid of ``(h, w)``."""
    scale = min(grid[0] / frame[0], grid[1] / frame[1])
    inner = tuple(min(g, max(1, round(f * scale))) for f, g in zip(frame, grid, strict=True))
    first = tuple((g - n) // 2 for g, n in zip(grid, inner, strict=True))
    return Letterbox(frame, grid, (inner[0], inner[1]), (first[0], first[1]))


def _averaging(n: int, m: int) -> Singles:
    """``(m, n)``: every new pixel is the average of the old over its extent, so that speckle does not alias.

    Where the new grid is finer, it interpolates.
    """
    if m > n:
        return _interpolating(n, m)
    edges = np.arange(m + 1) * (n / m)
    left, right = edges[:-1, None], edges[1:, None]
    pixel = np.arange(n)
    covered = np.clip(np.minimum(right, pixel + 1) - np.maximum(left, pixel), 0, None)
    return (covered / covered.sum(axis=1, keepdims=True)).astype(np.float32)


def _interpolating(n: int, m: int) -> Singles:
    """``(m, n)``: linear interpolation between pixel centres, constant beyond the outermost."""
    at = np.clip((np.arange(m) + 0.5) * (n / m) - 0.5, 0, n - 1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(n))).astype(np.float32)
