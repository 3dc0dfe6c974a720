"""The surface of bone in a B-mode frame, as one row for each column, or none where no bone is sure enough.

The frame is averaged onto a grid of 256 rows. There every pixel gets a likelihood (`bone_likelihood`), and dynamic
programming finds the best pieces (`bone_path`). A piece counts as bone only if it is likely and its echo stands out of
the tissue right above it: bone reflects nearly all sound, a fascia or a layer of fat does not. The surface is the upper
border of the echo, where the sound meets the bone first; in a saturated echo the brightest row lies millimetres deeper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter1d

from geometry.extras import from_extra
from geometry.points import Floats, Singles
from reconstruction.errors import FrameError
from reconstruction.ultrasound.bone_likelihood import bone_likelihood
from reconstruction.ultrasound.bone_path import best_path


@dataclass(frozen=True, kw_only=True)
class BoneSurfaceSettings:
    """How bone is looked for. Lengths are in pixels of the grid, of which `grid_rows` are the depth of the frame.

    Attributes:
        grid_rows: rows that the frame is averaged onto; columns in proportion.
        wavelengths_px: of the filters, from the thickness of a thin ridge to that of a thick one.
        noise: share of the largest filter response in the frame that counts as noise.
        shadow_gap_px: rows under the middle of an echo that may still be bright, because an echo has a thickness.
        skip_px: rows from the top in which the transducer's own echoes lie.
        least_shadow_px: rows at the bottom in which no bone is found, as its shadow would not be seen.
        largest_step_px: how far the surface may move from one column to the next.
        step_cost: of one pixel of such a move, in units of the logarithm of the likelihood.
        absence: likelihood below which a column rather has no bone.
        change_cost: of an end of the surface, in the same units as `step_cost`.
        border: share of its brightness, from the darkest row above to the brightest, at which an echo begins.
        speckle_px: rows that may be dark within an echo.
        reach_px: how far above the middle of an echo its border may lie.
        shortest_px: a piece of fewer columns is left out.
        least_sureness: of a piece: its mean likelihood times how far its echo stands out of the tissue above, as a
            share of the frame's brightness. Less is left out.
        shadow_px: rows below the echo that are its shadow, and above it that are tissue.
        shadow_of_echo: mean brightness of the shadow, as a share of the echo's, from which it is none.
        least_tissue: mean brightness of the tissue, as a share of the frame's; where nothing above sends sound back, as
            in water or in a vessel, darkness below shows nothing.
    """

    grid_rows: int = 256
    wavelengths_px: tuple[float, ...] = (8.0, 16.0, 32.0)
    noise: float = 0.02
    shadow_gap_px: int = 20
    skip_px: int = 32
    least_shadow_px: int = 50
    largest_step_px: int = 4
    step_cost: float = 0.15
    absence: float = 0.08
    change_cost: float = 4.0
    border: float = 0.8
    speckle_px: int = 4
    reach_px: int = 12
    shortest_px: int = 10
    least_sureness: float = 0.085
    shadow_px: int = 40
    shadow_of_echo: float = 0.18
    least_tissue: float = 0.1


@dataclass(frozen=True, eq=False)
class BoneSurface:
    """Bone in one frame.

    Attributes:
        columns: ``(n,)`` columns of the frame in which bone was found, ascending; a gap lies between any two pieces,
            even where one begins, at another depth, right beside the end of the other.
        rows: ``(n,)`` rows of the surface, between pixels.
        likelihood: ``(n,)`` 0 to 1: ridge and shadow together. Not a probability.
    """

    columns: NDArray[np.intp]
    rows: Floats
    likelihood: Floats


def find_bone_surface(frame: NDArray[np.generic], settings: BoneSurfaceSettings | None = None) -> BoneSurface:
    """Finds the surface of bone in a frame.

    Args:
        frame: B-mode, ``(rows, columns)``, the transducer at row 0; grey values of any scale. Columns that are black
            from top to bottom are outside the image.

    Returns:
        The surface; without any column where no bone is sure enough, or there is no image.

    Raises:
        FrameError: not one channel of finite numbers, or too small for the filters.
    """
    settings = settings or BoneSurfaceSettings()
    grey = _checked(frame)
    inside = np.flatnonzero(grey.any(axis=0))
    if not len(inside):
        return BoneSurface(inside, np.empty(0), np.empty(0))
    first, last = int(inside[0]), int(inside[-1]) + 1
    lit = np.flatnonzero(grey.any(axis=1))
    top, bottom = int(lit[0]), int(lit[-1]) + 1
    grid = _on_grid(grey[top:bottom, first:last], settings.grid_rows)
    # Half a per cent of the pixels may be brighter: a metal needle, a mark of the scanner.
    bright = max(float(np.percentile(grid, 99.5)), float(np.finfo(np.float32).tiny))
    likelihood = bone_likelihood(
        grid, bright, settings.wavelengths_px, settings.noise, min(settings.shadow_gap_px, len(grid) // 2)
    )
    likelihood[: settings.skip_px] = 0.0
    likelihood[len(grid) - settings.least_shadow_px :] = 0.0
    path = best_path(likelihood, settings.absence, settings.largest_step_px, settings.step_cost, settings.change_cost)
    pieces = _sure_pieces(path, likelihood, grid, bright, settings)
    scale = (bottom - top) / grid.shape[0], (last - first) / grid.shape[1]
    return _on_frame(pieces, scale, first, last, top)


@dataclass(frozen=True, eq=False)
class _Piece:
    """Bone in neighbouring columns of the grid, each ``(n,)``; rows are those of the border."""

    columns: NDArray[np.intp]
    rows: Floats
    likelihood: Singles


def _checked(frame: NDArray[np.generic]) -> Singles:
    grey = np.asarray(frame)
    least = 80
    if grey.ndim != 2 or grey.dtype.kind not in "uif" or not np.isfinite(grey).all():
        raise FrameError(
            f"a frame of shape {np.shape(frame)} and type {grey.dtype}",
            "one channel of finite grey values, (rows, columns)",
            "convert it to grey first",
        )
    if min(grey.shape) < least:
        raise FrameError(f"a frame of {grey.shape} pixels", f"at least {least} each way", "do not crop it so far")
    return grey.astype(np.float32)


def _on_grid(grey: Singles, rows: int) -> Singles:
    """The frame with `rows` rows and square pixels as before: averaged, so that speckle does not alias."""
    with from_extra("ultrasound"):
        import cv2

    columns = max(1, round(grey.shape[1] * rows / grey.shape[0]))
    method = cv2.INTER_AREA if rows < grey.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(grey, (columns, rows), interpolation=method), np.float32)


def _sure_pieces(
    path: NDArray[np.intp], likelihood: Singles, grid: Singles, bright: float, settings: BoneSurfaceSettings
) -> list[_Piece]:
    """The pieces of the path that are bone. A jump ends a piece, as an absence does."""
    breaks = np.flatnonzero(np.abs(np.diff(path)) > settings.largest_step_px) + 1
    pieces = []
    for columns in np.split(np.arange(len(path)), breaks):
        if path[columns[0]] < 0 or len(columns) < settings.shortest_px:
            continue
        rows = _border(grid, path[columns], columns, settings)
        here = likelihood[path[columns], columns]
        sureness = _sureness(grid / np.float32(bright), rows, columns, float(here.mean()), settings)
        if sureness >= settings.least_sureness:
            # Speckle within an echo hides its border in a few columns at a time.
            smooth = median_filter(rows.astype(np.float64), 9, mode="nearest")
            pieces.append(_Piece(columns, uniform_filter1d(smooth, 3), here))
    return pieces


def _sureness(
    grid: Singles, rows: NDArray[np.intp], columns: NDArray[np.intp], likelihood: float, s: BoneSurfaceSettings
) -> float:
    """The likelihood times how far an echo with the border `rows` stands out; 0 where it throws no shadow."""

    def mean(first: int, last: int) -> float:
        there = np.clip(rows + np.arange(first, last)[:, None], 0, len(grid) - 1)
        return float(grid[there, columns].mean())

    echo, shadow = mean(0, 6), mean(s.shadow_gap_px + 5, s.shadow_gap_px + 5 + s.shadow_px)
    if shadow > s.shadow_of_echo * echo or mean(-s.shadow_px, -1) < s.least_tissue:
        return 0.0
    return likelihood * (echo - mean(-13, -1))


def _border(
    grid: Singles, rows: NDArray[np.intp], columns: NDArray[np.intp], settings: BoneSurfaceSettings
) -> NDArray[np.intp]:
    """The uppermost row ``(n,)`` from which an echo is bright down to its middle, `rows`, but for gaps of speckle."""
    with from_extra("ultrasound"):
        import cv2

    smooth, up = cv2.blur(grid, (5, 1)), settings.reach_px
    around = np.clip(rows + np.arange(3, -up - 1, -1)[:, None], 0, len(grid) - 1)
    echo = smooth[around, columns]  # upwards
    darkest, brightest = echo.min(axis=0), echo.max(axis=0)
    bright = (echo >= darkest + settings.border * (brightest - darkest))[3:]
    bright[0] = True
    closed = cv2.morphologyEx(bright.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((settings.speckle_px + 1, 1), np.uint8))
    higher = np.logical_and.accumulate(closed[1:] > 0, axis=0).sum(axis=0)
    return np.maximum(rows - higher, 0)


def _on_frame(pieces: list[_Piece], scale: tuple[float, float], first: int, last: int, top: int) -> BoneSurface:
    """Every column of the frame that a piece covers; pixel centres are integers, in the grid and in the frame."""
    columns, rows, likelihood = [np.empty(0, np.intp)], [np.empty(0)], [np.empty(0)]
    for piece in pieces:
        centres = first + (piece.columns + 0.5) * scale[1] - 0.5
        left, right = np.ceil(centres[0] - scale[1] / 2), np.ceil(centres[-1] + scale[1] / 2)
        covered = np.arange(max(first, int(left)), min(last, int(right)) - 1)
        columns.append(covered)
        rows.append(np.interp(covered, centres, top + (piece.rows + 0.5) * scale[0] - 0.5))
        likelihood.append(np.interp(covered, centres, piece.likelihood))
    return BoneSurface(np.concatenate(columns), np.concatenate(rows), np.concatenate(likelihood))
