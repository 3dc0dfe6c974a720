"""The surface of bone in a B-mode frame: a bright ridge with shadow under it, as one row for each column, or none.

Three things mark bone: a response that is symmetric about the ridge at several scales (phase symmetry by the monogenic
signal: Felsberg & Sommer, IEEE TSP 49(12), 2001; for bone in ultrasound Hacihaliloglu et al., Ultrasound Med Biol
35(9), 2009), brightness, and darkness from there to the bottom, because bone lets no sound through. Their product is
high along the surface; dynamic programming finds the path of the highest product that does not jump from column to
column, and leaves out columns in which no row is likely (after Foroughi et al., SPIE 6513, 2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from geometry.points import Floats
from reconstruction.errors import FrameError

_LIKELIEST = 1e-6  # below any product that matters


@dataclass(frozen=True, kw_only=True)
class BoneSurfaceSettings:
    """How bone is looked for. Lengths are in pixels of the frame.

    Attributes:
        wavelengths_px: of the filters, from the thickness of a thin ridge to that of a thick one.
        noise: share of the largest filter response in the frame that counts as noise.
        shadow_gap_px: rows under the ridge that may still be bright, because the ridge has a thickness.
        skip_px: rows from the top in which the transducer's own echoes lie.
        largest_step_px: how far the surface may move from one column to the next.
        step_cost: of one pixel of such a move, in units of the logarithm of the likelihood.
        absence: likelihood below which a column rather has no bone.
        change_cost: of an end of the surface, in the same units as `step_cost`.
        shortest_px: a piece of fewer columns is left out.
        faintest: a piece whose mean likelihood is less than this share of the best piece's is left out: fascia.
    """

    wavelengths_px: tuple[float, ...] = (12.0, 24.0, 40.0)
    noise: float = 0.02
    shadow_gap_px: int = 20
    skip_px: int = 60
    largest_step_px: int = 4
    step_cost: float = 0.15
    absence: float = 0.05
    change_cost: float = 6.0
    shortest_px: int = 40
    faintest: float = 0.75


@dataclass(frozen=True, eq=False)
class BoneSurface:
    """Bone in one frame.

    Attributes:
        columns: ``(n,)`` columns of the frame in which bone was found, ascending.
        rows: ``(n,)`` rows of the surface, between pixels.
        likelihood: ``(n,)`` 0 to 1: ridge, brightness and shadow together. Not a probability.
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
        The surface; without any column where there is no bone, or no image.

    Raises:
        FrameError: not one channel of finite numbers, or too small for the filters.
    """
    settings = settings or BoneSurfaceSettings()
    grey = _checked(frame, settings)
    inside = np.flatnonzero(grey.any(axis=0))
    if not len(inside):
        return BoneSurface(inside, np.empty(0), np.empty(0))
    first, last = int(inside[0]), int(inside[-1]) + 1
    likelihood = bone_likelihood(grey[:, first:last], settings)
    path = _best_path(likelihood, settings)
    path = _without_doubtful_pieces(path, likelihood, settings)
    columns = np.flatnonzero(path >= 0)
    rows = _between_pixels(likelihood, path[columns], columns)
    return BoneSurface(columns + first, rows, likelihood[path[columns], columns])


def bone_likelihood(grey: Floats, settings: BoneSurfaceSettings) -> Floats:
    """Ridge times brightness times shadow, each 0 to 1, for every pixel ``(rows, columns)``."""
    symmetry = phase_symmetry(grey, settings.wavelengths_px, settings.noise)
    bright = np.clip(grey / max(float(np.percentile(grey, 99.5)), 1e-9), 0.0, 1.0)
    likelihood = symmetry * np.sqrt(bright) * _shadow(bright, settings.shadow_gap_px)
    likelihood[: settings.skip_px] = 0.0
    return likelihood


def phase_symmetry(grey: Floats, wavelengths_px: tuple[float, ...], noise: float) -> Floats:
    """How far each pixel is the middle of a bright ridge, 0 to 1, at any orientation and brightness.

    Args:
        noise: share of the largest response that counts as noise.
    """
    margin = int(max(wavelengths_px))
    inner = (slice(margin, -margin),) * 2
    grey = np.pad(grey, margin, mode="reflect")  # the Fourier transform would wrap one side round to the other
    rows, columns = grey.shape
    v, u = np.meshgrid(np.fft.fftfreq(rows), np.fft.fftfreq(columns), indexing="ij")
    radius = np.hypot(u, v)
    radius[0, 0] = 1.0
    riesz = (1j * u - v) / radius  # both odd parts as one complex number
    spectrum = np.fft.fft2(grey)
    even_sum, amplitude_sum = np.zeros_like(grey), np.zeros_like(grey)
    for wavelength in wavelengths_px:
        # Log-Gabor filter with a bandwidth of two octaves.
        band = np.exp(-(np.log(radius * wavelength) ** 2) / (2 * np.log(0.55) ** 2))
        band[0, 0] = 0.0
        even = np.fft.ifft2(spectrum * band).real
        odd = np.abs(np.fft.ifft2(spectrum * band * riesz))
        amplitude = np.hypot(even, odd)
        even_sum += np.maximum(even - odd - noise * amplitude.max(), 0.0)
        amplitude_sum += amplitude
    return (even_sum / (amplitude_sum + 1e-9 * float(amplitude_sum.max()) + 1e-12))[inner]


def _checked(frame: NDArray[np.generic], settings: BoneSurfaceSettings) -> Floats:
    grey = np.asarray(frame, np.float64)
    least = int(2 * max(settings.wavelengths_px))
    if grey.ndim != 2 or not np.isfinite(grey).all():
        raise FrameError(
            f"a frame of shape {np.shape(frame)} and type {np.asarray(frame).dtype}",
            "one channel of finite grey values, (rows, columns)",
            "convert it to grey first",
        )
    if min(grey.shape) < least:
        raise FrameError(f"a frame of {grey.shape} pixels", f"at least {least} each way", "do not crop it so far")
    return grey


def _shadow(bright: Floats, gap_px: int) -> Floats:
    """1 where all is dark from `gap_px` under a pixel to the bottom; 0 where something there is as bright as the pixel.

    Brightness is averaged over `gap_px` rows first, so that a speckle in the shadow does not count.
    """
    smooth = uniform_filter1d(bright, gap_px, axis=0, mode="nearest")
    brightest_below = np.flip(np.maximum.accumulate(np.flip(smooth, axis=0), axis=0), axis=0)
    shifted = np.zeros_like(bright)
    shifted[: len(bright) - gap_px] = brightest_below[gap_px:]
    return np.clip(1.0 - shifted / np.maximum(maximum_filter1d(smooth, gap_px // 2, axis=0), 1e-9), 0.0, 1.0)


def _best_path(likelihood: Floats, settings: BoneSurfaceSettings) -> NDArray[np.intp]:
    """The row of each column ``(columns,)``; -1 where there is none: the path of least cost (Viterbi)."""
    rows, columns = likelihood.shape
    cost = -np.log(np.maximum(likelihood, _LIKELIEST))
    absent = -np.log(settings.absence)
    best, none = cost[:, 0].copy(), absent
    came_from = np.empty((columns, rows), np.intp)
    none_from = np.empty(columns, np.intp)
    for column in range(1, columns):
        moved, source = _moved(best, settings)
        begun = none + settings.change_cost < moved
        came_from[column] = np.where(begun, -1, source)
        lowest = int(best.argmin())
        ended = best[lowest] + settings.change_cost < none
        none_from[column] = lowest if ended else -1
        best, none = (
            np.minimum(moved, none + settings.change_cost) + cost[:, column],
            min(none, best[lowest] + settings.change_cost) + absent,
        )
    path = np.empty(columns, np.intp)
    state = int(best.argmin()) if best.min() < none else -1
    for column in range(columns - 1, -1, -1):
        path[column] = state
        if column:
            state = int(none_from[column] if state < 0 else came_from[column, state])
    return path


def _moved(best: Floats, settings: BoneSurfaceSettings) -> tuple[Floats, NDArray[np.intp]]:
    """The least cost of coming to each row from a row of the last column, and which row that is."""
    rows = np.arange(len(best))
    moved, source = best.copy(), rows.copy()
    for step in range(1, settings.largest_step_px + 1):
        for sign in (-step, step):
            there = np.clip(rows + sign, 0, len(best) - 1)
            offered = best[there] + settings.step_cost * step
            better = offered < moved
            moved[better], source[better] = offered[better], there[better]
    return moved, source


def _without_doubtful_pieces(
    path: NDArray[np.intp], likelihood: Floats, settings: BoneSurfaceSettings
) -> NDArray[np.intp]:
    """The path without pieces that are short, or faint beside the best. A jump ends a piece, as an absence does."""
    breaks = np.flatnonzero(np.abs(np.diff(path)) > settings.largest_step_px) + 1
    pieces = [piece for piece in np.split(np.arange(len(path)), breaks) if path[piece[0]] >= 0]
    long = [piece for piece in pieces if len(piece) >= settings.shortest_px]
    means = [float(likelihood[path[piece], piece].mean()) for piece in long]
    kept = np.full_like(path, -1)
    for piece, mean in zip(long, means, strict=True):
        if mean >= settings.faintest * max(means):
            kept[piece] = path[piece]
    return kept


def _between_pixels(likelihood: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """The top of the parabola through the likelihood of a row and its neighbours."""
    rows = np.clip(rows, 1, len(likelihood) - 2)
    above, here, below = (likelihood[rows + step, columns] for step in (-1, 0, 1))
    bend = above - 2.0 * here + below
    safe = np.where(bend < 0.0, bend, -1.0)
    offset: Floats = np.where(bend < 0.0, np.clip(0.5 * (above - below) / safe, -0.5, 0.5), 0.0)
    return rows.astype(np.float64) + offset
