"""Which poses turn about one point: random samples first, then weights, with half of all poses astray.

Stage 1: tips from random triples of poses, as in RANSAC; that whose residual at the second quintile is smallest wins
(least quantile of squares, Rousseeuw, J. Am. Stat. Assoc. 79, 1984), after a few steps each on its nearest poses
(Rousseeuw and Van Driessen, Technometrics 41(3), 1999). No threshold in mm is needed, as the noise is not known.
Stage 2: Tukey's weights on distances that allow for the residuals' own covariance, both estimated in turn.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import chdtri

from calibration.pivot.equations import Equations, Metric, independent_poses, residuals_mm, solve_samples
from geometry.points import Bools, Floats

# One of eight random triples is clean where half of all poses are astray: thirty of 240, of which the best are refined.
_TRIPLES, _REFINED, _STEPS = 240, 4, 4
# Enough poses to compare two tips; more would cost time only.
_COMPARED = 160
_ROUNDS, _SETTLED = 30, 1e-3
# Tips are compared by the residual that this share of the poses keeps; so long is a normal 3-D vector of that rank.
_SHARE, _LENGTH_AT_SHARE = 0.4, 1.3672
# The residuals' covariance counts as if this many poses had said that all directions are equal; and no direction is
# believed to be over ten times better than the mean: with few poses either would be an accident.
_PRIOR_POSES, _FLOOR = 60.0, 0.01
_EXACT_MM = 1e-9
# A covariance of three directions has five numbers more than one variance; by chance it looks unequal in this share.
_SHAPES, _BY_CHANCE = 5, 0.05
# The best part of poses that repeat one another fits by accident, and the others would seem astray: where fewer than
# this many are independent, the search for those astray begins this much wider.
_INDEPENDENT, _WIDER = 20.0, 6.0


def find_consensus(equations: Equations, cutoff: float) -> tuple[Floats, Bools, Metric]:
    """Returns ``(t, c)``, ``(6,)`` in mm, which poses it is from, ``(n,)``, and what their residuals count for.

    Args:
        cutoff: poses whose residual exceeds this many standard deviations are left out.
    """
    start = _least_quantile(equations.rotations, equations.translations_mm)
    lengths_mm = np.linalg.norm(equations.residuals_mm(start), axis=1)
    scale_mm = max(float(np.quantile(lengths_mm, _SHARE)) / _LENGTH_AT_SHARE, _EXACT_MM)
    found = _reweighted(equations, start, Metric.isotropic(scale_mm), cutoff)
    solution, used, metric = found
    if independent_poses(metric.whitened(equations.residuals_mm(solution)[used])) < _INDEPENDENT:
        found = _reweighted(equations, start, Metric.isotropic(_WIDER * scale_mm), cutoff)
    return found


def _reweighted(equations: Equations, solution: Floats, metric: Metric, cutoff: float) -> tuple[Floats, Bools, Metric]:
    left, weights = equations.residuals_mm(solution), np.zeros(len(equations.rotations))
    for _ in range(_ROUNDS):
        before, distances2 = weights, np.sum(metric.whitened(left) ** 2, axis=1)
        weights = np.maximum(0.0, 1.0 - distances2 / cutoff**2) ** 2
        if np.abs(weights - before).max() < _SETTLED:
            break
        solution = equations.solve(weights, metric)
        left = equations.residuals_mm(solution)
        metric = Metric.of(_scatter_mm2(left, weights, cutoff))
    used = np.sum(metric.whitened(left) ** 2, axis=1) < cutoff**2
    metric = _plain_if_alike(left[used], metric)
    return equations.solve(used.astype(np.float64), metric), used, metric


def _plain_if_alike(left_mm: Floats, metric: Metric) -> Metric:
    """The same for all directions where the residuals, ``(n, 3)``, do not contradict it: weights by chance cost some.

    The likelihood ratio of Mauchly's test (Annals of Mathematical Statistics 11(2), 1940); poses that repeat their
    neighbours count as fewer.
    """
    scatter = left_mm.T @ left_mm / len(left_mm) + _EXACT_MM**2 * np.eye(3)
    mean_mm2 = float(np.trace(scatter)) / 3.0
    contrast = 3.0 * np.log(mean_mm2) - float(np.linalg.slogdet(scatter)[1])
    if independent_poses(metric.whitened(left_mm)) * contrast < chdtri(_SHAPES, _BY_CHANCE):
        return Metric.isotropic(float(np.sqrt(mean_mm2)))
    return metric


def _least_quantile(rotations: Floats, translations_mm: Floats) -> Floats:
    """``(t, c)`` with about the smallest residual at the share; the seed is fixed, so the same poses give the same."""
    count = len(rotations)
    triples = np.random.default_rng(0).integers(count, size=(_TRIPLES, 3))
    found = solve_samples(rotations[triples], translations_mm[triples])
    shown = np.unique(np.linspace(0, count - 1, _COMPARED).astype(int))
    turned, moved = rotations[shown], translations_mm[shown]
    tips = (found[:, :3] @ turned.reshape(-1, 3).T).reshape(_TRIPLES, -1, 3)
    squared = np.sum((tips + moved - found[:, None, 3:]) ** 2, axis=2)
    rank = int(_SHARE * len(shown))
    compared = np.partition(squared, rank, axis=1)[:, rank]
    best = found[np.argsort(compared)[:_REFINED]]
    for _ in range(_STEPS):
        nearest = np.argpartition(_squared(turned, moved, best), rank, axis=1)[:, : rank + 1]
        best = solve_samples(turned[nearest], moved[nearest])
    compared = np.partition(_squared(turned, moved, best), rank, axis=1)[:, rank]
    chosen: Floats = best[np.argmin(compared)]
    return chosen


def _squared(rotations: Floats, translations_mm: Floats, solutions: Floats) -> Floats:
    """Squared residuals ``(h, n)`` of several solutions."""
    lengths = [np.sum(residuals_mm(rotations, translations_mm, each) ** 2, axis=1) for each in solutions]
    return np.stack(lengths)


def _scatter_mm2(left_mm: Floats, weights: Floats, cutoff: float) -> Floats:
    """The residuals' covariance ``(3, 3)`` in mm^2, as normal residuals under these weights have it."""
    total = float(weights.sum())
    scatter = (left_mm * weights[:, None]).T @ left_mm / (total * _seen_share(cutoff))
    mean = np.trace(scatter) / 3.0 * np.eye(3)
    mixed = (total * scatter + _PRIOR_POSES * mean) / (total + _PRIOR_POSES)
    return np.asarray(mixed + _FLOOR * mean + _EXACT_MM**2 * np.eye(3))


@cache
def _seen_share(cutoff: float) -> float:
    """Which share of a unit variance Tukey's weights leave of a normal 3-D vector."""
    lengths = np.linspace(0.0, cutoff, 2001)
    density = lengths**2 * np.exp(-(lengths**2) / 2.0) * (1.0 - (lengths / cutoff) ** 2) ** 2
    return float(np.sum(density * lengths**2) / np.sum(density) / 3.0)
