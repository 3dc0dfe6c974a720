"""Estimates the size and the correlation length of a surface's error from the residuals of a registration.

The stated error (such as 0.5 mm, correlated over 15 mm) is an assumption about a segmentation or about skin. Where the
residuals contradict it, the estimate replaces it: with a correlation length of 80 mm a sweep holds a few independent
observations, not a hundred. The fitted pose absorbs much of such an error, so a variogram of the residuals would
underestimate its size and length. Therefore the likelihood of the residuals is marginalised over the pose, within what
the landmarks leave open (restricted maximum likelihood: Patterson and Thompson, Biometrika 58(3), 1971).
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

# Residuals are averaged over cells of at least this width, and over at most so many: the likelihood costs O(cells^3).
CELL_MM = 8.0
MOST_CELLS = 140
# Candidates as multiples of the stated length and size. A longer correlation could not be told from a change of pose.
LENGTHS = (1.0, 1.6, 2.5, 4.0, 6.3, 10.0)
SIZES = (0.0, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
# Ratio of `correlation_length_mm` to l for an error correlated as ``exp(-d^2 / 2 l^2)``: the areas are equal.
SIDE_PER_REACH = math.sqrt(2.0 * math.pi)


@dataclass(frozen=True)
class ResidualField:
    """A surface's error as estimated from residuals that contradict the stated one.

    Attributes:
        model_error_mm: its standard deviation, the stated error included.
        correlation_length_mm: as in `SurfaceFitSettings`.
        variance_factor: estimated over stated variance, never below 1.
    """

    model_error_mm: float
    correlation_length_mm: float
    variance_factor: float


def estimate_field(
    evidence: Evidence, outcome: IcpOutcome, field: DistanceField, stated_mm: float, stated_length_mm: float
) -> ResidualField | None:
    """The most likely size and correlation length; None where the stated length explains the residuals about as well.

    An error that is only larger than stated, at the stated length, is left to `noise_inflation`.

    Args:
        evidence, outcome: measurements and result of the fit with the stated error.
        field: distance to the surface.
        stated_mm, stated_length_mm: standard deviation and correlation length that were stated.
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
    # The size is fitted for each length: if the stated length is true, twice the gain is chi-square with one degree.
    significant = 2.0 * (likelihoods.max() - likelihoods[0].max()) > chdtri(1, SIGNIFICANCE)
    if not significant or times * size <= 1.0:  # a smaller error with a longer correlation weighs no more
        return None
    # Stated and estimated error add up, each over its own length: the variance of a mean over an area is proportional
    # to the square of size times length.
    counted = math.hypot(size, 1.0 / times)
    return ResidualField(counted * stated_mm, times * stated_length_mm, max(1.0, size**2))


@dataclass(frozen=True, eq=False)
class _Cells:
    """Mean residuals over k cells of the sweep.

    Attributes:
        centres_mm: of the cells, ``(k, 3)``.
        means_mm: mean residuals ``(k,)`` minus what the landmarks predict.
        covariance_mm2: covariance ``(k, k)`` without the surface's error: from the points' noise, and from the pose as
            far as landmarks and priors leave it open.
    """

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
        """Log-likelihood of the means, up to a constant, for a surface error of this size and correlation length."""
        reach_mm = length_mm / SIDE_PER_REACH
        covariance = self.covariance_mm2 + size_mm**2 * np.exp(-squared_mm2 / (2.0 * reach_mm**2))
        factor = cho_factor(covariance, lower=True)
        misfit = float(self.means_mm @ cho_solve(factor, self.means_mm))
        return -0.5 * misfit - float(np.sum(np.log(np.diag(factor[0]))))


def _gathered(points_mm: Floats) -> tuple[np.ndarray, int]:
    """Cell index of each point, and the number of cells; the cells grow until there are at most `MOST_CELLS`."""
    edge_mm = CELL_MM
    while True:
        cubes = np.floor((points_mm - points_mm.min(axis=0)) / edge_mm).astype(np.int64)
        _, cell = np.unique(cubes, axis=0, return_inverse=True)
        count = int(cell.max()) + 1
        if count <= MOST_CELLS:
            return cell.ravel(), count
        edge_mm *= 1.15
