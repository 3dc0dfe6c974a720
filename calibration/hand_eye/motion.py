"""Whether the motion determines the transform at all, and in words what is wrong where it does not."""

from __future__ import annotations

import numpy as np

from calibration.hand_eye.closed_form import robust_start, solve_translations
from calibration.hand_eye.errors import HandEyeRefusedError
from calibration.hand_eye.model import Pairs, inverse, residuals
from geometry.points import Floats

# A body that stays within this was not moved on purpose; a hand that holds still trembles by less.
_STANDING_MM = 5.0
# A fifth of what is asked for about every axis: about the third axis there is nothing.
_HINGE = 0.5
# Rotations that agree half as well as this belong to one motion; other moments differ by the motion itself.
_AGREEING_RAD = np.deg2rad(3.0)
_TURN = "turn it by 20 degrees and more about all three axes, slowly, while both devices see it"


def checked_tilt_rms_rad(poses: Floats, name: str, minimum_rad: float) -> float:
    """RMS tilt of the body's least tilted axis about its mean direction: with none, X and Z slide along that axis.

    The singular values s of the mean rotation say it: ``1 - s^2`` is the squared tilt of each axis, and n times it the
    information on X along that axis in units of the noise.

    Raises:
        HandEyeRefusedError: the body stood, was only shifted, turned about one axis only, or hardly turned.
    """
    values = np.linalg.svd(poses[:, :3, :3].mean(axis=0))[1]
    tilts = np.sqrt(np.maximum(0.0, 1.0 - values**2))
    tilt_rms_rad = float(np.arcsin(tilts.min()))
    if tilt_rms_rad >= minimum_rad:
        return tilt_rms_rad
    spread_mm = float(np.sqrt(poses[:, :3, 3].var(axis=0).sum()))
    least, most = np.rad2deg(tilt_rms_rad), np.rad2deg(np.arcsin(min(1.0, tilts.max())))
    allowed = f"at least {np.rad2deg(minimum_rad):.0f} degrees RMS about every axis"
    if tilts.max() < np.sin(minimum_rad) and spread_mm < _STANDING_MM:
        came = f"{name} standing still: {spread_mm:.1f} mm and {most:.1f} degrees RMS of motion"
    elif tilts.max() < _HINGE * np.sin(minimum_rad):
        came = f"{name} shifted by {spread_mm:.0f} mm RMS without turning ({most:.1f} degrees RMS)"
    elif tilts.min() < _HINGE * np.sin(minimum_rad) and tilts.max() >= np.sin(minimum_rad):
        came = f"{name} turned about one axis only, as about a hinge ({least:.1f} degrees RMS of tilt of that axis)"
    else:
        came = f"{name} turned by {least:.2f} degrees RMS about its least turned axis"
    raise HandEyeRefusedError(f"the motion of {came}", allowed, _TURN)


def check_agreement(pairs: Pairs, x: Floats, z: Floats, names: tuple[str, str]) -> None:
    """Refuses pairs whose rotations or scales contradict one another, as far as it can be said, with the cause.

    Raises:
        HandEyeRefusedError: poses written the other way round, pairs of other moments, other units, mirrored frames.
    """
    if _disagreement_rad(pairs, x, z) > _AGREEING_RAD:
        raise _not_one_motion(pairs, names)
    scale = solve_translations(pairs, x[:3, :3], z[:3, :3], scaled=True)[2]
    moved_mm = float(np.sqrt(pairs.hand[:, :3, 3].var(axis=0).sum()))
    if moved_mm < _STANDING_MM or 0.7 < scale < 1.4:
        return
    came = f"translations of {names[1]} that are {abs(1.0 / scale):.3g} times those of {names[0]}"
    if 500.0 < abs(scale) < 2000.0 or 500.0 < abs(1.0 / scale) < 2000.0:
        raise HandEyeRefusedError(came, "millimetres in both", "convert metres to millimetres where they are read")
    if -1.4 < scale < -0.7:
        raise HandEyeRefusedError(
            f"{names[1]} mirrored against {names[0]}: rotations that agree, translations that are reversed",
            "right-handed frames in both",
            "convert the left-handed one where it is read, rotations and translations together",
        )
    action = "check the unit of both, the size of the board's squares and the camera's focal length"
    raise HandEyeRefusedError(came, "translations of the same motion", action)


def _disagreement_rad(pairs: Pairs, x: Floats, z: Floats) -> float:
    return float(np.median(np.linalg.norm(residuals(pairs, x, z)[:, :3], axis=1)))


def _not_one_motion(pairs: Pairs, names: tuple[str, str]) -> HandEyeRefusedError:
    hand, eye = names
    # Which of the two it is cannot be told: A^-1 X' = Z' B has the same solutions as A X = Z B^-1, exchanged.
    tried = Pairs(pairs.hand, inverse(pairs.eye))
    if _disagreement_rad(tried, *robust_start(tried)) < _AGREEING_RAD:
        return HandEyeRefusedError(
            f"{hand} or {eye} written the other way round: they fit where one of the two is inverted",
            f"{hand} and {eye}",
            "invert the poses of the one that maps the other way, where they are read",
        )
    for shift in (1, -1, 2, -2, 3, -3, 4, -4, 5, -5):
        if len(pairs) < 12 + abs(shift):
            break
        tried = _shifted(pairs, shift)
        if _disagreement_rad(tried, *robust_start(tried)) < 0.5 * _AGREEING_RAD:
            return HandEyeRefusedError(
                f"pairs of other moments: each {hand} fits to the {eye} of {abs(shift)} pairs "
                f"{'before' if shift > 0 else 'after'} it",
                "two poses of the same moment in each pair",
                "pair them by their times, or pass both recordings as streams, so that the offset is found",
            )
    return HandEyeRefusedError(
        f"{hand} and {eye} that do not turn together: no transform makes half of the rotations agree within "
        f"{np.rad2deg(_AGREEING_RAD):.0f} degrees",
        "two poses of one rigid body, of the same moment, in each pair",
        "check that both markers are fixed to the same body, that the tools were not exchanged, and the times",
    )


def _shifted(pairs: Pairs, shift: int) -> Pairs:
    """Each pose of the hand with the pose of the eye of `shift` pairs before."""
    count = len(pairs) - abs(shift)
    first_hand, first_eye = max(shift, 0), max(-shift, 0)
    return Pairs(pairs.hand[first_hand : first_hand + count], pairs.eye[first_eye : first_eye + count])
