"""Robust non-linear least squares over images, and the covariance of what it finds.

Each image gives the same few residuals in mm. An L1 start resists outliers, Tukey's weights find them, and plain least
squares on the rest gives the result, as in the pivot calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from geometry.points import Bools, Floats

# The median of |x| of a normal variable of unit standard deviation.
MEDIAN_ABSOLUTE = 0.6745
# Below this no tracker and no image is good; it keeps exact data from making an outlier of a rounding error.
LEAST_SCALE_MM = 1e-6
# Images whose residual exceeds this many standard deviations are rejected: one in 15,000 with normal noise.
CUTOFF = 4.685
_L1_ROUNDS, _TUKEY_ROUNDS, _LAST_ROUNDS = 12, 25, 12


class TargetModel(Protocol):
    """What a target says about the calibration: n images with k residuals each, of a state with p parameters."""

    def residuals_mm(self, state: Floats) -> Floats:
        """Residuals ``(n, k)`` in mm."""
        ...

    def jacobian(self, state: Floats) -> Floats:
        """Derivatives of the residuals by a step, ``(n, k, p)``; steps are scaled so that all are in mm."""
        ...

    def moved(self, state: Floats, step: Floats) -> Floats:
        """The state after a step ``(p,)``."""
        ...


@dataclass(frozen=True, eq=False)
class Fit:
    """The state that a fit ended at.

    Attributes:
        state: the model's state.
        used: which images were used, ``(n,)``.
        residuals_mm: of all images, ``(n, k)``.
        scales_mm: standard deviation of each residual over the images used, ``(k,)``.
        step_covariance: covariance of the step, ``(p, p)`` in mm^2.
    """

    state: Floats
    used: Bools
    residuals_mm: Floats
    scales_mm: Floats
    step_covariance: Floats


def fit_robustly(model: TargetModel, start: Floats) -> Fit:
    """Fits the state from a start that may be some way off."""
    state, damping = start, 1e-3
    n = len(model.residuals_mm(state))
    weights = np.ones(n)
    for number in range(_L1_ROUNDS + _TUKEY_ROUNDS):
        residuals_mm = model.residuals_mm(state)
        scales_mm = _scales_mm(residuals_mm)
        distances = np.linalg.norm(residuals_mm / scales_mm, axis=1) / np.sqrt(residuals_mm.shape[1])
        if number < _L1_ROUNDS:
            weights = 1.0 / np.maximum(distances, 1.0)
        else:
            weights = np.maximum(0.0, 1.0 - (distances / CUTOFF) ** 2) ** 2
        state, damping, step = _step(model, state, weights, scales_mm, damping)
        if number > _L1_ROUNDS + 3 and step < 1e-7:
            break
    used = weights > 0.0
    scales_mm = _spread_mm(model.residuals_mm(state)[used])
    for _ in range(_LAST_ROUNDS):
        state, damping, step = _step(model, state, used.astype(np.float64), scales_mm, damping)
        scales_mm = _spread_mm(model.residuals_mm(state)[used])
        if step < 1e-8:
            break
    residuals_mm = model.residuals_mm(state)
    covariance = _step_covariance(model.jacobian(state)[used], residuals_mm[used], scales_mm)
    return Fit(state, used, residuals_mm, scales_mm, covariance)


def _scales_mm(residuals_mm: Floats) -> Floats:
    return np.maximum(np.median(np.abs(residuals_mm), axis=0) / MEDIAN_ABSOLUTE, LEAST_SCALE_MM)


def _spread_mm(residuals_mm: Floats) -> Floats:
    return np.maximum(np.sqrt(np.mean(residuals_mm**2, axis=0)), LEAST_SCALE_MM)


def _step(
    model: TargetModel, state: Floats, weights: Floats, scales_mm: Floats, damping: float
) -> tuple[Floats, float, float]:
    """One Levenberg-Marquardt step; returns the state, the new damping and the step's largest part in mm."""
    residuals = model.residuals_mm(state) / scales_mm
    jacobian = model.jacobian(state) / scales_mm[:, None]
    flat = jacobian.reshape(-1, jacobian.shape[2])
    weighted = (jacobian * weights[:, None, None]).reshape(flat.shape)
    normal, gradient = weighted.T @ flat, weighted.T @ residuals.reshape(-1)
    cost = float(np.sum(weights[:, None] * residuals**2))
    # Nothing speaks about some steps where a motion is missing: they must stay, not run away.
    floor = 1e-12 * float(np.trace(normal))
    for _ in range(8):
        damped = normal + np.diag(damping * np.diag(normal) + floor)
        step = np.asarray(-np.linalg.solve(damped, gradient), np.float64)
        tried = model.moved(state, step)
        new_cost = float(np.sum(weights[:, None] * (model.residuals_mm(tried) / scales_mm) ** 2))
        if new_cost <= cost:
            return tried, max(damping * 0.1, 1e-12), float(np.abs(step).max())
        damping = max(damping * 10.0, 1e-9)
    return state, damping, 0.0


def _step_covariance(jacobian: Floats, residuals_mm: Floats, scales_mm: Floats) -> Floats:
    """Covariance of the step, ``(p, p)``: the inverse normal matrix on both sides of the residuals' scatter.

    The sandwich estimator (White, Econometrica 48(4), 1980), because the error of an image is neither the same in all
    directions nor in all images. Each image's residuals are enlarged by what it pulled the fit towards itself (its
    leverage: MacKinnon and White, Journal of Econometrics 29(3), 1985). Neighbouring images repeat one another's
    error: with a correlation r between what neighbours pull at, n (1 - r) / (1 + r) of n images count.
    """
    whitened, residuals = jacobian / scales_mm[:, None], residuals_mm / scales_mm
    p = whitened.shape[2]
    flat = whitened.reshape(-1, p)
    inverse = np.linalg.pinv(flat.T @ flat, rcond=1e-14, hermitian=True)
    leverage = (flat @ inverse).reshape(whitened.shape) @ whitened.transpose(0, 2, 1)
    left = np.eye(residuals.shape[1]) - leverage
    # An image that alone decides something has no residual, whatever its error: it counts four times, not without end.
    left += np.eye(residuals.shape[1]) * np.maximum(0.0, 0.25 - np.linalg.eigvalsh(left)[:, :1, None])
    enlarged = np.linalg.solve(left, residuals[..., None])
    scores = (whitened.transpose(0, 2, 1) @ enlarged)[..., 0]
    pulls = scores @ inverse
    power = max(float(np.sum(scores * pulls)), 1e-30)
    correlation = float(np.clip(np.sum(scores[1:] * pulls[:-1]) / power, 0.0, 0.99))
    covariance: Floats = pulls.T @ pulls * ((1.0 + correlation) / (1.0 - correlation))
    return covariance
