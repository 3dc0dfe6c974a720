"""Expected TRE at any point, to first order, from the covariance of the registration.

For landmarks with equal isotropic FLE it equals the closed form of Fitzpatrick, West and Maurer, "Predicting error in
rigid-body point-based registration", IEEE TMI 17(5), 1998. For unequal and anisotropic FLE it is the covariance form of
Danilchenko and Fitzpatrick, IEEE TMI 30(3), 2011, with ideal weights. The same form holds for surface registrations.
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

# Residuals larger than stated are taken as evidence of more noise only if chance gives such ones more rarely than this.
SIGNIFICANCE = 0.05


@dataclass(frozen=True, eq=False)
class PoseUncertainty:
    """How well a pose is known: ``T_true = motion o T_estimated`` with the motion's covariance.

    Attributes:
        covariance: ``(6, 6)`` of (rotation vector in rad, translation in mm), a motion applied from the left in the
            axes of ``reference``; blocks in rad^2, rad mm and mm^2.
        pivot_reference_mm: the point ``(3,)`` that the rotation turns about, in ``reference``.
        degrees: degrees of freedom of the residuals from which the covariance's scale was estimated; infinite where the
            scale was stated. With few degrees, 95 % quantiles are larger.
        joint: covariance ``(13, 13)`` of the motion together with the CT's scale and the skin's motion against the
            body, in the order of `perturbation.py`; its first block is `covariance`. If left out, the other two are
            taken as known exactly.

    Raises:
        InvalidCovarianceError: wrong shape, not finite, not symmetric, a negative variance, or degrees not above zero.
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
                f"a covariance with {self.degrees} degrees of freedom",
                "a number above zero",
                "leave `degrees` out where the covariance was stated",
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
        """Makes the uncertainty from the joint covariance ``(13, 13)`` of motion, scale and skin."""
        return cls(joint[MOTION, MOTION], pivot_reference_mm, degrees, joint)

    def at(self, points_reference: Floats, *, on_skin: bool = False) -> Floats:
        """Covariance ``(n, 3, 3)`` in mm^2 of the error with which the pose maps points ``(n, 3)`` in reference.

        Args:
            on_skin: True for points that move with the skin; False for points fixed in the body.
        """
        jacobian = joint_jacobian(points_reference, self.pivot_reference_mm, on_skin=on_skin)
        covariance_mm2: Floats = jacobian @ self.joint @ jacobian.transpose(0, 2, 1)
        return covariance_mm2

    def plus(self, covariance: Floats) -> PoseUncertainty:
        """Adds an independent motion with covariance ``(6, 6)`` about the same pivot."""
        joint = self.joint.copy()
        joint[MOTION, MOTION] += covariance
        return PoseUncertainty.from_joint(joint, self.pivot_reference_mm, self.degrees)

    def with_common_error(self, shift_rms_mm: float, turn_rms_rad: float) -> PoseUncertainty:
        """Adds an error that all measurements share and that therefore does not average out, such as a distortion.

        Args:
            shift_rms_mm: RMS length of the common shift.
            turn_rms_rad: RMS angle of the common rotation about the pivot.
        """
        # Keeps the degrees of freedom: slightly conservative.
        return self.plus(motion_variances(shift_rms_mm, turn_rms_rad))

    def with_skin_motion(self, shift_rms_mm: float, turn_rms_rad: float) -> PoseUncertainty:
        """Adds a motion of all touched and swept skin against the body, for a pose that rests on the skin alone.

        The pose followed the skin, so no residual and no further touch of the skin shows this motion. It is an error at
        points in the body, and none at points on the skin. Arguments as for `with_common_error`.
        """
        variances = motion_variances(shift_rms_mm, turn_rms_rad)
        joint = self.joint.copy()
        joint[MOTION, MOTION] += variances
        joint[SKIN, SKIN] += variances
        # The pose followed the skin and the body stayed: the correction of the pose is the opposite motion.
        joint[MOTION, SKIN] -= variances
        joint[SKIN, MOTION] -= variances
        return PoseUncertainty.from_joint(joint, self.pivot_reference_mm, self.degrees)


def _check_joint(joint: Floats, covariance: Floats) -> None:
    """Raises `InvalidCovarianceError` unless `joint` is a covariance with `covariance` as its first block."""
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
            f"a joint covariance of shape {joint.shape} of a wrong shape, not symmetric, or of another motion",
            f"a finite, symmetric ({JOINT}, {JOINT}) matrix whose first block is the covariance of the motion",
            "pass the uncertainty that a registration returned",
        )


@dataclass(frozen=True, eq=False)
class ExpectedTre:
    """Expected target registration error at n targets, over repeated registrations like this one.

    Attributes:
        rms_mm: root mean square of the error's length, ``(n,)``.
        p95_mm: 95 % quantile of the error's length, ``(n,)``.
        covariance_reference_mm2: covariance of the error vector, in ``reference``, ``(n, 3, 3)``.
        degrees: degrees of freedom of that covariance's scale, ``(n,)``; infinite where the scale was stated.
    """

    rms_mm: Floats
    p95_mm: Floats
    covariance_reference_mm2: Floats
    degrees: Floats

    def ellipsoids(self, probability: float = 0.95) -> tuple[Floats, Floats]:
        """The ellipsoids that contain the error vector with this probability, longest axis first.

        Returns:
            Unit axes in ``reference``, the columns of ``(n, 3, 3)``, and the semi-axes in mm, ``(n, 3)``.
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
    """Expected TRE at targets ``(n, 3)`` in ct, in mm, optionally including the error of the tool's tip.

    First order in the covariance: accurate while rotation errors stay below some 0.1 rad. Vectorised, so that every
    vertex of a surface can be a target.

    Args:
        T_reference_ct: the estimated pose.
        uncertainty: its covariance.
        targets_ct: positions in ct.
        tool_covariance_reference_mm2: covariance of the tool's tip in the axes of reference, ``(3, 3)`` or one per
            target ``(n, 3, 3)``; if left out, the error is that of the registration alone.

    Raises:
        InvalidPointsError: targets that are not finite ``(n, 3)``.
        InvalidCovarianceError: a tool covariance with a wrong shape, not finite, or not positive semidefinite.
    """
    pose_mm2 = uncertainty.at(T_reference_ct.apply(as_points(targets_ct, "targets")))
    covariance_mm2 = pose_mm2 + tool_covariance_mm2(tool_covariance_reference_mm2, len(pose_mm2))
    squared_mm2 = np.trace(covariance_mm2, axis1=1, axis2=2)
    # Satterthwaite 1946: the tool's variance is stated, so only the pose's share has finite degrees of freedom.
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
    """Checks the covariance of a tool's tip, ``(3, 3)`` or ``(count, 3, 3)`` in mm^2; None gives zero.

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
            f"a tool covariance of shape {matrices.shape}, of a wrong shape, not finite, not symmetric, or negative",
            f"a symmetric (3, 3) or ({count}, 3, 3) array in mm^2 without negative eigenvalues",
            "pass the covariance of the tip from its calibration, rotated into reference",
        )
    return matrices


def length_quantile_mm(covariance_mm2: Floats, probability: float, degrees: float | Floats = math.inf) -> Floats:
    """Quantile ``(n,)`` in mm of the length of normal error vectors with covariances ``(n, 3, 3)`` in mm^2.

    The squared length is approximated by a gamma distribution of the same mean and variance (Satterthwaite 1946). This
    is exact for one, two or three equal principal variances; in between, the true coverage of the 95 % length lies
    between 94.9 and 95.2 % (measured in docs/registration/README.md).

    Args:
        degrees: degrees of freedom of the covariances' scale, one number or ``(n,)``; where finite, the gamma quantile
            is replaced by that of Fisher's F distribution.
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
    """True TRE ``(n,)`` in mm at targets ``(n, 3)`` in ct, for simulations and phantoms with a known true pose.

    Raises:
        FrameMismatchError: the transforms are between different frames.
        InvalidPointsError: targets that are not finite ``(n, 3)``.
    """
    T_true.rotation_difference_rad(T_estimated)  # refuses transforms between different frames
    targets = as_points(targets_ct, "targets")
    return np.linalg.norm(T_estimated.apply(targets) - T_true.apply(targets), axis=1)


def noise_inflation(chi_square: float, degrees: float) -> float:
    """Factor on the stated variance: the reduced chi-square where it is significantly above 1, else 1.

    Never below 1: small residuals may be chance, and do not prove small errors.
    """
    if degrees <= 0 or chi_square <= chdtri(degrees, SIGNIFICANCE):
        return 1.0
    return max(1.0, chi_square / degrees)
