"""The covariance of X, Z and the time offset, from the residuals' own scatter and their correlation in time.

The sandwich estimator (White, Econometrica 48(4), 1980; Huber, "Robust statistics", 1981, ch. 6.3, for weighted
residuals): a tracker's error is neither isotropic nor normal. Each pair's residual is enlarged by what it pulled the
fit towards itself (its leverage: MacKinnon and White, Journal of Econometrics 29(3), 1985). Neighbouring poses repeat
one another's error; how much that matters depends on how fast the motion changes beside how long the error stays the
same, so the residuals' autocorrelation is carried through the derivatives (Newey and West, Econometrica 55(3), 1987,
with the lags at which it is positive).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2
from scipy.stats import f as f_distribution

from calibration.hand_eye.refine import (
    DEGREES_OF_FREEDOM,
    FEWEST_FOR_OUTLIERS,
    Fit,
    whitened,
    whitened_jacobian,
)
from geometry.points import Floats

# A quarter of the sequence: beyond, an autocorrelation has too few products to be known.
_LONGEST_LAG = 0.25
# Below, the scatter is mostly what it is drawn towards, and known better than from the pairs alone.
_FEWEST_DEGREES = 20.0


def covariance_of(fit: Fit) -> tuple[Floats, Floats]:
    """Covariance of the unknowns, ``(12, 12)`` or ``(13, 13)``, by the steps of `model.moved`, and the correlation.

    The second is the autocorrelation of the whitened residuals by lag, ``(k,)``, from lag 0 (which is 1) on.
    """
    derivatives = whitened_jacobian(fit)
    errors = whitened(fit.errors[fit.used], fit.scatter)
    weights = fit.weights[fit.used][:, None]
    correlation = autocorrelation(errors * np.sqrt(weights), derivatives.shape[2])
    bread: Floats = np.linalg.pinv(_bread(derivatives, errors, weights), rcond=1e-15, hermitian=True).astype(np.float64)
    alone = _without_leverage(derivatives, bread, errors, weights)
    scores = np.einsum("nij,ni->nj", derivatives, alone * weights)
    # As many pairs as are left when neighbours that repeat one another count once.
    pairs = len(errors) / (2.0 * correlation.sum() - 1.0)
    meat = _stretched(scores.T @ scores, derivatives, correlation)
    return bread @ meat @ bread * _widening(pairs), correlation


def _without_leverage(derivatives: Floats, bread: Floats, errors: Floats, weights: Floats) -> Floats:
    """The errors ``(n, 6)`` as each would be beside a fit without it."""
    leverage = derivatives @ bread @ np.swapaxes(derivatives, 1, 2) * weights[:, :, None]
    values, vectors = np.linalg.eigh(np.eye(6) - 0.5 * (leverage + np.swapaxes(leverage, 1, 2)))
    # A pair that alone decides something has no error there, whatever it is: it counts four times, not without end.
    along = np.einsum("nji,nj->ni", vectors, errors) / np.maximum(values, 0.25)
    return np.einsum("nij,nj->ni", vectors, along)


def _widening(pairs: float) -> float:
    """What makes the ellipsoid of chi-square hold its 95 % though the scatter is known from few pairs (Hotelling)."""
    # Fewer than the pairs: they do not all weigh alike (Pustejovsky and Tipton, JBES 36(4), 2018).
    degrees = max(pairs - 6.0, _FEWEST_DEGREES)
    hotelling = 6.0 * degrees / (degrees - 5.0) * float(f_distribution.ppf(0.95, 6, degrees - 5.0))
    return hotelling / float(chi2.ppf(0.95, 6))


def _bread(derivatives: Floats, errors: Floats, weights: Floats) -> Floats:
    """The expected second derivatives; those of Student's weights are taken as their mean over the pairs."""
    middle = np.eye(6) * weights.mean()
    if len(errors) >= FEWEST_FOR_OUTLIERS:
        weighted = weights * errors
        middle -= 2.0 / (DEGREES_OF_FREEDOM + 6.0) * (weighted.T @ weighted) / len(errors)
    return _product(np.swapaxes(np.swapaxes(derivatives, 1, 2) @ middle, 1, 2), derivatives)


def _product(left: Floats, right: Floats) -> Floats:
    """The sum over all rows of two stacks of derivatives, ``(k, k)``."""
    return left.reshape(-1, left.shape[2]).T @ right.reshape(-1, right.shape[2])


def autocorrelation(errors: Floats, unknowns: int) -> Floats:
    """By lag, as long as it is positive; raised by what the fitted unknowns took from it."""
    count = len(errors)
    power = float(np.sum(errors**2))
    lags = np.arange(1, max(2, int(_LONGEST_LAG * count)))
    if power <= 0.0:
        return np.ones(1)
    products = np.array([np.sum(errors[lag:] * errors[:-lag]) for lag in lags])
    measured = products / power * count / (count - lags)
    taken = unknowns / (6.0 * count)
    ends = np.flatnonzero(measured + taken <= 0.0)
    positive = measured[: ends[0] if len(ends) else len(measured)]
    values, repetition = np.ones(1), 1.0
    for _ in range(3):
        # Each unknown follows the errors as far as they stay the same: so much is missing in what is left of them.
        values = np.concatenate([[1.0], np.clip(positive + min(0.3, taken * repetition), 0.0, 1.0)])
        repetition = 2.0 * float(values.sum()) - 1.0
    return values


def _stretched(meat: Floats, derivatives: Floats, correlation: Floats) -> Floats:
    """The meat of independent residuals, stretched as the correlation stretches that of residuals of one size."""
    if len(correlation) == 1:
        return meat
    alone = _product(derivatives, derivatives)
    together = alone.copy()
    for lag, value in enumerate(correlation[1:], start=1):
        product = _product(derivatives[lag:], derivatives[:-lag])
        together += value * (product + product.T)
    size = 1.0 / np.sqrt(np.diag(alone))
    alone, together = alone * np.outer(size, size), together * np.outer(size, size)
    stretch = _power(together, 0.5) @ _power(alone, -0.5)
    scaled = meat * np.outer(size, size)
    return (stretch @ scaled @ stretch.T) / np.outer(size, size)


def _power(matrix: Floats, exponent: float) -> Floats:
    values, vectors = np.linalg.eigh(matrix)
    # A truncated autocorrelation may leave a direction without any power: it keeps a little.
    return (vectors * np.maximum(values, 1e-6 * values.max()) ** exponent) @ vectors.T


def from_left(matrix: Floats, covariance: Floats) -> Floats:
    """A covariance by `model.moved` as one of errors ``E`` in ``E T``, which turn about the origin of the target."""
    change = np.eye(6)
    x, y, z = matrix[:3, 3]
    change[3:, :3] = [[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]
    return change @ covariance @ change.T
