"""The error to expect at a target, from the covariance of the registration: first order, at any point.

For landmarks with equal isotropic FLE it equals the closed form of Fitzpatrick, West and Maurer, "Predicting error in
rigid-body point-based registration", IEEE TMI 17(5), 1998. For unequal and anisotropic FLE it is the covariance form of
Danilchenko and Fitzpatrick, IEEE TMI 30(3), 2011, with ideal weights; it holds for surfaces too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtri, fdtri, gammaincinv

from geometry import Transform
from geometry.points import Floats, as_points, read_only
from registration.errors import InvalidCovarianceError
from registration.uncertainty.perturbation import JOINT, MOTION, SKIN, joint_jacobian, motion_variances

# An excess of residuals that chance brings more often than this is no evidence for more noise than was stated.
SIGNIFICANCE = 0.05


@dataclass(frozen=True, eq=False)
class PoseUncertainty:
    """How well a pose is known: ``T_true = motion o T_estimated`` with the motion's covariance.

    Attributes:
        covariance: ``(6, 6)`` of (rotation vector in rad, translation in mm), a motion applied from the left, its axes
            those of ``reference``; blocks in rad^2, rad mm and mm^2.
        pivot_reference_mm: the point ``(3,)`` that the rotation turns about, in ``reference``.
        degrees: of freedom of the residuals from which the covariance's scale was taken; infinite where it was stated.
            A scale from few residuals is itself uncertain, and its 95 % lie farther out.
        joint: ``(13, 13)``, the motion with what else is not known: the CT's scale and the skin's motion against the
            body, in the order of `perturbation.py`; its first block is `covariance`. Left out: neither is in doubt.

    Raises:
        InvalidCovarianceError: another shape, not finite, not symmetric, a negative variance, or no positive degrees.
    """

    covariance: Floats
    pivot_reference_mm: Floats
    degrees: float = math.inf
    joint: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        covariance = np.array(self.covariance, dtype=np.float64)
        pivot = np.array(self.pivot_reference_mm, dtype=np.float64)
        if covariance.shape != (6, 6) or pivot.shape != (3,) or not np.isfinite(covariance).all():
            raise InvalidCovarianceError(
                f"a covariance of shape {covariance.shape} about a pivot of shape {pivot.shape}",
                "finite (6, 6) and (3,)",
                "pass the uncertainty that a registration returned",
            )
        if not self.degrees > 0.0:
            raise InvalidCovarianceError(
                f"a covariance known by {self.degrees} degrees of freedom", "more than none", "leave them out"
            )
        scale = np.sqrt(np.abs(np.diag(covariance)))
        asymmetry = np.abs(covariance - covariance.T).max(initial=0.0)
        if (np.diag(covariance) < 0).any() or asymmetry > 1e-9 * np.outer(scale, scale).max(initial=1e-300):
            raise InvalidCovarianceError(
                "a matrix with a negative variance or without symmetry",
                "a symmetric matrix with variances on its diagonal",
                "pass the uncertainty that a registration returned",
            )
        joint = np.array(self.joint, dtype=np.float64)
        if not joint.size:
            joint = np.zeros((JOINT, JOINT))
            joint[MOTION, MOTION] = covariance
        _check_joint(joint, covariance)
        object.__setattr__(self, "covariance", read_only((covariance + covariance.T) / 2.0))
        object.__setattr__(self, "pivot_reference_mm", read_only(pivot))
        object.__setattr__(self, "joint", read_only((joint + joint.T) / 2.0))

    @classmethod
    def from_joint(cls, joint: Floats, pivot_reference_mm: Floats, degrees: float = math.inf) -> PoseUncertainty:
        """From the covariance ``(13, 13)`` of all that is not known."""
        return cls(joint[MOTION, MOTION], pivot_reference_mm, degrees, joint)

    def at(self, points_reference: Floats, *, on_skin: bool = False) -> Floats:
        """Covariance ``(n, 3, 3)`` in mm^2 of where points ``(n, 3)`` truly are against where the pose puts them.

        Args:
            on_skin: the points are on the skin and go with it; else they are where the CT saw them in the body.
        """
        jacobian = joint_jacobian(points_reference, self.pivot_reference_mm, on_skin=on_skin)
        covariance_mm2: Floats = jacobian @ self.joint @ jacobian.transpose(0, 2, 1)
        return covariance_mm2

    def plus(self, covariance: Floats) -> PoseUncertainty:
        """With an independent motion of covariance ``(6, 6)`` about the same pivot besides."""
        joint = self.joint.copy()
        joint[MOTION, MOTION] += covariance
        return PoseUncertainty.from_joint(joint, self.pivot_reference_mm, self.degrees)

    def with_common_error(self, shift_rms_mm: float, turn_rms_rad: float) -> PoseUncertainty:
        """Adds an error that all measurements share, so that no number of them averages it out: a tracker's distortion.

        Args:
            shift_rms_mm: RMS length of the shift of everything measured.
            turn_rms_rad: RMS angle of its turn, about the pivot.
        """
        # As many degrees as before: few of them are lost by adding what was stated, and none is too careful.
        return self.plus(motion_variances(shift_rms_mm, turn_rms_rad))

    def with_skin_motion(self, shift_rms_mm: float, turn_rms_rad: float) -> PoseUncertainty:
        """Adds a motion against the body of all the skin that was touched and swept, which the pose has followed.

        No residual shows it, and no further touch of the skin: what lies in the body is off by it, what lies on the
        skin is not. Arguments as for `with_common_error`.
        """
        variances = motion_variances(shift_rms_mm, turn_rms_rad)
        joint = self.joint.copy()
        joint[MOTION, MOTION] += variances
        joint[SKIN, SKIN] += variances
        # The pose went where the skin went; the body stayed, so the motion from pose to truth is the opposite one.
        joint[MOTION, SKIN] -= variances
        joint[SKIN, MOTION] -= variances
        return PoseUncertainty.from_joint(joint, self.pivot_reference_mm, self.degrees)


def _check_joint(joint: Floats, covariance: Floats) -> None:
    """Refuses a joint covariance that is none, or not that of this motion."""
    scale = np.sqrt(np.abs(np.diag(joint))) if joint.shape == (JOINT, JOINT) else np.zeros(0)
    limits = 1e-6 * np.outer(scale, scale) + 1e-15
    if (
        joint.shape != (JOINT, JOINT)
        or not np.isfinite(joint).all()
        or (np.diag(joint) < 0.0).any()
        or (np.abs(joint - joint.T) > limits).any()
        or (np.abs(joint[MOTION, MOTION] - covariance) > limits[MOTION, MOTION]).any()
    ):
        raise InvalidCovarianceError(
            f"a joint covariance of shape {joint.shape}, not symmetric, or of another motion",
            f"a finite, symmetric ({JOINT}, {JOINT}) whose first block is that of the motion",
            "pass the uncertainty that a registration returned",
        )


@dataclass(frozen=True, eq=False)
class ExpectedTre:
    """What the target registration error will be, in the mean of many registrations like this one.

    Attributes:
        rms_mm: root mean square of the error's length, ``(n,)``.
        p95_mm: 95 of 100 errors are shorter, ``(n,)``.
        covariance_reference_mm2: of the error vector, in ``reference``, ``(n, 3, 3)``.
        degrees: of freedom by which that covariance is known, ``(n,)``; infinite where it was stated.
    """

    rms_mm: Floats
    p95_mm: Floats
    covariance_reference_mm2: Floats
    degrees: Floats

    def ellipsoids(self, probability: float = 0.95) -> tuple[Floats, Floats]:
        """The ellipsoids that hold the error vector with this probability: axes and semi-axes, the longest first.

        Returns:
            Unit axes in ``reference``, the columns of ``(n, 3, 3)``, and their lengths in mm, ``(n, 3)``.
        """
        variances, axes = np.linalg.eigh(self.covariance_reference_mm2)
        scale = np.full(len(variances), float(chdtri(3, 1.0 - probability)))
        few = np.isfinite(self.degrees)
        scale[few] = 3.0 * fdtri(3.0, self.degrees[few], probability)
        lengths_mm = np.sqrt(scale[:, None] * np.maximum(variances[:, ::-1], 0.0))
        return read_only(axes[:, :, ::-1].copy()), read_only(lengths_mm)


def expected_tre(
    T_reference_ct: Transform,
    uncertainty: PoseUncertainty,
    targets_ct: ArrayLike,
    tool_covariance_reference_mm2: ArrayLike | None = None,
) -> ExpectedTre:
    """The expected error at targets ``(n, 3)`` in ct, in mm: of the registration, and of the tool that points at them.

    First order in the covariance: good while rotations stay below some 0.1 rad. Fast enough for every vertex of a
    surface, to colour it by.

    Args:
        tool_covariance_reference_mm2: of the tool's tip, axes of reference, ``(3, 3)`` or one per target
            ``(n, 3, 3)``; left out, the error is the registration's alone.

    Raises:
        InvalidPointsError: targets that are not finite ``(n, 3)``.
        InvalidCovarianceError: a tool's covariance that is none.
    """
    pose_mm2 = uncertainty.at(T_reference_ct.apply(as_points(targets_ct, "targets")))
    covariance_mm2 = pose_mm2 + tool_covariance_mm2(tool_covariance_reference_mm2, len(pose_mm2))
    squared_mm2 = np.trace(covariance_mm2, axis1=1, axis2=2)
    # Satterthwaite 1946: the tool's part is stated, so only the pose's share of the variance is known by few degrees.
    share = np.divide(
        np.trace(pose_mm2, axis1=1, axis2=2), squared_mm2, out=np.ones_like(squared_mm2), where=squared_mm2 > 0
    )
    with np.errstate(divide="ignore"):
        degrees = np.asarray(uncertainty.degrees / share**2, dtype=np.float64)
    return ExpectedTre(
        rms_mm=read_only(np.sqrt(squared_mm2)),
        p95_mm=read_only(length_quantile_mm(covariance_mm2, 0.95, degrees)),
        covariance_reference_mm2=read_only(covariance_mm2),
        degrees=read_only(degrees),
    )


def tool_covariance_mm2(covariance_mm2: ArrayLike | None, count: int) -> Floats:
    """Covariances ``(3, 3)`` or ``(count, 3, 3)``, checked; zero for None.

    Raises:
        InvalidCovarianceError: another shape, not finite, not symmetric, or a negative variance.
    """
    matrices = np.zeros((3, 3)) if covariance_mm2 is None else np.asarray(covariance_mm2, dtype=np.float64)
    right_shape = matrices.shape in {(3, 3), (count, 3, 3)} and bool(np.isfinite(matrices).all())
    largest = float(np.abs(matrices).max(initial=0.0))
    if (
        not right_shape
        or np.abs(matrices - np.swapaxes(matrices, -1, -2)).max(initial=0.0) > 1e-6 * largest
        or np.linalg.eigvalsh(matrices).min(initial=0.0) < -1e-9 * largest
    ):
        raise InvalidCovarianceError(
            f"a tool's covariance of shape {matrices.shape}, or not finite, not symmetric, negative",
            f"a symmetric (3, 3) or ({count}, 3, 3) in mm^2 without negative eigenvalues",
            "pass the covariance of the tip from its calibration, turned into reference",
        )
    return matrices


def length_quantile_mm(covariance_mm2: Floats, probability: float, degrees: float | Floats = math.inf) -> Floats:
    """Quantile ``(n,)`` of the length of normal error vectors with covariances ``(n, 3, 3)``.

    The squared length is taken as gamma distributed with the exact mean and variance (Satterthwaite 1946). Exact for
    one, two or three equal principal variances; in between the true coverage of the 95 % length lies between 94.9 and
    95.2 % (docs/registration.md has the measurement).

    Args:
        degrees: of freedom by which the covariances' scale is known, one number or ``(n,)``: where they are finite, the
            gamma quantile becomes that of Fisher's F.
    """
    mean = np.trace(covariance_mm2, axis1=1, axis2=2)
    variance = 2.0 * np.einsum("nij,nji->n", covariance_mm2, covariance_mm2)
    shape = np.divide(mean**2, variance, out=np.ones_like(mean), where=variance > 0)
    known = np.broadcast_to(np.asarray(degrees, dtype=np.float64), mean.shape)
    squared = mean * gammaincinv(shape, probability) / shape
    few = np.isfinite(known)
    squared[few] = mean[few] * fdtri(2.0 * shape[few], known[few], probability)
    return np.sqrt(squared)


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
