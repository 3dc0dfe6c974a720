"""A large volume through a network window by window, blended with Gaussian weights.

The places and weights are those of MONAI's `sliding_window_inference(mode="gaussian")` (after Isensee et al. 2021),
which is the reference in the tests; ours works on any engine, leaves out windows whose answer is known, and holds one
window and one layer of windows beside the result. The places depend on the volume's shape and the network alone, never
on the machine or its memory: a network that normalises within a window answers otherwise where windows lie otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from geometry.points import Bools, Singles

Shape = tuple[int, int, int]
Place = tuple[slice, ...]

SIGMA_SHARE = 0.125
SMALLEST_WEIGHT = 1e-3


def sliding_window(
    volume: Singles,
    window: Shape,
    overlap: float,
    predict: Callable[[Singles], Singles],
    known: Sequence[float],
    asked: Bools | None = None,
    progress: Callable[[float], None] | None = None,
) -> Singles:
    """Blends the predictions of overlapping windows.

    Rows along k are finished as soon as no later window reaches them, so sums are kept for one layer of windows only.
    Whoever wants to stop raises an exception in `progress`: nothing outlives it.

    Args:
        volume: ``(nk, nj, ni)``, at least as large as `window` along each axis.
        window: ``(k, j, i)`` voxels.
        overlap: share of a window that its neighbour covers too, 0 to below 1.
        predict: ``(1, 1, k, j, i)`` to ``(1, channels, k, j, i)``.
        known: of each channel, the result where no window was run.
        asked: voxels ``(nk, nj, ni)`` whose result is asked for; a window without one is not run. None for all.
        progress: called with the share of the windows done.

    Returns:
        ``(channels, nk, nj, ni)`` float32, the weighted mean of the predictions.
    """
    starts = [window_starts(n, w, overlap) for n, w in zip(volume.shape, window, strict=True)]
    places = [tuple(slice(s, s + w) for s, w in zip(place, window, strict=True)) for place in product(*starts)]
    places = [place for place in places if asked is None or asked[place].any()]
    weights = gaussian_weights(window)
    result = np.empty((len(known), *volume.shape), np.float32)
    result[:] = np.reshape(known, (-1, 1, 1, 1))
    sums = _Sums(len(known), (window[0], *volume.shape[1:]))
    for done, place in enumerate(places, start=1):
        sums.finish_before(place[0].start, result)
        sums.add(place, predict(np.ascontiguousarray(volume[place])[None, None])[0], weights)
        if progress is not None:
            progress(done / len(places))
    sums.finish_before(volume.shape[0], result)
    return result


class _Sums:
    """Weighted sums of predictions, over as many rows along k as a window has.

    Args:
        channels: of a prediction.
        shape: of a layer of windows, ``(window along k, nj, ni)``.
    """

    def __init__(self, channels: int, shape: tuple[int, ...]) -> None:
        self._first = 0
        self._sums = np.zeros((channels, *shape), np.float32)
        self._weights = np.zeros(shape, np.float32)

    def add(self, place: Place, prediction: Singles, weights: Singles) -> None:
        """Adds the prediction of a window that starts at the first row."""
        for sums, channel in zip(self._sums, prediction, strict=True):
            sums[:, *place[1:]] += weights * channel
        self._weights[:, *place[1:]] += weights

    def finish_before(self, row: int, result: Singles) -> None:
        """Writes the means of the rows before `row`, and makes that the first."""
        rows = min(row - self._first, len(self._weights))
        if rows == 0:
            return
        weights = self._weights[:rows]
        for target, sums in zip(result[:, self._first : self._first + rows], self._sums, strict=True):
            np.divide(sums[:rows], weights, out=target, where=weights > 0.0)
        for array in (*self._sums, self._weights):
            array[:-rows] = array[rows:]
            array[-rows:] = 0.0
        self._first = row


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
