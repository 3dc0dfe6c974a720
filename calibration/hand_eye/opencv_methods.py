"""OpenCV's closed forms: five for ``A X = X B`` and two for ``A X = Z B``, each on at most 40 pairs.

OpenCV compares every pose with every other, so its time grows with the square of their number.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from calibration.hand_eye.errors import HandEyeRefusedError
from calibration.hand_eye.model import Pairs, inverse, rigid
from geometry.extras import from_extra
from geometry.points import Floats

_LARGEST_NUMBER = 40


class OpenCvMethod(StrEnum):
    """The methods by their authors."""

    TSAI = "tsai"
    PARK = "park"
    HORAUD = "horaud"
    ANDREFF = "andreff"
    DANIILIDIS = "daniilidis"
    SHAH = "shah"
    LI = "li"


_AX_ZB = (OpenCvMethod.SHAH, OpenCvMethod.LI)


def solve_with_opencv(pairs: Pairs, method: OpenCvMethod) -> tuple[Floats, Floats]:
    """``X`` and ``Z``, ``(4, 4)``, by one of OpenCV's methods; Z of the first five is the mean of ``A_i X B_i^-1``.

    Raises:
        HandEyeRefusedError: OpenCV found nothing, or no rigid transform.
        MissingExtraError: OpenCV is not installed.
    """
    with from_extra("markers"):
        import cv2
    chosen = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), _LARGEST_NUMBER)).round().astype(int))
    used = pairs.part(chosen)
    name = method.name if method in _AX_ZB else f"HAND_EYE_{method.name}"
    try:
        if method in _AX_ZB:
            code = getattr(cv2, f"CALIB_ROBOT_WORLD_HAND_EYE_{name}")
            # With its names: world to cam is our base to hand turned round, base to gripper our eye to world.
            x, z = _solve_ax_zb(used, code)
        else:
            x = _solve_ax_xb(used, getattr(cv2, f"CALIB_{name}"))
            z = mean_of(used.hand @ x @ inverse(used.eye))
    except cv2.error as error:
        raise _failed(method) from error
    if not (np.isfinite(x).all() and np.isfinite(z).all()):
        raise _failed(method)
    return x, z


def _solve_ax_xb(pairs: Pairs, code: int) -> Floats:
    with from_extra("markers"):
        import cv2

    target = inverse(pairs.eye)
    rotation, translation = cv2.calibrateHandEye(
        list(pairs.hand[:, :3, :3]),
        list(pairs.hand[:, :3, 3]),
        list(target[:, :3, :3]),
        list(target[:, :3, 3]),
        method=code,
    )
    return rigid(_as_rotation(rotation), np.asarray(translation, dtype=np.float64).reshape(3))


def _solve_ax_zb(pairs: Pairs, code: int) -> tuple[Floats, Floats]:
    with from_extra("markers"):
        import cv2

    target, base = inverse(pairs.eye), inverse(pairs.hand)
    rotation_z, translation_z, rotation_x, translation_x = cv2.calibrateRobotWorldHandEye(
        list(target[:, :3, :3]),
        list(target[:, :3, 3]),
        list(base[:, :3, :3]),
        list(base[:, :3, 3]),
        method=code,
    )
    # It solves T_eye_world T_world_base = T_eye_hand T_hand_base.
    world_base = rigid(_as_rotation(rotation_z), np.asarray(translation_z, dtype=np.float64).reshape(3))
    eye_hand = rigid(_as_rotation(rotation_x), np.asarray(translation_x, dtype=np.float64).reshape(3))
    return inverse(eye_hand), inverse(world_base)


def mean_of(matrices: Floats) -> Floats:
    """The rigid matrix nearest to all of them: the projected mean of the rotations, the median of the translations."""
    rotation = _as_rotation(matrices[:, :3, :3].mean(axis=0))
    return rigid(rotation, np.median(matrices[:, :3, 3], axis=0))


def _as_rotation(matrix: Floats) -> Floats:
    if not np.isfinite(matrix).all():
        return np.full((3, 3), np.nan)
    left, _, right = np.linalg.svd(matrix)
    return left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right


def _failed(method: OpenCvMethod) -> HandEyeRefusedError:
    return HandEyeRefusedError(
        f"poses for which OpenCV's method of {method.value.capitalize()} finds no transform",
        "rotations about two or more axes",
        "use another method, or turn the bodies about all axes while recording",
    )
