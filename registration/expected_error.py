"""The error to expect at a target, from the covariance of the registration: first order, at any point.

For landmarks with equal isotropic FLE it equals the closed form of Fitzpatrick, West and Maurer, "Predicting error in
rigid-body point-based registration", IEEE TMI 17(5), 1998; unlike that form it also holds for unequal FLE
and for surfaces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri, gammaincinv

from geometry import Transform
from geometry.points import Floats, as_points, read_only
from registration.errors import InvalidCovarianceError
from registration.perturbation import motion_jacobian

# An excess of residuals that chance brings more often than this is no evidence for more noise than was stated.
SIGNIFICANCE = 0.05


@dataclass(frozen=True, eq=False)
class PoseUncertainty:
    """How well a pose is known: ``T_true = motion o T_estimated`` with the motion's covariance.

    Attributes:
        covariance: ``(6, 6)`` of (rotation vector in rad, translation in mm), a motion applied from the left, its axes
            those of ``reference``; blocks in rad^2, rad mm and mm^2.
        pivot_reference_mm: the point ``(3,)`` that the rotation turns about, in ``reference``.

    Raises:
        InvalidCovarianceError: another shape, not finite, not symmetric, or a negative variance.
    """

    covariance: Floats
    pivot_reference_mm: Floats

    def __post_init__(self) -> None:
        covariance = np.array(self.covariance, dtype=np.float64)
        pivot = np.array(self.pivot_reference_mm, dtype=np.float64)
        if covariance.shape != (6, 6) or pivot.shape != (3,) or not np.isfinite(covariance).all():
            raise InvalidCovarianceError(
                f"a covariance of shape {covariance.shape} about a pivot of shape {pivot.shape}",
                "finite (6, 6) and (3,)",
                "pass the uncertainty that a registration returned",
            )
        scale = np.sqrt(np.abs(np.diag(covariance)))
        asymmetry = np.abs(covariance - covariance.T).max(initial=0.0)
        if (np.diag(covariance) < 0).any() or asymmetry > 1e-9 * np.outer(scale, scale).max(initial=1e-300):
            raise InvalidCovarianceError(
                "a matrix with a negative variance or without symmetry",
                "a symmetric matrix with variances on its diagonal",
                "pass the uncertainty that a registration returned",
            )
        object.__setattr__(self, "covariance", read_only((covariance + covariance.T) / 2.0))
        object.__setattr__(self, "pivot_reference_mm", read_only(pivot))

    def with_common_error(self, shift_rms_mm: float, turn_rms_rad: float) -> PoseUncertainty:
        """Adds an error that all measurements share, so that no number of them averages it out: a tracker's distortion.

        Args:
            shift_rms_mm: RMS length of the shift of everything measured.
            turn_rms_rad: RMS angle of its turn, about the pivot.
        """
        variances = np.repeat([turn_rms_rad**2 / 3.0, shift_rms_mm**2 / 3.0], 3)
        return PoseUncertainty(self.covariance + np.diag(variances), self.pivot_reference_mm)


@dataclass(frozen=True, eq=False)
class ExpectedTre:
    """What the target registration error will be, in the mean of many registrations like this one.

    Attributes:
        rms_mm: root mean square of the error's length, ``(n,)``.
        p95_mm: 95 of 100 errors are shorter, ``(n,)``.
        covariance_reference_mm2: of the error vector, in ``reference``, ``(n, 3, 3)``.
    """

    rms_mm: Floats
    p95_mm: Floats
    covariance_reference_mm2: Floats


def expected_tre(T_reference_ct: Transform, uncertainty: PoseUncertainty, targets_ct: ArrayLike) -> ExpectedTre:
    """The expected error of the registration alone at targets ``(n, 3)`` in ct, in mm.

    First order in the covariance: good while rotations stay below some 0.1 rad. The error of the tool that points at
    the target comes on top.

    Raises:
        InvalidPointsError: targets that are not finite ``(n, 3)``.
    """
    targets_reference_mm = T_reference_ct.apply(as_points(targets_ct, "targets"))
    jacobian = motion_jacobian(targets_reference_mm, uncertainty.pivot_reference_mm)
    covariance_mm2 = jacobian @ uncertainty.covariance @ jacobian.transpose(0, 2, 1)
    return ExpectedTre(
        rms_mm=read_only(np.sqrt(np.trace(covariance_mm2, axis1=1, axis2=2))),
        p95_mm=read_only(length_quantile_mm(covariance_mm2, 0.95)),
        covariance_reference_mm2=read_only(covariance_mm2),
    )


def length_quantile_mm(covariance_mm2: Floats, probability: float) -> Floats:
    """Quantile ``(n,)`` of the length of normal error vectors with covariances ``(n, 3, 3)``.

    The squared length is taken as gamma distributed with the exact mean and variance (Satterthwaite 1946). Exact for
    one, two or three equal principal variances; in between the true coverage of the 95 % length lies between 94.9 and
    95.2 % (docs/registration.md has the measurement).
    """
    mean = np.trace(covariance_mm2, axis1=1, axis2=2)
    variance = 2.0 * np.einsum("nij,nji->n", covariance_mm2, covariance_mm2)
    shape = np.divide(mean**2, variance, out=np.ones_like(mean), where=variance > 0)
    scale = np.divide(variance, mean, out=np.zeros_like(mean), where=mean > 0)
    return np.sqrt(gammaincinv(shape, probability) * scale)


def target_errors_mm(T_estimated: Transform, T_true: Transform, targets_ct: ArrayLike) -> Floats:
    """True TRE ``(n,)`` at targets ``(n, 3)``: for simulations and phantoms, where the truth is known."""
    T_true.rotation_difference_rad(T_estimated)  # refuses transforms between different frames
    targets = as_points(targets_ct, "targets")
    return np.linalg.norm(T_estimated.apply(targets) - T_true.apply(targets), axis=1)


def noise_inflation(chi_square: float, degrees: float) -> float:
    """Factor ``>= 1`` on the variance: the reduced chi-square where chance does not explain it, else 1.

    Never below 1: residuals that happen to be small are no proof of small errors.
    """
    if degrees <= 0 or chi_square <= chdtri(degrees, SIGNIFICANCE):
        return 1.0
    return max(1.0, chi_square / degrees)
