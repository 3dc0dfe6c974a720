"""Fits cameras robustly: views and corners that do not fit are left out, then the lens gets the model that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from calibration.camera.adjustment import Linear, Problem, State
from calibration.camera.lens import MODELS
from geometry.points import Bools, Floats

# The median length of a vector in the plane with unit normal components (Rayleigh's distribution).
_MEDIAN_NORM = 1.1774
_FULL = "k1 k2 p1 p2 k3"
_ROBUST_ROUNDS, _ROBUST_STEPS, _ROBUST_CORNERS = 6, 3, 30
# Corners on paper are known no better than this, so that views far better than others throw nobody out.
_FLOOR_PX = 0.03


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """When a view or a corner does not fit.

    Attributes:
        view_cutoff: a view whose typical residual is this many times that of the median view is left out.
        corner_cutoff: so many standard deviations of its view; 1 in 270,000 corners with normal noise lies outside 5.
        largest_wild: a view with a larger share of such corners is left out whole.
        largest_left_out: share of the views; with more of them left out nothing is known any more.
    """

    view_cutoff: float = 3.5
    corner_cutoff: float = 5.0
    largest_wild: float = 0.2
    largest_left_out: float = 0.4


@dataclass(frozen=True, eq=False)
class Fit:
    """A least-squares fit.

    Attributes:
        problem: what was fitted; its weights are 0 for corners left out, and it holds only the views that fit.
        state: the answer.
        linear: the problem about it.
        model: which of `MODELS`.
        kept: ``(v,)`` int, the views that fit, of those that were given.
        view_residuals_px: ``(all views,)``, the typical residual of each under the robust start.
        held_out_px: of each model, the RMS distance of the corners of views that had no part in it.
        correlation: how many times the variance of the answer is larger than if all corners erred by themselves.
        doubt: ``(c, 9)``, how far the lens would move if it had all terms: what the choice of a model leaves open.
    """

    problem: Problem
    state: State
    linear: Linear
    model: str
    kept: np.ndarray
    view_residuals_px: Floats
    held_out_px: Mapping[str, float]
    correlation: float
    doubt: Floats

    @property
    def is_used(self) -> Bools:
        return self.problem.weights > 0.0

    @property
    def covariance(self) -> Floats:
        """Of the common numbers ``(g, g)``: free numbers of each lens, poses of the other cameras, bend."""
        sigma2 = noise_px2(self.problem, self.linear)
        scale = np.sqrt(np.diag(self.linear.total))
        inverse = np.linalg.pinv(self.linear.total / np.outer(scale, scale), hermitian=True) / np.outer(scale, scale)
        return np.asarray(self.correlation * sigma2 * inverse, dtype=np.float64)

    def lens_covariance(self, camera: int) -> Floats:
        """``(9, 9)`` of one camera's lens, with the doubt about its model."""
        free = list(self.problem.free)
        covariance = np.outer(self.doubt[camera], self.doubt[camera])
        at = slice(camera * len(free), (camera + 1) * len(free))
        covariance[np.ix_(free, free)] += self.covariance[at, at]
        return covariance

    @property
    def held_out_residuals(self) -> Floats:
        """``(n, 2)``."""
        return self.linear.held_out(self.problem.corners)


def fit(problem: Problem, state: State, settings: FitSettings) -> Fit:
    """From a start to the calibration with the simplest lens that predicts views best that it has not seen."""
    problem = replace(problem, free=MODELS[_FULL])
    few = problem.corners.of_views(np.arange(problem.corners.n_views), _ROBUST_CORNERS)
    state, scales = _robust(replace(problem, corners=few, weights=np.ones(len(few.view))), state)
    typical = max(float(np.median(scales)), _FLOOR_PX)
    problem = replace(problem, sigma_px=typical)
    wild = np.add.reduceat(1.0 - _fitting(problem, state, settings), problem.corners.starts[:-1])
    is_fit = (scales <= settings.view_cutoff * typical) & (
        wild <= settings.largest_wild * np.diff(problem.corners.starts)
    )
    kept = np.flatnonzero(is_fit)
    problem = replace(problem, corners=problem.corners.of_views(kept))
    state = state.of_views(kept)
    for _ in range(2):
        problem = replace(problem, weights=_fitting(problem, state, settings))
        state = problem.solved(state)
    problem = replace(problem, sigma_px=float(np.sqrt(noise_px2(problem, problem.linear(state)[0]))))
    states, held_out = _choose(problem, state)
    chosen = min(held_out, key=lambda model: held_out[model])
    problem = replace(problem, free=MODELS[chosen])
    linear, _, _ = problem.linear(states[chosen])
    fuller = states[_FULL].lenses - states[chosen].lenses
    return Fit(problem, states[chosen], linear, chosen, kept, scales, held_out, _correlation(problem, linear), fuller)


def noise_px2(problem: Problem, linear: Linear) -> float:
    """Variance of a corner in one direction."""
    free = 2 * int((problem.weights > 0.0).sum()) - 6 * problem.corners.n_views - problem.n_common
    return float(problem.weights @ np.sum(linear.residuals**2, axis=1)) / max(free, 1)


def _robust(problem: Problem, state: State) -> tuple[State, Floats]:
    """A fit that views which do not fit cannot drag (L1 over the views), and the typical residual of each."""
    for _ in range(_ROBUST_ROUNDS):
        scales = _scales(problem, state)
        by_view = 1.0 / np.maximum(scales, max(float(np.median(scales)), _FLOOR_PX))
        weighted = replace(problem, weights=(by_view / by_view.max())[problem.corners.view])
        state = weighted.solved(state, _ROBUST_STEPS)
    return state, _scales(problem, state)


def _scales(problem: Problem, state: State) -> Floats:
    """The noise of each view, from its median distance: single wild corners have no say in it."""
    distances = np.linalg.norm(problem.residuals(state), axis=1)
    distances = np.where(np.isfinite(distances), distances, 1e6)
    pieces = pairwise(problem.corners.starts)
    return np.array([np.median(distances[begin:end]) for begin, end in pieces]) / _MEDIAN_NORM


def _fitting(problem: Problem, state: State, settings: FitSettings) -> Floats:
    """1 for corners that fit, else 0."""
    distances = np.linalg.norm(problem.residuals(state), axis=1)
    scales = _scales(problem, state)
    limit = settings.corner_cutoff * np.maximum(scales, max(float(np.median(scales)), _FLOOR_PX))
    return (distances <= limit[problem.corners.view]).astype(np.float64)


def _choose(problem: Problem, state: State) -> tuple[dict[str, State], dict[str, float]]:
    """Each model's fit, from the simplest, and the RMS distance of corners in views that had no part in it."""
    states: dict[str, State] = {}
    held_out: dict[str, float] = {}
    for model, free in reversed(list(MODELS.items())):
        fewer = replace(problem, free=free)
        lenses = state.lenses.copy()
        lenses[:, [number for number in range(9) if number not in free]] = 0.0
        states[model] = state = fewer.solved(replace(state, lenses=lenses))
        squares = np.sum(fewer.linear(state)[0].held_out(problem.corners) ** 2, axis=1)
        held_out[model] = float(np.sqrt(problem.weights @ squares / problem.weights.sum()))
    return {model: states[model] for model in MODELS}, {model: held_out[model] for model in MODELS}


def _correlation(problem: Problem, linear: Linear) -> float:
    """How much more the views scatter about the answer than their corners' own noise explains, at least 1.

    The sum of the views' gradients, squared in the metric of the answer, against what independent corners give: the
    ratio of the covariance clustered by view (Liang and Zeger, Biometrika 73(1), 1986) to the plain one, in the mean
    over the numbers. Errors that are common to the corners of a picture (motion, blur, light) show in it.
    """
    by_view = _excess(linear, linear.information, linear.gradient, noise_px2(problem, linear))
    return max(1.0, by_view)


def _excess(linear: Linear, information: Floats, gradient: Floats, sigma2: float) -> float:
    scale = np.sqrt(np.diag(linear.total))
    inverse = np.linalg.pinv(linear.total / np.outer(scale, scale), hermitian=True) / np.outer(scale, scale)
    shares = inverse @ information
    expected = np.einsum("vii->", shares) - np.einsum("vij,vji->", shares, shares)
    return float(np.einsum("vi,ij,vj->", gradient, inverse, gradient) / (sigma2 * expected))
