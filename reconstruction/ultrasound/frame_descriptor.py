"""What a frame looks like, in two dozen numbers: how bright at which depth, how speckled, how layered.

They tell a B-mode picture from other pictures, and one probe's pictures from another's, and change little with gain
and not at all when left and right are exchanged. The frame is first made as small as a network sees it, and freed of
its black margins. Ratios of grey values are logarithms; means of the whole picture divide out the gain.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.points import Floats, Singles

SIDE = 256  # px, the longer side: the networks' window
BLACK_GREY = 8
FLOOR = 4.0  # grey levels that are added before a logarithm: black stays finite, noise stays quiet
BLUR = 9  # px, what is smooth at this size is echogenicity, the rest is speckle and layers
BANDS = 6
SMALLEST_FIELD = 32  # px; a picture with less that is not black is described whole

NAMES = (
    "mean grey",
    "share of black",
    "median grey",
    "grey of the brightest tenth",
    "grey of the brightest hundredth",
    *(f"brightness in sixth {number} of the depth" for number in range(1, BANDS + 1)),
    "brightness of the first rows against the last",
    "brightness of the upper corners",
    "likeness of neighbours across",
    "likeness of neighbours along the beam",
    "likeness 4 px across",
    "likeness 4 px along the beam",
    "peakedness of the texture",
    "texture where it is bright against where it is dark",
    "texture against brightness",
    "unevenness of the texture",
    "bands across in the upper fifth",
    "bands across in the lowest fifth",
    "stripes along the beam",
    "sharpness of upper against lower edges",
    "shadow under what is bright",
)


def describe(pixels: NDArray[np.uint8]) -> Floats:
    """The numbers of a frame ``(h, w)``, by `NAMES`; finite whatever the frame."""
    with from_extra("ultrasound"):
        import cv2

    field = _without_margins(_small(pixels))
    grey = field.astype(np.float32)
    smooth = cv2.blur(grey, (BLUR, BLUR)).astype(np.float32, copy=False)
    square = cv2.blur(grey * grey, (BLUR, BLUR)).astype(np.float32, copy=False)
    mean = _mean(grey) + FLOOR
    return np.array(
        [
            np.log(mean),
            *_grey_values(np.bincount(field.ravel(), minlength=256), mean),
            *_by_place(grey, mean),
            *_texture(grey - smooth),
            *_texture_by_brightness(smooth, square),
            *_directions(grey, smooth, mean),
        ]
    )


def _small(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The frame with its longer side `SIDE`: averaged by a whole number, which is fast, then between pixels."""
    with from_extra("ultrasound"):
        import cv2

    height, width = pixels.shape
    times = max(max(height, width) // SIDE, 1)
    if times > 1 and min(height, width) >= times:
        whole = pixels[: height // times * times, : width // times * times]
        pixels = cv2.resize(whole, (width // times, height // times), interpolation=cv2.INTER_AREA).astype(np.uint8)
    scale = SIDE / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _without_margins(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    lit = grey > BLACK_GREY
    rows = np.flatnonzero(np.count_nonzero(lit, axis=1) > 0.1 * grey.shape[1])
    columns = np.flatnonzero(np.count_nonzero(lit, axis=0) > 0.1 * grey.shape[0])
    if min(len(rows), len(columns)) < SMALLEST_FIELD:
        return grey
    return np.ascontiguousarray(grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _grey_values(counts: NDArray[np.intp], mean: float) -> list[float]:
    share = np.cumsum(counts, dtype=np.float64) / counts.sum()
    quantiles = np.searchsorted(share, (0.5, 0.9, 0.99)).astype(float)
    return [float(share[BLACK_GREY]), *np.log((quantiles + FLOOR) / mean).tolist()]


def _by_place(grey: Singles, mean: float) -> list[float]:
    rows = grey.mean(axis=1, keepdims=True)
    height, width = grey.shape
    edges = np.linspace(0, height, BANDS + 1).astype(int)
    bands = [np.log((_mean(rows[a:b]) + FLOOR) / mean) for a, b in pairwise(edges.tolist())]
    end = max(2, height // 32)
    ends = np.log((_mean(rows[:end]) + FLOOR) / (_mean(rows[-end:]) + FLOOR))
    upper, side = grey[: max(height // 4, 1)], max(width // 8, 1)
    corners = (_mean(upper[:, :side]) + _mean(upper[:, -side:])) / 2
    between = _mean(upper[:, 2 * side : -2 * side])
    return [*bands, ends, np.log((corners + FLOOR) / (between + FLOOR))]


def _texture(fine: Singles) -> list[float]:
    square = fine * fine
    variance = _mean(square) + 1e-3
    lags = []
    for lag in (1, 4):
        lags.append(_mean(fine[:, lag:], fine[:, :-lag]) / variance)
        lags.append(_mean(fine[lag:], fine[:-lag]) / variance)
    return [*lags, np.log(_mean(square, square) / variance**2 + 1e-3)]


def _texture_by_brightness(smooth: Singles, square: Singles) -> list[float]:
    """Speckle is a share of the brightness in the tissue, and log compression makes it even; other pictures differ."""
    places = (slice(BLUR // 2, None, BLUR - 1), slice(BLUR // 2, None, BLUR - 1))
    bright = smooth[places].ravel()
    deviation = np.sqrt(np.maximum(square[places].ravel() - bright * bright, 0.0))
    x, y = np.log(bright + FLOOR), np.log(deviation + 1.0)
    x0, y0 = x - x.mean() if x.size else x, y - y.mean() if y.size else y
    both = float(x0 @ y0) / (float(np.sqrt((x0 @ x0) * (y0 @ y0))) + 1e-3)
    relative = np.log(_mean(deviation) / (_mean(bright) + FLOOR) + 1e-3)
    uneven = float(((deviation + 1.0) / (bright + FLOOR)).std()) if x.size else 0.0
    return [both, relative, np.log(uneven + 1e-3)]


def _directions(grey: Singles, smooth: Singles, mean: float) -> list[float]:
    """What differs between up, down and across: layers, beams, and shadows, which lie under what casts them."""
    fine = grey - smooth
    fifth = max(len(grey) // 5, 1)
    layers = [_share_of_means(part, 1) for part in (fine[:fifth], fine[-fifth:])]
    steps = grey[1:] - grey[:-1]
    square = steps * steps
    edges = _mean(square, steps) / (_mean(square) + 1e-3) ** 1.5
    reach = max(len(grey) // 16, 4)
    above, below, here = smooth[: -2 * reach], smooth[2 * reach :], np.maximum(fine[reach:-reach], 0.0)
    shade = _mean(above - below, here) / (mean * _mean(here) + 1e-3)
    return [*layers, _share_of_means(fine, 0), edges, shade]


def _share_of_means(fine: Singles, axis: int) -> float:
    """How much of the variance is that of the means along an axis."""
    with from_extra("ultrasound"):
        import cv2

    # cv2.reduce counts its dimensions as NumPy does its axes.
    means = cv2.reduce(fine, axis, cv2.REDUCE_AVG).ravel()
    return float(means @ means) / len(means) / (_mean(fine, fine) + 1e-3)


def _mean(values: Singles, times: Singles | None = None) -> float:
    """The mean of values, or of their products with others; 0 of nothing. OpenCV's is faster than NumPy's here."""
    with from_extra("ultrasound"):
        import cv2

    if not values.size:
        return 0.0
    return float(cv2.mean(values if times is None else cv2.multiply(values, times))[0])
