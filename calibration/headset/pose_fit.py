"""The pose that two devices' poses of one marker have in common: least squares over rotations and positions together.

Positions far apart know the turn better than a small marker's own rotation does, and places near to one another know it
worse; so each counts by its noise, and the noise of both is estimated from the residuals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.special import chdtri

from calibration.headset.alignment import motion_jacobian, moved
from calibration.headset.places import Places
from geometry import Transform
from geometry.frames import HEADSET, TRACKER
from geometry.points import Bools, Floats

_ITERATIONS = 20
# Chance puts one of so many places beyond the limit.
_OUTLIER_CHANCE = 0.001
# With fewer, it cannot be told which of them is wrong.
_FEWEST_TO_REJECT = 6
# Far below any device's noise: keeps perfect data from dividing by zero.
_LEAST_RAD, _LEAST_MM = 1e-9, 1e-6
# Median length of a vector of three normal numbers of unit variance: sqrt(chi2.ppf(0.5, 3)).
_MEDIAN_LENGTH = 1.5382


@dataclass(frozen=True, eq=False)
class PoseFit:
    """The pose, its covariance and what it leaves.

    Attributes:
        pose: ``T_headset_tracker``.
        covariance: ``(6, 6)`` as in `HeadsetToTracker`.
        degrees: of freedom of its scale.
        turns_rad, shifts_mm: residuals ``(m, 3)`` at the places: rotation vectors, and shifts of the marker.
        used: places ``(m,)`` that it rests on.
    """

    pose: Transform
    covariance: Floats
    degrees: float
    turns_rad: Floats
    shifts_mm: Floats
    used: Bools

    @property
    def shift_rms_mm(self) -> float:
        return float(np.sqrt(np.mean(np.sum(self.shifts_mm[self.used] ** 2, axis=1))))

    @property
    def turn_rms_rad(self) -> float:
        return float(np.sqrt(np.mean(np.sum(self.turns_rad[self.used] ** 2, axis=1))))


def fit_places(places: Places) -> PoseFit:
    """The pose of the tracker that the places agree on; those that contradict the others are left out."""
    pose = _start(places)
    used = np.ones(len(places), dtype=np.bool_)
    for _ in range(_ITERATIONS if len(places) >= _FEWEST_TO_REJECT else 1):
        pose, _, _ = _least_squares(places, pose, used)
        again = _agreeing(places, pose, used)
        if np.array_equal(again, used):
            break
        used = again
    pose, covariance, degrees = _least_squares(places, pose, used)
    turns_rad, shifts_mm = _residuals(places, pose)
    return PoseFit(pose, covariance, degrees, turns_rad, shifts_mm, used)


def _start(places: Places) -> Transform:
    """Of the poses that single places give, the one whose median residual at all is the least: half may be wrong."""
    candidates = places.headset @ np.linalg.inv(places.tracker)
    best: tuple[float, Transform] | None = None
    for matrix in candidates:
        left, _, right = np.linalg.svd(matrix[:3, :3])
        matrix[:3, :3] = left @ right
        pose = Transform(matrix, HEADSET, TRACKER)
        turns_rad, shifts_mm = _residuals(places, pose)
        # At arm's length from the marker a turn counts as the shift that it makes.
        median = float(np.median(np.linalg.norm(shifts_mm, axis=1) + 200.0 * np.linalg.norm(turns_rad, axis=1)))
        if best is None or median < best[0]:
            best = (median, pose)
    if best is None:
        raise ValueError("no places")
    return best[1]


def _residuals(places: Places, pose: Transform) -> tuple[Floats, Floats]:
    """How the headset's poses differ from the tracker's, mapped: rotation vectors and shifts, axes of ``headset``."""
    seen, mapped = places.headset, pose.matrix @ places.tracker
    turns = Rotation.from_matrix(seen[:, :3, :3] @ mapped[:, :3, :3].transpose(0, 2, 1)).as_rotvec()
    return turns, seen[:, :3, 3] - mapped[:, :3, 3]


def _agreeing(places: Places, pose: Transform, used: Bools) -> Bools:
    """The places whose residuals chance explains, by a scale that outliers hardly change: the medians."""
    turns_rad, shifts_mm = _residuals(places, pose)
    squares = np.zeros(len(places))
    for residuals, least in ((turns_rad, _LEAST_RAD), (shifts_mm, _LEAST_MM)):
        lengths = np.linalg.norm(residuals, axis=1)
        # The fit has taken up some of the scatter: six of six unknowns a place.
        shrunk = np.sqrt(max(1.0 - 1.0 / len(places), 0.25))
        scale = max(float(np.median(lengths)) / _MEDIAN_LENGTH / shrunk, least)
        squares += (lengths / scale) ** 2
    limit = float(chdtri(6.0, _OUTLIER_CHANCE / len(places)))
    agreeing = squares < limit
    return agreeing if agreeing.sum() > 0.5 * len(places) else used


def _least_squares(places: Places, pose: Transform, used: Bools) -> tuple[Transform, Floats, float]:
    """Gauss-Newton, with the variances of turns and shifts estimated anew at each step; covariance and its degrees."""
    count = int(used.sum())
    variances = np.array([_LEAST_RAD**2, _LEAST_MM**2])
    spent = np.array([3.0, 3.0])
    covariance = np.eye(6)
    for _ in range(_ITERATIONS):
        turns_rad, shifts_mm = (each[used] for each in _residuals(places, pose))
        degrees = 3.0 * count - spent
        sums = np.array([np.sum(turns_rad**2), np.sum(shifts_mm**2)])
        variances = np.maximum(sums / degrees, [_LEAST_RAD**2, _LEAST_MM**2])
        rows = motion_jacobian(pose.apply(places.tracker[used, :3, 3]))
        turned = np.zeros((6, 6))
        turned[:3, :3] = count * np.eye(3) / variances[0]
        shifted = np.einsum("nki,nkj->ij", rows, rows) / variances[1]
        covariance = np.linalg.inv(turned + shifted)
        # How many of the six unknowns each kind of residual has determined.
        spent = np.array([np.trace(covariance @ turned), np.trace(covariance @ shifted)])
        gradient = np.einsum("nki,nk->i", rows, shifts_mm) / variances[1]
        gradient[:3] += turns_rad.sum(axis=0) / variances[0]
        pose = moved(pose, covariance @ gradient)
    return pose, covariance, float(3.0 * count - spent.max())
