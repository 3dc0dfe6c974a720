"""What is wrong with poses of one marker that two devices do not agree on, as a sentence."""

from __future__ import annotations

import numpy as np
from scipy.special import fdtri

from calibration.headset.alignment import misfit_rms_mm, motion_jacobian
from calibration.headset.errors import HeadsetRefusedError
from calibration.headset.places import Places
from calibration.headset.pose_fit import PoseFit
from calibration.headset.touch_faults import moved_meanwhile
from geometry.points import Floats

# A mistake explains poses if they fit so much better without it.
_MUCH_BETTER = 3.0
_CHANCE = 0.001
_GOOD_MM = 8.0


def explain_misfit(places: Places, fit: PoseFit) -> HeadsetRefusedError:
    """The error that says why the places do not fit: each known mistake is tried."""
    seen_mm, tracked_mm = places.headset[:, :3, 3], places.tracker[:, :3, 3]
    turn_deg, left_out = np.rad2deg(fit.turn_rms_rad), int((~fit.used).sum())
    left = (
        f"poses of the marker that differ by {fit.shift_rms_mm:.1f} mm and {turn_deg:.1f} degrees RMS, "
        f"{left_out} of {len(places)} places left out"
    )
    plain_mm = misfit_rms_mm(tracked_mm, seen_mm)
    good_mm = min(_GOOD_MM, plain_mm / _MUCH_BETTER)
    ratio = _span_mm(seen_mm) / max(_span_mm(tracked_mm), 1e-9)
    for factor, whose in ((1000.0, "tracker"), (0.001, "headset")):
        if 0.5 < ratio / factor < 2.0:
            return HeadsetRefusedError(f"{left}: those of the {whose} are in metres", "millimetres", "convert them")
    if misfit_rms_mm(tracked_mm, seen_mm, mirrored=True) < good_mm:
        return HeadsetRefusedError(
            f"{left}, and fit as a mirror image: one of the two frames is left-handed",
            "two right-handed frames",
            "convert Unity's poses once, with the convention of the wire, and not twice",
        )
    whose = _inverted(places, good_mm)
    if whose:
        return HeadsetRefusedError(
            f"{left}, and fit with the {whose} poses inverted", "poses of the marker in each device", "invert them"
        )
    jump = jump_between(places, fit, _GOOD_MM)
    if jump is not None:
        return jump
    if plain_mm < _GOOD_MM:
        return HeadsetRefusedError(
            f"{left}, though the positions alone fit within {plain_mm:.1f} mm: its axes are others at the headset",
            "the same axes and origin of the marker in both devices",
            "give the headset the axes of the tracked marker, or touch points with the stylus instead",
        )
    scaled = _scale(tracked_mm, seen_mm)
    return HeadsetRefusedError(
        f"{left}; distances at the headset are {scaled:.3f} times those of the tracker",
        f"poses of one marker that agree within {_GOOD_MM:g} mm and 5 degrees",
        "check the printed size and the axes of the marker at the headset, and hold it still at each place",
    )


def jump_between(places: Places, fit: PoseFit, least_mm: float) -> HeadsetRefusedError | None:
    """The error that the headset's world moved between two places, where chance does not explain it; or None.

    A shift of all later places is fitted beside the pose; what it leaves less is compared by Fisher's F. Places that
    the pose does not rest on count here: after a move the last ones contradict the others and are right.
    """
    count = len(places)
    rows = motion_jacobian(fit.pose.apply(places.tracker[:, :3, 3])).reshape(-1, 6)
    across = np.eye(3 * count) - rows @ np.linalg.pinv(rows)
    left_mm = across @ fit.shifts_mm.reshape(-1)
    degrees = max(3.0 * count - 9.0, 1.0)
    limit = float(fdtri(3.0, degrees, 1.0 - _CHANCE / count))
    best: tuple[float, int, float] | None = None
    for before in range(2, count - 1):
        course = across @ np.kron((np.arange(count) >= before)[:, None], np.eye(3))
        shift_mm = np.linalg.lstsq(course, left_mm, rcond=1e-6)[0]
        apart = float(np.sum((left_mm - course @ shift_mm) ** 2))
        gain = (float(np.sum(left_mm**2)) - apart) / 3.0 / max(apart / degrees, 1e-12)
        moved_mm = float(np.linalg.norm(shift_mm))
        if gain > limit and moved_mm > least_mm and (best is None or gain > best[0]):
            best = (gain, before, moved_mm)
    if best is None:
        return None
    _, before, moved_mm = best
    at_s = f"{places.time_s[before - 1]:.1f} and {places.time_s[before]:.1f} s"
    return moved_meanwhile(f"by {moved_mm:.0f} mm between the places at {at_s}")


def _inverted(places: Places, good_mm: float) -> str:
    """Whose poses fit the other's if they are inverted; empty for nobody's."""
    for whose, tracked, seen in (
        ("headset's", places.tracker, _inverses(places.headset)),
        ("tracker's", _inverses(places.tracker), places.headset),
    ):
        if misfit_rms_mm(tracked[:, :3, 3], seen[:, :3, 3]) < good_mm:
            return whose
    return ""


def _inverses(poses: Floats) -> Floats:
    return np.linalg.inv(poses).astype(np.float64, copy=False)


def _span_mm(points_mm: Floats) -> float:
    return float(np.linalg.norm(points_mm - points_mm.mean(axis=0), axis=1).max())


def _scale(tracked_mm: Floats, seen_mm: Floats) -> float:
    spreads = [float(np.linalg.norm(points - points.mean(axis=0))) for points in (tracked_mm, seen_mm)]
    return spreads[1] / max(spreads[0], 1e-9)
