"""The covariance of an N-wire calibration whose residuals are errors of the tracker, which last, and of the pixels.

An error of the probe's pose acts on one image as a change of the calibration acts on all. Both errors are told apart by
expectation and maximisation (Dempster, Laird, Rubin, JRSS B 39(1), 1977): what moves all wires of an image together is
the pose's, the rest the pixels'. How long a pose's error lasts is then seen in the poses' errors, where it does not
fade with the geometry that changes from image to image, as it does in what each image asks of the calibration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2
from scipy.stats import f as f_distribution

from geometry.points import Floats

_ROUNDS = 25
# Rotations count in mm at this distance, about that of the image's corners from its middle.
_REACH_MM = 40.0
# A quarter of the sequence: beyond, an autocorrelation has too few products to be known.
_LONGEST_LAG = 0.25
# At most so much of the errors is taken to have gone into the fit.
_MOST_TAKEN = 0.3
_LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class ImageSums:
    """What m images say about the p parameters of the fit and about an error of their own pose.

    Attributes:
        inverse: of the normal matrix, ``(p, p)``, pseudo where parameters are bound together.
        by_pose: how an error of each image's pose pulls at the parameters, ``J' J_pose``, ``(m, p, 6)``.
        information: about the pose's error, ``J_pose' J_pose``, ``(m, 6, 6)``.
        pulls: of the residuals at the pose's error, ``J_pose' r``, ``(m, 6)``.
        squares: sums of the squared residuals, ``(m,)`` in mm^2.
        n_residuals: how many there are in all.
    """

    inverse: Floats
    by_pose: Floats
    information: Floats
    pulls: Floats
    squares: Floats
    n_residuals: int


def pose_directions(columns_mm: Floats, n_parameters: int) -> Floats:
    """How a small rotation (in mm at 40 mm) and a shift of the probe change ``(u, v, origin)``, ``(p, 6)``."""
    directions = np.zeros((n_parameters, 6))
    for axis in range(3):
        directions[:9, axis] = np.cross(np.eye(3)[axis], columns_mm.T).reshape(9) / _REACH_MM
    directions[6:9, 3:] = np.eye(3)
    return directions


def covariance_of(sums: ImageSums) -> Floats:
    """Covariance ``(p, p)`` of the parameters, wide enough for an ellipsoid of three dimensions of few images."""
    scatter, pixel, errors, attenuations = _told_apart(sums)
    taken = len(sums.inverse) / (6.0 * len(errors))
    correlation = _autocorrelation(errors, attenuations, scatter, taken)
    repetition = float(2.0 * correlation.sum() - 1.0)
    scatter = scatter / (1.0 - min(_MOST_TAKEN, taken * repetition))
    pulled = np.einsum("pq,mqk->mpk", sums.inverse, sums.by_pose) @ np.linalg.cholesky(scatter)
    by_poses = np.einsum("mpk,mqk->pq", pulled, pulled)
    size = np.sqrt(np.maximum(np.diag(by_poses), _LEAST))
    for lag, value in enumerate(correlation[1:], start=1):
        shared = np.einsum("mpk,mqk->pq", pulled[lag:], pulled[:-lag], optimize=True)
        by_poses += value * (shared + shared.T)
    # A correlation that ends at some lag may leave a direction less than nothing.
    values, vectors = np.linalg.eigh(by_poses / np.outer(size, size))
    by_poses = (vectors * np.maximum(values, 0.0)) @ vectors.T * np.outer(size, size)
    return (by_poses + pixel * sums.inverse) * _widening(len(errors) / repetition)


def _told_apart(sums: ImageSums) -> tuple[Floats, float, Floats, Floats]:
    """Scatter of the poses' errors ``(6, 6)``, variance of a pixel, the poses' errors, and how much of them is seen.

    The last is ``(m, 6, 6)``: the error that is expected for a true one; none where the pixels hide it.
    """
    count = len(sums.squares)
    pixel = max(float(sums.squares.sum()) / sums.n_residuals, _LEAST)
    scatter = np.eye(6) * pixel
    errors, known = sums.pulls, sums.information
    for _ in range(_ROUNDS):
        left = np.linalg.inv(sums.information / pixel + np.linalg.inv(scatter))
        errors = np.einsum("mij,mj->mi", left, sums.pulls) / pixel
        known = left @ sums.information / pixel
        misfit = sums.squares.sum() - 2.0 * np.sum(errors * sums.pulls)
        misfit += np.einsum("mij,mij->", sums.information, left + errors[:, :, None] * errors[:, None, :])
        pixel = max(float(misfit) / (sums.n_residuals - len(sums.inverse)), _LEAST)
        scatter = (errors.T @ errors + left.sum(axis=0)) / count + _LEAST * np.eye(6)
    return scatter, pixel, errors, known


def _autocorrelation(errors: Floats, attenuations: Floats, scatter: Floats, taken: float) -> Floats:
    """Of the poses' errors by lag, from lag 0 (1) on, as long as it is positive; raised by what the fit took of it."""
    root = np.linalg.cholesky(np.linalg.inv(scatter))
    seen, to_seen = errors @ root, root.T @ attenuations
    from_true = to_seen @ scatter
    measured: list[float] = []
    for lag in range(1, max(2, int(_LONGEST_LAG * len(errors)))):
        # Of a correlation of one, so much would be seen.
        whole = float(np.sum(from_true[lag:] * to_seen[:-lag]))
        measured.append(float(np.sum(seen[lag:] * seen[:-lag])) / max(whole, _LEAST))
        if measured[-1] + taken <= 0.0:
            measured.pop()
            break
    values, repetition = np.ones(1), 1.0
    for _ in range(4):
        lost = min(_MOST_TAKEN, taken * repetition)
        values = np.concatenate([[1.0], np.clip(np.array(measured) * (1.0 - lost) + lost, 0.0, 1.0)])
        repetition = float(2.0 * values.sum() - 1.0)
    return values


def _widening(images: float) -> float:
    """What makes an ellipsoid of chi-square hold its 95 % though its scatter is known from few images (Hotelling)."""
    degrees = max(images, 6.0)
    hotelling = 3.0 * degrees / (degrees - 2.0) * float(f_distribution.ppf(0.95, 3, degrees - 2.0))
    return hotelling / float(chi2.ppf(0.95, 3))
