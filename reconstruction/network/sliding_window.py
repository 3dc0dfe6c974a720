"""A large volume through a network window by window, blended with Gaussian weights.

The places and weights are those of MONAI's `sliding_window_inference(mode="gaussian")` (after Isensee et al. 2021),
which is the reference in the tests; ours works on any engine and holds one window at a time beside the result.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from geometry.points import Singles

Shape = tuple[int, int, int]

SIGMA_SHARE = 0.125
SMALLEST_WEIGHT = 1e-3


def sliding_window(
    volume: Singles,
    window: Shape,
    overlap: float,
    predict: Callable[[Singles], Singles],
    channels: int,
    progress: Callable[[float], None] | None = None,
) -> Singles:
    """Blends the predictions of overlapping windows.

    Args:
        volume: ``(nk, nj, ni)``, at least as large as `window` along each axis.
        window: ``(k, j, i)`` voxels.
        overlap: share of a window that its neighbour covers too, 0 to below 1.
        predict: ``(1, 1, k, j, i)`` to ``(1, channels, k, j, i)``.
        progress: called with the share done.

    Returns:
        ``(channels, nk, nj, ni)`` float32, the weighted mean of the predictions.
    """
    starts = [window_starts(n, w, overlap) for n, w in zip(volume.shape, window, strict=True)]
    weights = gaussian_weights(window)
    total = np.zeros(volume.shape, np.float32)
    result = np.zeros((channels, *volume.shape), np.float32)
    places = list(product(*starts))
    for done, place in enumerate(places, start=1):
        where = tuple(slice(s, s + w) for s, w in zip(place, window, strict=True))
        prediction = predict(np.ascontiguousarray(volume[where])[None, None])[0]
        result[(slice(None), *where)] += weights * prediction
        total[where] += weights
        if progress is not None:
            progress(done / len(places))
    result /= total
    return result


def window_starts(n: int, window: int, overlap: float) -> list[int]:
    """First voxels of the windows along one axis: even steps, the last one moved back to end with the volume."""
    step = max(1, int(window * (1 - overlap)))
    count = 1 if n <= window else int(np.ceil((n - window) / step)) + 1
    return [min(index * step, n - window) for index in range(count)]


def gaussian_weights(window: Shape) -> Singles:
    """Separable Gaussian with its centre in the window's, at most 1, nowhere 0."""
    weights = np.ones(window)
    for axis, n in enumerate(window):
        sigma = SIGMA_SHARE * n
        line = np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / sigma) ** 2)
        weights *= line.reshape([-1 if a == axis else 1 for a in range(3)])
    return np.maximum(weights, SMALLEST_WEIGHT).astype(np.float32)
