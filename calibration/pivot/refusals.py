"""What a pivot is refused for, in words: how the stylus moved, and how its tip did."""

from __future__ import annotations

import numpy as np

from calibration.errors import PivotRefusedError
from calibration.pivot.equations import Equations
from calibration.pivot.moving_tip import how_the_tip_moved
from calibration.pivot.settings import PivotSettings
from geometry.points import Bools, Floats


def checked_tilt_rms_rad(rotations: Floats, settings: PivotSettings) -> float:
    """RMS tilt of the marker's least moved axis; zero for a hinge, along which the tip stays unknown.

    That axis u is the first right singular vector of the mean rotation, and 1 - |mean(R) u|^2 the squared tilt: n times
    it is the tip's information along u, in units of the tracker's noise.
    """
    axis = np.linalg.svd(rotations.mean(axis=0))[2][0]
    directions = rotations @ axis
    squared = np.sum((directions - directions.mean(axis=0)) ** 2, axis=1)
    tilt_rms_rad = float(np.arcsin(min(1.0, np.sqrt(squared.mean()))))
    if tilt_rms_rad < settings.minimum_tilt_rms_rad:
        raise _too_little_tilt(rotations, axis, tilt_rms_rad, settings)
    farthest = np.sort(squared)[-max(1, len(squared) // 20) :]
    share = float(farthest.sum() / squared.sum())
    if share > settings.maximum_share:
        raise PivotRefusedError(
            f"a stylus tilted in {len(farthest)} of {len(squared)} poses only: they hold {share:.0%} of all tilt",
            f"at most {settings.maximum_share:.0%} in so few poses",
            "go on tilting it slowly to all sides, and check that its marker is not taken for another one",
        )
    return tilt_rms_rad


def _too_little_tilt(
    rotations: Floats, axis: Floats, tilt_rms_rad: float, settings: PivotSettings
) -> PivotRefusedError:
    """Returns the error that names the kind of motion: none, about one axis only, or too little to all sides."""
    moved = np.sqrt(np.maximum(0.0, 1.0 - np.linalg.svd(rotations.mean(axis=0))[1] ** 2))
    least, enough = np.rad2deg(tilt_rms_rad), np.rad2deg(settings.minimum_tilt_rms_rad)
    if moved.max() < np.sin(settings.minimum_tilt_rms_rad):
        came = f"a stylus that hardly moved: tilted by {least:.1f} degrees RMS about its least tilted axis"
    elif moved.min() < 0.2 * np.sin(settings.minimum_tilt_rms_rad):
        along = ", ".join(f"{value:.2f}" for value in axis * np.sign(axis[np.argmax(np.abs(axis))]))
        came = (
            f"a stylus turned about one axis only, as about a hinge ({along} of its marker): that axis was tilted by "
            f"{least:.1f} degrees RMS, and along it the tip stays unknown"
        )
    else:
        came = f"a stylus tilted by {least:.1f} degrees RMS about its least tilted axis"
    return PivotRefusedError(
        came,
        f"at least {enough:.0f} degrees RMS about every axis",
        "tilt it by 15 degrees and more to the left and right as well as to and fro, and turn it about itself",
    )


def check_majority(
    equations: Equations, left_mm: Floats, used: Bools, times_s: Floats | None, settings: PivotSettings
) -> None:
    """Refuses poses of which too many do not turn about the point of the others."""
    n_used = int(used.sum())
    n_rejected = len(used) - n_used
    if n_rejected > settings.maximum_rejected_fraction * len(used) or n_used < settings.minimum_poses:
        raise PivotRefusedError(
            f"{n_rejected} of {len(used)} poses that do not turn about one point"
            + how_the_tip_moved(equations, left_mm, used, times_s),
            f"at most {settings.maximum_rejected_fraction:.0%} rejected, and {settings.minimum_poses} or more used",
            "repeat it with the tip in a dimple, so that it cannot slip",
        )


def check_residual(
    equations: Equations, left_mm: Floats, used: Bools, times_s: Floats | None, settings: PivotSettings
) -> None:
    """Refuses a tip that did not stay near its pivot."""
    rms_mm = float(np.sqrt(np.mean(np.sum(left_mm[used] ** 2, axis=1))))
    if rms_mm > settings.maximum_residual_rms_mm:
        raise PivotRefusedError(
            f"a residual of {rms_mm:.2f} mm RMS" + how_the_tip_moved(equations, left_mm, used, times_s),
            f"at most {settings.maximum_residual_rms_mm:.2f} mm",
            "check that the tip did not slip and that the marker is firm and clean, then repeat",
        )


def check_expected(expected_mm: float, tilt_rms_rad: float, settings: PivotSettings) -> None:
    if expected_mm > settings.maximum_tip_error_rms_mm:
        raise PivotRefusedError(
            f"a tip known to {expected_mm:.2f} mm RMS only, at {np.rad2deg(tilt_rms_rad):.0f} degrees RMS of tilt",
            f"at most {settings.maximum_tip_error_rms_mm:g} mm",
            "tilt it farther to all sides and for longer, close to the camera and in the middle of its view",
        )
