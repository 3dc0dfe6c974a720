"""Covariance of a least-squares fit from its residuals' own scatter, where images that follow each other are alike."""

from __future__ import annotations

import numpy as np

from geometry.points import Floats


def sandwich(normal: Floats, scores: Floats) -> Floats:
    """Covariance ``(p, p)`` of the fitted parameters.

    The inverse of the normal matrix on both sides of the scatter of what each image asked for (White, Econometrica
    48(4), 1980; by images as Liang and Zeger, Biometrika 73(1), 1986), summed over neighbours with falling weights
    (Newey and West, Econometrica 55(3), 1987): an error may last in one direction and change at once in another. They
    reach over three times `repetition`; what such weights and the fit itself take from the sum is given back.

    Args:
        normal: ``J'J``, ``(p, p)``; may be singular where parameters are bound together.
        scores: ``J'r`` of each image, ``(n, p)``, in the order of time.
    """
    influence = scores @ np.linalg.pinv(normal, rcond=1e-14, hermitian=True)
    count, repeated = len(scores), repetition(influence)
    reach = min(max(1, round(3.0 * repeated)), max(1, count // 3))
    scatter = influence.T @ influence
    for lag in range(1, reach):
        shared = influence[lag:].T @ influence[:-lag]
        scatter += (1.0 - lag / reach) * (shared + shared.T)
    lost_to_weights = 1.0 + 0.5 * (repeated - 1.0) / reach
    lost_to_fit = 1.0 / (1.0 - reach / count) if count > reach else 1.0
    # A scatter known from so few independent images would too often be too small by chance.
    known = 1.5 * count / reach
    covariance: Floats = scatter * (lost_to_weights * lost_to_fit * known / max(known - 6.0, 0.25 * known))
    return covariance


def repetition(series: Floats) -> float:
    """How many of the rows ``(n, p)`` are worth one independent row: the integrated autocorrelation, one or more.

    ``1 + 2 sum of the correlations`` up to the first lag that is five times the sum so far (Sokal, "Monte Carlo methods
    in statistical mechanics", 1996). What a fit left has no mean, which takes ``repetition / n`` from each correlation:
    it is given back, or a tracker that drifts for a tenth of a recording would promise half of its error. Columns are
    brought to the same scale and share one number.
    """
    scale = np.sqrt(np.mean(series**2, axis=0))
    scaled = series[:, scale > 1e-9 * max(float(scale.max(initial=0.0)), 1e-300)]
    count = len(scaled)
    if scaled.size == 0 or count < 12:
        return 1.0
    scaled = scaled / np.sqrt(np.mean(scaled**2, axis=0))
    size = 1 << (2 * count - 1).bit_length()
    power = np.abs(np.fft.rfft(scaled, size, axis=0)) ** 2
    lags = np.arange(count)
    correlations = np.fft.irfft(power, size, axis=0)[:count].sum(axis=1) / power.shape[1] / (count - lags)
    repeated = 1.0
    for _ in range(40):
        taken = min(repeated / count, 0.5)
        sums = 2.0 * np.cumsum(correlations * (1.0 - taken) + taken) - 1.0
        enough = np.flatnonzero(lags >= 5.0 * sums)
        window = min(int(enough[0]) if enough.size else count, count // 3)
        repeated = 0.5 * (repeated + max(1.0, float(sums[window])))
    return repeated
