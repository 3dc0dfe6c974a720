"""How much each pixel of a B-mode frame looks like the surface of bone: a strong ridge with nothing but darkness below.

The ridge is found by the symmetric part of the monogenic signal at several scales (Felsberg & Sommer, IEEE TSP 49(12),
2001; for bone in ultrasound Hacihaliloglu et al., Ultrasound Med Biol 35(9), 2009). Phase symmetry divides it by the
local amplitude, which makes faint speckle as good as bone; here it is divided by the brightness of the whole frame, so
that what stands out most, wins. Shadow is measured from below a thick, saturated echo, such as that of a lamina.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import fft
from scipy.ndimage import maximum_filter1d

from geometry.extras import from_extra
from geometry.points import Singles

_BANDWIDTH = 0.55  # of the log-Gabor filters: two octaves


def bone_likelihood(
    grey: Singles, bright: float, wavelengths_px: tuple[float, ...], noise: float, shadow_gap_px: int
) -> Singles:
    """Ridge times shadow, each 0 to 1, for every pixel of `grey` ``(rows, columns)`` float32; not a probability.

    Args:
        grey: the transducer at row 0.
        bright: the grey value that counts as bright in this frame.
        wavelengths_px: of the filters, from the thickness of a thin ridge to that of a thick one.
        noise: share of the largest filter response that counts as noise.
        shadow_gap_px: rows under the ridge that may still be bright, because an echo has a thickness.
    """
    ridge = np.minimum(ridge_strength(grey, wavelengths_px, noise) / np.float32(0.5 * bright), 1.0)
    shadow = _shadow(np.minimum(grey / np.float32(bright), 1.0), shadow_gap_px)
    return ridge * shadow * np.sqrt(shadow)


def ridge_strength(grey: Singles, wavelengths_px: tuple[float, ...], noise: float) -> Singles:
    """How far each pixel is the middle of a bright ridge of any orientation, in grey values: even minus odd response.

    Args:
        noise: share of the largest response that counts as noise.
    """
    with from_extra("ultrasound"):
        import cv2

    margin = int(max(wavelengths_px)) // 2
    rows, columns = grey.shape
    # The Fourier transform would wrap one side round to the other.
    size = tuple(fft.next_fast_len(n + 2 * margin) for n in grey.shape)
    after = size[0] - rows - margin, size[1] - columns - margin
    padded = cv2.copyMakeBorder(grey, margin, after[0], margin, after[1], cv2.BORDER_REFLECT)
    spectrum = fft.rfft2(padded, workers=1)
    strength = np.zeros(size, np.float32)
    for even_filter, odd_filters in _filters(size, wavelengths_px):
        even = fft.irfft2(spectrum * even_filter, size, workers=1)
        along, across = (fft.irfft2(spectrum * odd, size, workers=1) for odd in odd_filters)
        odd = np.sqrt(along * along + across * across)
        floor = np.float32(noise * np.sqrt((even * even + odd * odd).max()))
        strength += np.maximum(even - odd - floor, 0.0)
    return strength[margin : margin + rows, margin : margin + columns]


@lru_cache(maxsize=4)
def _filters(
    size: tuple[int, int], wavelengths_px: tuple[float, ...]
) -> list[tuple[Singles, tuple[np.ndarray, np.ndarray]]]:
    """For each wavelength the log-Gabor filter, and its two Riesz transforms, in the half plane of `rfft2`."""
    v, u = np.meshgrid(np.fft.fftfreq(size[0]), np.fft.rfftfreq(size[1]), indexing="ij")
    radius = np.hypot(u, v)
    radius[0, 0] = 1.0
    filters = []
    for wavelength in wavelengths_px:
        band = np.exp(-(np.log(radius * wavelength) ** 2) / (2 * np.log(_BANDWIDTH) ** 2))
        band[0, 0] = 0.0
        odd = tuple((1j * band * part / radius).astype(np.complex64) for part in (u, v))
        filters.append((band.astype(np.float32), (odd[0], odd[1])))
    return filters


def _shadow(bright: Singles, gap_px: int) -> Singles:
    """1 where all is dark from `gap_px` under a pixel to the bottom; 0 where something there is as bright as the pixel.

    Brightness is averaged over `gap_px` rows first, so that a speckle in the shadow does not count.
    """
    with from_extra("ultrasound"):
        import cv2

    smooth = np.asarray(cv2.blur(bright, (3, gap_px), borderType=cv2.BORDER_REPLICATE), np.float32)
    brightest_below = np.maximum.accumulate(smooth[::-1], axis=0)[::-1]
    shifted = np.zeros_like(bright)
    shifted[: len(bright) - gap_px] = brightest_below[gap_px:]
    here = np.maximum(maximum_filter1d(smooth, gap_px // 2, axis=0), np.float32(1e-6))
    return np.clip(1.0 - shifted / here, 0.0, 1.0)
