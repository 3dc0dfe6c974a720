"""Headset to tracker from points that the headset shows and a person touches with the tracked stylus.

The headset knows where it shows each point, and the tracker where the tip is: a rigid fit of paired points (Arun, Huang
and Blostein, IEEE PAMI 9(5), 1987). What a person cannot do is to put a tip exactly on a point that is drawn in the
air; how badly it was done is estimated from the residuals, and with few touches that estimate is itself uncertain.
Along the line of sight it is done worse than across it: where the eyes were is taken into account if it is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import fdtri

from calibration.headset.alignment import HeadsetToTracker, fit_rigid, motion_jacobian, moved
from calibration.headset.errors import HeadsetRefusedError
from calibration.headset.touch_faults import check_touches, explain_misfit, same_when_exchanged
from geometry import Transform
from geometry.points import Bools, Floats, as_points, read_only

_FEWEST_TO_REJECT = 6
_CONVERGED_MM = 1e-9
# Far below any hand: keeps perfect touches from dividing by zero.
_LEAST_MM2 = 1e-12


@dataclass(frozen=True, kw_only=True)
class TouchSettings:
    """Conditions under which touches are accepted.

    Attributes:
        minimum_touches: three points fix a pose; six leave something to estimate its error from.
        minimum_width_mm: RMS distance of the shown points from the line that fits them best.
        maximum_span_mm: largest distance between two points; a person who stands still reaches no farther.
        minimum_difference_mm: RMS misfit of the shown points with any exchange of them; less would not show it.
        maximum_residual_rms_mm: above it, something is wrong other than the hand.
        maximum_error_p95_mm: of what is shown in the middle of the points.
        depth_ratio: error of a touch along the line of sight over that across it.
        outlier_chance: a touch is left out if chance makes one so bad in fewer calibrations than this.
    """

    minimum_touches: int = 3
    minimum_width_mm: float = 30.0
    maximum_span_mm: float = 1500.0
    minimum_difference_mm: float = 10.0
    maximum_residual_rms_mm: float = 8.0
    maximum_error_p95_mm: float = 10.0
    depth_ratio: float = 2.0
    outlier_chance: float = 0.001


@dataclass(frozen=True, eq=False)
class TargetTouch:
    """A point that the headset showed, and where the tip was when a person held it there.

    Attributes:
        name: of the point.
        shown_headset_mm: ``(3,)`` in ``headset``.
        tip_tracker_mm: ``(3,)`` in ``tracker``, the mean over the time that the tip was held.
        anchor: the headset's name of the place of its world.
        eyes_headset_mm: where the headset was, ``(3,)`` in ``headset``; None where it does not say so.
    """

    name: str
    shown_headset_mm: Floats
    tip_tracker_mm: Floats
    anchor: str
    eyes_headset_mm: Floats | None = None


def align_by_touches(
    touches: Sequence[TargetTouch],
    *,
    tip_covariance_mm2: Floats | None = None,
    settings: TouchSettings | None = None,
) -> HeadsetToTracker:
    """Where the tracker is in the headset's world.

    Args:
        touches: in the order in which they were made.
        tip_covariance_mm2: of the stylus' tip, ``(3, 3)`` in mm^2 along the axes of ``tracker``: an error that all
            touches share if the stylus is held alike, and that no residual shows. None for a tip that is exact.

    Raises:
        HeadsetRefusedError: too few points, points on a line, out of reach, in another unit, touched in another order,
            under two anchors, of a mirrored frame, or that do not fit.
    """
    settings = settings or TouchSettings()
    check_touches(touches, settings)
    shown_mm = as_points(np.stack([touch.shown_headset_mm for touch in touches]), "shown points")
    tip_mm = as_points(np.stack([touch.tip_tracker_mm for touch in touches]), "positions of the tip")
    names = tuple(touch.name for touch in touches)
    information = np.stack([_information(touch, settings.depth_ratio) for touch in touches])
    used = _used(tip_mm, shown_mm, information, settings)
    pose, unit, squares_mm2 = _fit(tip_mm[used], shown_mm[used], information[used])
    residuals_mm = np.linalg.norm(pose.apply(tip_mm) - shown_mm, axis=1)
    _check_fit(names, tip_mm, shown_mm, float(np.sqrt(np.mean(residuals_mm[used] ** 2))), settings)
    degrees = 3.0 * float(used.sum()) - 6.0
    covariance = unit * squares_mm2 / degrees
    if tip_covariance_mm2 is not None:
        covariance, degrees = _with_tip(covariance, degrees, pose, tip_covariance_mm2, tip_mm[used].mean(axis=0))
    found = HeadsetToTracker(
        T_headset_tracker=pose,
        covariance=read_only(covariance),
        degrees=degrees,
        anchor=touches[0].anchor,
        method="points touched with the stylus",
        centre_tracker_mm=read_only(tip_mm[used].mean(axis=0)),
        residuals_mm=read_only(residuals_mm),
        used=read_only(used),
        coverage=_coverage(names, shown_mm, used),
    )
    check_expected(found, settings.maximum_error_p95_mm)
    return found


def _check_fit(
    names: tuple[str, ...], tip_mm: Floats, shown_mm: Floats, rms_mm: float, settings: TouchSettings
) -> None:
    """Refuses touches that do not fit, and points of which a wrong order would fit as well."""
    if rms_mm > settings.maximum_residual_rms_mm:
        raise explain_misfit(names, tip_mm, shown_mm, rms_mm, settings)
    twins = same_when_exchanged(names, shown_mm, settings.minimum_difference_mm)
    if twins:
        raise HeadsetRefusedError(
            f"points that look the same when {twins} are exchanged",
            f"points that fit {settings.minimum_difference_mm:g} mm RMS worse in any other order",
            "show points with unequal distances between them, since a wrong order of touches would not be noticed",
        )


def check_expected(found: HeadsetToTracker, maximum_error_p95_mm: float) -> None:
    """Refuses a pose that is not known well enough where it was measured.

    Raises:
        HeadsetRefusedError: as said.
    """
    expected_mm = float(found.expected_p95_mm(found.centre_tracker_mm)[0])
    if not expected_mm <= maximum_error_p95_mm:  # written so that a number that is none is refused
        raise HeadsetRefusedError(
            f"an overlay that 95 of 100 times is within {expected_mm:.1f} mm only, "
            f"from {int(found.used.sum())} places that leave {found.residual_rms_mm:.1f} mm RMS",
            f"at most {maximum_error_p95_mm:g} mm",
            "measure more places, farther apart, and hold still at each",
        )


def _information(touch: TargetTouch, depth_ratio: float) -> Floats:
    """How much a touch counts along each direction, ``(3, 3)``, axes of ``headset``: 1 across the line of sight."""
    if touch.eyes_headset_mm is None:
        return np.eye(3)
    sight = touch.shown_headset_mm - touch.eyes_headset_mm
    along = sight / max(float(np.linalg.norm(sight)), 1e-9)
    return np.eye(3) - (1.0 - depth_ratio**-2) * np.outer(along, along)


def _fit(tip_mm: Floats, shown_mm: Floats, information: Floats) -> tuple[Transform, Floats, float]:
    """The pose by Gauss-Newton from the unweighted one, its covariance for unit variance, and the weighted squares."""
    pose = fit_rigid(tip_mm, shown_mm, np.ones(len(tip_mm)))
    for _ in range(10):
        rows = motion_jacobian(pose.apply(tip_mm))
        away_mm = shown_mm - pose.apply(tip_mm)
        unit = np.linalg.inv(np.einsum("nki,nkl,nlj->ij", rows, information, rows))
        motion = unit @ np.einsum("nki,nkl,nl->i", rows, information, away_mm)
        pose = moved(pose, motion)
        if float(np.abs(rows @ motion).max()) < _CONVERGED_MM:
            break
    away_mm = shown_mm - pose.apply(tip_mm)
    squares_mm2 = float(np.einsum("nk,nkl,nl->", away_mm, information, away_mm))
    return pose, unit, max(squares_mm2, _LEAST_MM2)


def _with_tip(
    covariance: Floats, degrees: float, pose: Transform, tip_covariance_mm2: Floats, centre_mm: Floats
) -> tuple[Floats, float]:
    """Adds the tip's error; it is stated, so only the rest has few degrees of freedom (Satterthwaite 1946)."""
    row = motion_jacobian(pose.apply(centre_mm)[None])[0]
    ours_mm2 = float(np.trace(row @ covariance @ row.T))
    share = ours_mm2 / (ours_mm2 + float(np.trace(tip_covariance_mm2)))
    total = covariance.copy()
    total[3:, 3:] += pose.rotation_matrix @ tip_covariance_mm2 @ pose.rotation_matrix.T
    return total, degrees / share**2


def _used(tip_mm: Floats, shown_mm: Floats, information: Floats, settings: TouchSettings) -> Bools:
    """All touches but one that the others contradict: six or more are needed to tell which.

    Each is predicted from all others; its distance from there, beside their own residuals, follows Fisher's F.
    """
    count = len(tip_mm)
    used = np.ones(count, dtype=np.bool_)
    if count < _FEWEST_TO_REJECT:
        return used
    ratios = np.zeros(count)
    degrees = 3.0 * (count - 1) - 6.0
    for one in range(count):
        others = np.arange(count) != one
        pose, unit, squares_mm2 = _fit(tip_mm[others], shown_mm[others], information[others])
        away_mm = shown_mm[one] - pose.apply(tip_mm[one])
        row = motion_jacobian(pose.apply(tip_mm[one])[None])[0]
        spread = row @ unit @ row.T + np.linalg.inv(information[one])
        ratios[one] = away_mm @ np.linalg.solve(spread, away_mm) / 3.0 * degrees / squares_mm2
    if ratios.max() > fdtri(3.0, degrees, 1.0 - settings.outlier_chance / count):
        used[int(np.argmax(ratios))] = False
    return used


def _coverage(names: tuple[str, ...], shown_mm: Floats, used: Bools) -> tuple[str, ...]:
    spread_mm = np.linalg.svd(shown_mm - shown_mm.mean(axis=0), compute_uv=False) / np.sqrt(len(shown_mm))
    said = [
        f"{used.sum()} of {len(used)} points, {spread_mm[0]:.0f}, {spread_mm[1]:.0f} and {spread_mm[2]:.0f} mm RMS "
        "along the axes of their cloud"
    ]
    said += [f"the touch of '{names[index]}' is left out: the others contradict it" for index in np.flatnonzero(~used)]
    if len(shown_mm) < 4 or spread_mm[2] < 10.0:
        said.append("the points lie in a plane: a mirrored frame would not be noticed")
    return tuple(said)
