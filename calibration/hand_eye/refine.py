"""The non-linear refinement: X, Z and the time offset by Student's t, with the residuals' own scatter.

Rotations in rad and translations in mm are weighed by their scatter, ``(6, 6)``, found together with the unknowns by
the multivariate t distribution (Lange, Little and Taylor, "Robust statistical modeling using the t distribution", JASA
84(408), 1989): its weights give normal errors nearly the precision of least squares, and errors with heavy tails a
far better one. What is too far from everything else even for that is left out and named.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from calibration.hand_eye.model import OFFSET_PART, X_PART, Z_PART, Pairs, jacobian, moved, residuals
from geometry.points import Bools, Floats

DEGREES_OF_FREEDOM = 5.0
# The median of chi-square with six degrees of freedom: the squared length of a whitened residual.
MEDIAN_CHI2 = 5.348
# Fewer pairs than this determine no scatter of their own, and none of them can be called an outlier.
FEWEST_FOR_OUTLIERS = 12
# How many pairs the assumption of one size for rotations and one for translations counts as, in the scatter.
_PRIOR_PAIRS = 12.0
# No device repeats itself this well, in rad and mm: what is left of exact poses is rounding, and no outlier.
_SMALLEST = np.repeat([1e-8, 1e-6], 3)
_STEPS = 40
# Log likelihood that a step must gain: less moves the unknowns by a hundredth of their standard deviation.
_NO_GAIN = 1e-4

PairsAt = Callable[[float], Pairs]


@dataclass(frozen=True, eq=False)
class Fit:
    """Unknowns with what belongs to them.

    Attributes:
        x, z: ``(4, 4)``.
        offset_s: the time offset.
        pairs: all pairs at that offset.
        used: which of them take part, ``(n,)``.
        errors: residuals of all, ``(n, 6)``.
        scatter: ``(6, 6)``, the t distribution's scale matrix.
        weights: of all, ``(n,)``; zero where not used.
        cost: minus log likelihood of the pairs used, up to a constant.
    """

    x: Floats
    z: Floats
    offset_s: float
    pairs: Pairs
    used: Bools
    errors: Floats
    scatter: Floats
    weights: Floats
    cost: float

    @property
    def distances(self) -> Floats:
        """Lengths of the whitened residuals, in units in which half of those used are below sqrt(5.348)."""
        squared = _squared(self.errors, self.scatter)
        return np.sqrt(squared / _typical(squared[self.used]))


def refine(pairs_at: PairsAt, x: Floats, z: Floats, offset_s: float, cutoff: float) -> Fit:
    """Starts from `x`, `z` and `offset_s`; pairs farther than `cutoff` standard deviations are left out.

    An offset is sought where the pairs that `pairs_at` gives know how they move.
    """
    fit = evaluate(pairs_at, x, z, offset_s, None)
    fit = _converged(pairs_at, fit)
    if len(fit.pairs) < FEWEST_FOR_OUTLIERS:
        return fit
    for _ in range(5):
        used = fit.distances <= cutoff
        if np.array_equal(used, fit.used) or used.sum() < FEWEST_FOR_OUTLIERS:
            break
        fit = _converged(pairs_at, evaluate(pairs_at, fit.x, fit.z, fit.offset_s, used))
    return fit


def evaluate(
    pairs_at: PairsAt, x: Floats, z: Floats, offset_s: float, used: Bools | None, near: Fit | None = None
) -> Fit:
    """The fit at these unknowns, with the scatter that belongs to them; all pairs are used where `used` is None.

    The scatter is found from that of `near`, a fit of the same pairs, where there is one.
    """
    pairs = pairs_at(offset_s)
    errors = residuals(pairs, x, z)
    mask = np.ones(len(pairs), dtype=np.bool_) if used is None else used
    scatter, weights, cost = _scatter(errors[mask], None if near is None else near.weights[mask])
    all_weights = np.zeros(len(pairs))
    all_weights[mask] = weights
    return Fit(x, z, offset_s, pairs, mask, errors, scatter, all_weights, cost)


def _converged(pairs_at: PairsAt, fit: Fit) -> Fit:
    """Levenberg and Marquardt's steps, each with the weights and the scatter of the last."""
    damping = 1e-6
    for _ in range(_STEPS):
        step = _step(fit, damping)
        z = moved(fit.z, step[Z_PART])
        offset_s = fit.offset_s + (float(step[OFFSET_PART]) if len(step) > OFFSET_PART else 0.0)
        tried = evaluate(pairs_at, moved(fit.x, step[X_PART]), z, offset_s, fit.used, fit)
        gain = fit.cost - tried.cost
        if gain >= 0.0:
            fit, damping = tried, max(damping * 0.1, 1e-9)
            if gain < _NO_GAIN:
                break
        else:
            damping *= 10.0
            if damping > 1e4:
                break
    return fit


def _step(fit: Fit, damping: float) -> Floats:
    hessian, gradient = normal_equations(fit)
    scaled = hessian + damping * np.diag(np.maximum(np.diag(hessian), 1e-12))
    return np.asarray(np.linalg.lstsq(scaled, -gradient, rcond=1e-14)[0], dtype=np.float64)


def normal_equations(fit: Fit) -> tuple[Floats, Floats]:
    """The weighted normal matrix and the gradient."""
    derivatives = whitened_jacobian(fit)
    flat = (derivatives * np.sqrt(fit.weights[fit.used])[:, None, None]).reshape(-1, derivatives.shape[2])
    errors = whitened(fit.errors[fit.used], fit.scatter) * np.sqrt(fit.weights[fit.used])[:, None]
    return flat.T @ flat, flat.T @ errors.reshape(-1)


def whitened_jacobian(fit: Fit) -> Floats:
    """Derivatives of the whitened residuals of the pairs used, ``(m, 6, 12 or 13)``."""
    derivatives = jacobian(fit.pairs.part(fit.used), fit.x, fit.z, fit.errors[fit.used])
    return np.moveaxis(np.tensordot(_root(fit.scatter), derivatives, axes=(1, 1)), 0, 1)


def whitened(errors: Floats, scatter: Floats) -> Floats:
    """Residuals ``(n, 6)`` in units of their scatter."""
    return errors @ _root(scatter).T


def _root(scatter: Floats) -> Floats:
    """What makes a scatter the identity."""
    return np.linalg.inv(np.linalg.cholesky(scatter)).astype(np.float64)


def _squared(errors: Floats, scatter: Floats) -> Floats:
    return np.sum(whitened(errors, scatter) ** 2, axis=1)


def _typical(squared: Floats) -> float:
    """Their median over that of normal errors of this scatter; residuals of rounding alone are far below it."""
    return max(float(np.median(squared)) / MEDIAN_CHI2, 0.1)


def _scatter(errors: Floats, known: Floats | None) -> tuple[Floats, Floats, float]:
    """Scatter, weights and cost of residuals, by expectation and maximisation from known weights, if any."""
    count = len(errors)
    normal = count < FEWEST_FOR_OUTLIERS
    weights = np.ones(count) if known is None else known
    scatter = np.eye(6)
    for round_ in range(8 if known is None else 2):
        scatter = _shrunk(errors, weights)
        squared = _squared(errors, scatter)
        if normal:
            break
        if round_ == 0 and known is None:  # outliers must not set the size of the first weights
            squared = squared / _typical(squared)
        weights = (DEGREES_OF_FREEDOM + 6.0) / (DEGREES_OF_FREEDOM + squared)
    log_scale = 0.5 * count * float(np.linalg.slogdet(scatter)[1])
    if normal:
        return scatter, weights, log_scale + 0.5 * float(squared.sum())
    tails = 0.5 * (DEGREES_OF_FREEDOM + 6.0) * float(np.log1p(squared / DEGREES_OF_FREEDOM).sum())
    return scatter, weights, log_scale + tails


def _shrunk(errors: Floats, weights: Floats) -> Floats:
    """The weighted scatter, drawn towards one size for all rotations and one for all translations."""
    count = len(errors)
    sample = np.einsum("n,ni,nj->ij", weights, errors, errors) / count
    sizes = np.repeat([np.diag(sample)[:3].mean(), np.diag(sample)[3:].mean()], 3)
    return (count * sample + _PRIOR_PAIRS * np.diag(sizes)) / (count + _PRIOR_PAIRS) + np.diag(_SMALLEST**2)
