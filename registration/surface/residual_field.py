"""The error of a surface as its own residuals show it: how large it is, and over what length it hangs together.

A statement ("0.5 mm, together over 15 mm") is a guess about a segmentation, or about skin. Where the residuals speak
against it, they decide: an error that hangs together over 80 mm leaves a sweep a few independent looks, not a hundred.
The pose itself takes up much of such an error, so the plain variogram of what is left would make it too small and too
short; here the likelihood of the residuals is taken with the pose integrated out over what the landmarks leave open
(restricted maximum likelihood: Patterson and Thompson, Biometrika 58(3), 1971).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import pdist, squareform
from scipy.special import chdtri

from geometry.points import Floats
from registration.distance.closest_point import DistanceField
from registration.surface.icp import Evidence, IcpOutcome, landmark_equations, surface_jacobian
from registration.uncertainty.expected_error import SIGNIFICANCE
from registration.uncertainty.shared_errors import inverse_of_free

# Means of the residuals over cells at least this wide, and at most so many of them: the likelihood costs their cube.
CELL_MM = 8.0
MOST_CELLS = 140
# Of the stated length and size; an error as smooth as the patient is long cannot be told from a pose.
LENGTHS = (1.0, 1.6, 2.5, 4.0, 6.3, 10.0)
SIZES = (0.0, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
# Side of the square with the same area as the correlation of ``exp(-d^2 / 2 l^2)``, over l.
SIDE_PER_REACH = math.sqrt(2.0 * math.pi)


@dataclass(frozen=True)
class ResidualField:
    """A surface's error, where it contradicts what was stated.

    Attributes:
        model_error_mm: standard deviation with which it counts, the stated error included; correlation_length_mm: as
            in `SurfaceFitSettings`.
        variance_factor: of the variance that was found over the stated one, never below 1.
    """

    model_error_mm: float
    correlation_length_mm: float
    variance_factor: float


def estimate_field(
    evidence: Evidence, outcome: IcpOutcome, field: DistanceField, stated_mm: float, stated_length_mm: float
) -> ResidualField | None:
    """The most likely size and length; None where the stated length explains the residuals about as well.

    Whether the size alone exceeds what was stated is the business of `noise_inflation`.

    Args:
        stated_mm, stated_length_mm: of the surface's error.
    """
    if stated_mm <= 0.0 or stated_length_mm <= 0.0:
        return None
    cells = _Cells.of(evidence, outcome, field)
    if len(cells.means_mm) < 2 * evidence.free.size:
        return None
    squared_mm2 = squareform(pdist(cells.centres_mm, "sqeuclidean"))
    likelihoods = np.array(
        [
            [cells.log_likelihood(squared_mm2, size * stated_mm, times * stated_length_mm) for size in SIZES]
            for times in LENGTHS
        ]
    )
    longest, largest = np.unravel_index(int(likelihoods.argmax()), likelihoods.shape)
    times, size = LENGTHS[longest], SIZES[largest]
    # The size is chosen at either length: twice the gain is chi-square with one degree if the stated length is true.
    significant = 2.0 * (likelihoods.max() - likelihoods[0].max()) > chdtri(1, SIGNIFICANCE)
    if not significant or times * size <= 1.0:  # small errors that hang together weigh no more than the stated ones
        return None
    # Both are there: what was stated, over its own length, and what was found. The variance of a mean over an area
    # goes with the square of size times length.
    counted = math.hypot(size, 1.0 / times)
    return ResidualField(counted * stated_mm, times * stated_length_mm, max(1.0, size**2))


@dataclass(frozen=True, eq=False)
class _Cells:
    """Mean residuals ``(k,)`` over cells of the sweep, less what the landmarks predict, and their covariance without
    the surface's error: of each point's own noise, and of the pose as far as landmarks and priors leave it open."""

    centres_mm: Floats
    means_mm: Floats
    covariance_mm2: Floats

    @classmethod
    def of(cls, evidence: Evidence, outcome: IcpOutcome, field: DistanceField) -> _Cells:
        used = outcome.robust_weights > 0.0
        points_mm = evidence.points_reference[used]
        cell, count = _gathered(points_mm)
        sizes = np.bincount(cell, minlength=count).astype(np.float64)

        def mean(values: Floats) -> Floats:
            columns = values.reshape(len(values), -1).T
            sums = np.column_stack([np.bincount(cell, column, minlength=count) for column in columns])
            return np.asarray(sums / sizes[:, None], dtype=np.float64)

        pose = outcome.T_reference_ct
        rows = mean(surface_jacobian(evidence, pose, field)[used])
        information, pull = landmark_equations(evidence, pose)
        open_ = inverse_of_free(information + evidence.prior_information, evidence.free)
        own_mm2 = mean(evidence.point_noise_mm[used] ** 2)[:, 0] / sizes
        return cls(
            mean(points_mm),
            mean(outcome.residuals_mm[used])[:, 0] - rows @ (open_ @ pull),
            rows @ open_ @ rows.T + np.diag(own_mm2),
        )

    def log_likelihood(self, squared_mm2: Floats, size_mm: float, length_mm: float) -> float:
        """Of the means, up to a constant, for an error of the surface of this size and length of correlation."""
        reach_mm = length_mm / SIDE_PER_REACH
        covariance = self.covariance_mm2 + size_mm**2 * np.exp(-squared_mm2 / (2.0 * reach_mm**2))
        factor = cho_factor(covariance, lower=True)
        misfit = float(self.means_mm @ cho_solve(factor, self.means_mm))
        return -0.5 * misfit - float(np.sum(np.log(np.diag(factor[0]))))


def _gathered(points_mm: Floats) -> tuple[np.ndarray, int]:
    """Which cube each point lies in, and how many cubes hold any; they grow until there are few enough."""
    edge_mm = CELL_MM
    while True:
        cubes = np.floor((points_mm - points_mm.min(axis=0)) / edge_mm).astype(np.int64)
        _, cell = np.unique(cubes, axis=0, return_inverse=True)
        count = int(cell.max()) + 1
        if count <= MOST_CELLS:
            return cell.ravel(), count
        edge_mm *= 1.15
