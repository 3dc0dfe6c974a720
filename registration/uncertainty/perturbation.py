"""Small rigid motions: the parameters of a registration's step and of its covariance.

The joint error of a registration has thirteen parameters (`JOINT`), in this order: the motion of the pose (6), the
relative scale by which the patient is larger than the CT (1), and the motion of the skin against the body (6).

A motion is ``xi = (omega, tau)``: a rotation vector in rad and a translation in mm, both in the ``to_frame`` of the
pose, applied from the left about a pivot: ``p -> exp(omega) (p - pivot) + pivot + tau``.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.points import Floats

MOTION, SCALE, SKIN = slice(0, 6), 6, slice(7, 13)
JOINT = 13


def moved(transform: Transform, motion: Floats, pivot_mm: Floats) -> Transform:
    """`transform` followed by the motion ``(6,)`` about `pivot_mm` ``(3,)``, both in ``transform.to_frame``."""
    turn = Rotation.from_rotvec(motion[:3])
    translation_mm = turn.apply(transform.translation_mm - pivot_mm) + pivot_mm + motion[3:]
    return Transform.from_rotation(turn * transform.rotation, translation_mm, transform.to_frame, transform.from_frame)


def motion_jacobian(points_mm: Floats, pivot_mm: Floats) -> Floats:
    """Jacobian ``(n, 3, 6)`` of points ``(n, 3)`` by a small motion about the pivot: ``omega x (p - pivot) + tau``."""
    x, y, z = (points_mm - pivot_mm).T
    jacobian = np.zeros((len(points_mm), 3, 6))
    jacobian[:, 0, 1], jacobian[:, 0, 2] = z, -y
    jacobian[:, 1, 0], jacobian[:, 1, 2] = -z, x
    jacobian[:, 2, 0], jacobian[:, 2, 1] = y, -x
    jacobian[:, :, 3:] = np.eye(3)
    return jacobian


def joint_jacobian(points_mm: Floats, pivot_mm: Floats, *, on_skin: bool = False) -> Floats:
    """Jacobian ``(n, 3, 13)`` of points ``(n, 3)`` by motion, scale and skin.

    Args:
        on_skin: whether the points move with the skin; points in the body do not.
    """
    jacobian = np.zeros((len(points_mm), 3, JOINT))
    jacobian[:, :, MOTION] = motion_jacobian(points_mm, pivot_mm)
    jacobian[:, :, SCALE] = points_mm - pivot_mm
    if on_skin:
        jacobian[:, :, SKIN] = jacobian[:, :, MOTION]
    return jacobian


def motion_variances(shift_rms_mm: float, turn_rms_rad: float) -> Floats:
    """Covariance ``(6, 6)`` of an isotropic motion, from the RMS lengths of its shift and its rotation."""
    return np.diag(np.repeat([turn_rms_rad**2 / 3.0, shift_rms_mm**2 / 3.0], 3))
