"""The pose of the tracker in the headset's world, and the error to be expected of it at any point."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation
from scipy.special import chdtri, fdtri, gammaincinv

from geometry import Transform
from geometry.points import Bools, Floats, as_points

# Between a surgeon's eyes and hands, and between a marker beside the wound and what is shown of the patient.
ARM_LENGTH_MM = 600.0


@dataclass(frozen=True, eq=False)
class HeadsetToTracker:
    """Where the tracker is in the headset's world, as long as that world stays where `anchor` says.

    Attributes:
        T_headset_tracker: maps points from ``tracker`` to ``headset``.
        covariance: ``(6, 6)`` of (rotation vector in rad, translation in mm) of a motion applied from the left, in the
            axes of ``headset``; its scale was estimated from the residuals.
        degrees: degrees of freedom of that estimate. The fewer, the larger is the 95 % error beside the covariance.
        anchor: the headset's name of the place where its world was.
        method: how it was measured.
        centre_tracker_mm: middle ``(3,)`` of the places that were measured, in ``tracker``.
        residuals_mm: what the pose leaves at each place, ``(n,)``.
        used: the places that the pose rests on, ``(n,)``.
        coverage: what was measured, as sentences.
    """

    T_headset_tracker: Transform
    covariance: Floats
    degrees: float
    anchor: str
    method: str
    centre_tracker_mm: Floats
    residuals_mm: Floats
    used: Bools
    coverage: tuple[str, ...]

    @property
    def residual_rms_mm(self) -> float:
        """Of the places that were used."""
        return float(np.sqrt(np.mean(self.residuals_mm[self.used] ** 2)))

    def covariance_at_mm2(self, points_tracker_mm: ArrayLike) -> Floats:
        """Covariance ``(n, 3, 3)`` in mm^2, axes of ``headset``, of points ``(n, 3)`` in ``tracker`` shown there."""
        turns = motion_jacobian(self.T_headset_tracker.apply(as_points(points_tracker_mm)))
        covariance: Floats = turns @ self.covariance @ turns.transpose(0, 2, 1)
        return covariance

    def expected_p95_mm(self, points_tracker_mm: ArrayLike) -> Floats:
        """The error ``(n,)`` within which 95 of 100 such calibrations show points ``(n, 3)`` in ``tracker``."""
        return length_p95_mm(self.covariance_at_mm2(points_tracker_mm), self.degrees)

    def expected_p95_at_arms_length_mm(self) -> float:
        """The largest expected error 600 mm from the middle of what was measured, in whichever direction it is."""
        sideways = np.array([[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z])
        directions = sideways / np.linalg.norm(sideways, axis=1, keepdims=True)
        return float(self.expected_p95_mm(self.centre_tracker_mm + ARM_LENGTH_MM * directions).max())

    def normal_covariance(self) -> Floats:
        """The covariance ``(6, 6)`` for whoever knows no degrees of freedom.

        It is scaled up so that a point's 95 % ellipsoid, taken as that of a normal distribution, has the right size.
        """
        scaled: Floats = self.covariance * normal_scale(self.degrees)
        return scaled


def normal_scale(degrees: float) -> float:
    """By how much `HeadsetToTracker.normal_covariance` is scaled up."""
    return float(3.0 * fdtri(3.0, degrees, 0.95) / chdtri(3.0, 0.05))


def motion_jacobian(points_headset_mm: Floats) -> Floats:
    """``(n, 3, 6)``: how points ``(n, 3)`` move under a small motion (rotation vector in rad, translation in mm)."""
    x, y, z = points_headset_mm.T
    jacobian = np.zeros((len(points_headset_mm), 3, 6))
    jacobian[:, 0, 1], jacobian[:, 0, 2] = z, -y
    jacobian[:, 1, 0], jacobian[:, 1, 2] = -z, x
    jacobian[:, 2, 0], jacobian[:, 2, 1] = y, -x
    jacobian[:, :, 3:] = np.eye(3)
    return jacobian


def moved(pose: Transform, motion: Floats) -> Transform:
    """The pose after a motion ``(6,)`` from the left: rotation vector in rad about the origin, translation in mm."""
    turn = Rotation.from_rotvec(motion[:3])
    shifted = turn.as_matrix() @ pose.translation_mm + motion[3:]
    return Transform.from_rotation(turn * pose.rotation, shifted, pose.to_frame, pose.from_frame)


def length_p95_mm(covariance_mm2: Floats, degrees: float = math.inf) -> Floats:
    """95 % quantile ``(n,)`` in mm of the length of errors with covariances ``(n, 3, 3)`` in mm^2.

    The squared length is taken as gamma distributed with its mean and variance (Satterthwaite, Biometrics Bulletin
    2(6), 1946); where the scale was estimated with few degrees of freedom, Fisher's F takes the place of the gamma.
    """
    mean = np.trace(covariance_mm2, axis1=1, axis2=2)
    variance = 2.0 * np.einsum("nij,nji->n", covariance_mm2, covariance_mm2)
    shape = np.divide(mean**2, variance, out=np.ones_like(mean), where=variance > 0.0)
    quantile = fdtri(2.0 * shape, degrees, 0.95) if math.isfinite(degrees) else gammaincinv(shape, 0.95) / shape
    return np.sqrt(mean * quantile)


def fit_rigid(points_tracker_mm: Floats, points_headset_mm: Floats, weights: Floats) -> Transform:
    """``T_headset_tracker`` of pairs ``(n, 3)`` by weighted least squares (Horn, JOSA A 4(4), 1987); no reflection."""
    matrix = rigid_matrix(points_tracker_mm, points_headset_mm, weights)
    return Transform(matrix, "headset", "tracker")


def rigid_matrix(points_from_mm: Floats, points_to_mm: Floats, weights: Floats, *, mirrored: bool = False) -> Floats:
    """The best motion ``(4, 4)`` of pairs ``(n, 3)`` (Kabsch 1976), or the best one that mirrors."""
    total = weights.sum()
    middle_from, middle_to = weights @ points_from_mm / total, weights @ points_to_mm / total
    left, _, right = np.linalg.svd((points_to_mm - middle_to).T @ ((points_from_mm - middle_from) * weights[:, None]))
    sign = np.sign(np.linalg.det(left @ right)) * (-1.0 if mirrored else 1.0)
    matrix = np.eye(4)
    matrix[:3, :3] = left @ np.diag([1.0, 1.0, sign]) @ right
    matrix[:3, 3] = middle_to - matrix[:3, :3] @ middle_from
    return matrix


def misfit_rms_mm(points_from_mm: Floats, points_to_mm: Floats, *, mirrored: bool = False) -> float:
    """RMS distance of pairs ``(n, 3)`` after the best motion, or the best one that mirrors."""
    matrix = rigid_matrix(points_from_mm, points_to_mm, np.ones(len(points_from_mm)), mirrored=mirrored)
    left_mm = points_from_mm @ matrix[:3, :3].T + matrix[:3, 3] - points_to_mm
    return float(np.sqrt(np.mean(np.sum(left_mm**2, axis=1))))
