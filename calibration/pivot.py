"""Pivot calibration: the tip of a stylus that was rocked about a fixed point.

Every pose of the stylus' marker gives one vector equation, ``R_i t + p_i = c``, linear in the tip `t` (marker frame)
and in the pivot `c` (tracker frame): the algebraic one-step method, which Yaniv, "Which pivot calibration?",
SPIE Medical Imaging 2015, doi:10.1117/12.2081348, compares with its rivals. Poses taken while the tip slipped are
found by robust weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calibration.errors import PivotRefusedError
from geometry import Transform
from geometry.errors import FrameMismatchError
from geometry.points import read_only

Floats = NDArray[np.float64]

# The median length of a 3-D vector with unit normal components: sqrt of the median of chi-square with 3 degrees.
MEDIAN_NORM = 1.5382


@dataclass(frozen=True, kw_only=True)
class PivotSettings:
    """What a pivot must bring before its tip is believed.

    Attributes:
        minimum_poses: fewer poses than this, before or after rejection, are refused.
        minimum_tilt_range_rad: the marker must be tilted over this range about every axis. At 20 degrees, 30 poses give
            the tip to 2.6 times the tracker's noise (RMS); at 70 degrees, to 0.8 times.
        maximum_residual_rms_mm: above this, the tip slipped, the marker bent or the tracker is out of order.
        tukey_cutoff: poses whose residual is longer than this many standard deviations along one axis are rejected; of
            poses with normal noise alone, 4.685 rejects one in 15,000.
        maximum_rejected_fraction: with more rejected poses than this, the rest is no majority to be believed.
    """

    minimum_poses: int = 30
    minimum_tilt_range_rad: float = np.deg2rad(20.0)
    maximum_residual_rms_mm: float = 1.5
    tukey_cutoff: float = 4.685
    maximum_rejected_fraction: float = 0.4


@dataclass(frozen=True, eq=False)
class PivotCalibration:
    """Where the tip is, seen from its marker, and how well that is known.

    Attributes:
        tip_stylus_mm: the tip in the marker's frame, ``(3,)``.
        pivot_tracker_mm: the point it was rocked about, in the poses' ``to_frame``, ``(3,)``.
        residual_rms_mm: RMS distance between the tip of each pose used and the pivot; not the tip's error.
        tip_covariance_mm2: of `tip_stylus_mm`, ``(3, 3)``, from the normal equations, and the residuals' scatter and
            correlation in time. An error common to all poses, such as a tip that rolls in its dimple, is not in it.
        expected_tip_error_rms_mm: root of that covariance's trace.
        n_used, n_rejected: poses.
        tilt_range_rad: range of directions over which the least tilted axis of the marker was moved.
        marker_frame: the poses' ``from_frame``, such as ``stylus``.
    """

    tip_stylus_mm: Floats
    pivot_tracker_mm: Floats
    residual_rms_mm: float
    tip_covariance_mm2: Floats
    expected_tip_error_rms_mm: float
    n_used: int
    n_rejected: int
    tilt_range_rad: float
    marker_frame: str

    @property
    def T_stylus_stylus_tip(self) -> Transform:
        """From the tip's frame to the marker's, axes parallel: ``T_<tool>_<tool>_tip``."""
        tip_frame = f"{self.marker_frame}_tip"
        return Transform.from_rotation(Rotation.identity(), self.tip_stylus_mm, self.marker_frame, tip_frame)


def calibrate_pivot(
    poses_tracker_stylus: Sequence[Transform], settings: PivotSettings | None = None
) -> PivotCalibration:
    """Finds the tip from poses ``T_tracker_stylus`` taken while the tip stood still and the stylus was tilted.

    Poses come in the order of time; lost ones must be left out, not repeated.

    Raises:
        PivotRefusedError: too few poses, too little tilt about some axis, or residuals too large.
        FrameMismatchError: poses between different frames.
    """
    settings = settings or PivotSettings()
    _check_frames(poses_tracker_stylus, settings)
    rotations = np.stack([pose.rotation_matrix for pose in poses_tracker_stylus])
    translations_mm = np.stack([pose.translation_mm for pose in poses_tracker_stylus])
    solution, used = _solve_robustly(rotations, translations_mm, settings.tukey_cutoff)
    n_used, n_rejected = int(used.sum()), int((~used).sum())
    _check_majority(n_used, n_rejected, settings)
    tilt_range_rad = _tilt_range_rad(rotations[used])
    _check_tilt(tilt_range_rad, settings)
    residuals_mm = _residuals_mm(rotations, translations_mm, solution)
    residual_rms_mm = float(np.sqrt(np.mean(np.sum(residuals_mm[used] ** 2, axis=1))))
    _check_residual(residual_rms_mm, settings)
    covariance_mm2 = _covariance_mm2(rotations[used], residuals_mm[used])[:3, :3]
    return PivotCalibration(
        tip_stylus_mm=read_only(solution[:3]),
        pivot_tracker_mm=read_only(solution[3:]),
        residual_rms_mm=residual_rms_mm,
        tip_covariance_mm2=read_only(covariance_mm2),
        expected_tip_error_rms_mm=float(np.sqrt(np.trace(covariance_mm2))),
        n_used=n_used,
        n_rejected=n_rejected,
        tilt_range_rad=tilt_range_rad,
        marker_frame=poses_tracker_stylus[0].from_frame,
    )


def _solve_robustly(rotations: Floats, translations_mm: Floats, cutoff: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Solution ``(t, c)`` (6,) and the poses used (n,).

    An L1 start that outliers cannot drag, Tukey's weights to find them, then plain least squares on the rest
    (reweighted least squares, Rousseeuw and Leroy 1987), which wastes nothing of the good poses.
    """
    weights = np.ones(len(rotations))
    solution = _solve(rotations, translations_mm, weights)
    for iteration in range(40):
        norms = np.linalg.norm(_residuals_mm(rotations, translations_mm, solution), axis=1)
        scale = max(float(np.median(norms)) / MEDIAN_NORM, 1e-9)
        if iteration < 20:
            weights = 1.0 / np.maximum(norms, scale)
        else:
            weights = np.maximum(0.0, 1.0 - (norms / (cutoff * scale)) ** 2) ** 2
        solution = _solve(rotations, translations_mm, weights)
    used = weights > 0.0
    return _solve(rotations, translations_mm, used.astype(np.float64)), used


def _normal_matrix(rotations: Floats, weights: Floats) -> Floats:
    """``A'WA`` (6, 6) for rows ``[R_i  -I]``: rotations are orthonormal, so the diagonal blocks are known."""
    total = weights.sum() * np.eye(3)
    mixed = -np.einsum("n,nij->ij", weights, rotations)
    return np.block([[total, mixed.T], [mixed, total]])


def _solve(rotations: Floats, translations_mm: Floats, weights: Floats) -> Floats:
    weighted = weights[:, None] * translations_mm
    right = np.concatenate([-np.einsum("nij,ni->j", rotations, weighted), weighted.sum(axis=0)])
    # Least squares, not an inverse: too little tilt leaves it singular, and that is refused later, in words.
    return np.linalg.lstsq(_normal_matrix(rotations, weights), right, rcond=1e-12)[0]


def _residuals_mm(rotations: Floats, translations_mm: Floats, solution: Floats) -> Floats:
    return rotations @ solution[:3] + translations_mm - solution[3:]


def _covariance_mm2(rotations: Floats, residuals_mm: Floats) -> Floats:
    """Of ``(t, c)``, (6, 6): the inverse normal matrix on both sides of the residuals' own scatter.

    The sandwich (White, Econometrica 48(4), 1980, with n / (n - 2) for six parameters in three equations a pose), since
    a tracker's error is neither isotropic nor the same in every pose. Then as many poses fewer as neighbours in time
    repeat one another: n (1 - r) / (1 + r) of n are independent at a correlation r between neighbours. A recorded pivot
    showed r = 0.9, where the textbook covariance promises a fifth of the error that is seen.
    """
    count = len(rotations)
    inverse = np.linalg.inv(_normal_matrix(rotations, np.ones(count)))
    gradients = np.hstack([np.einsum("nij,ni->nj", rotations, residuals_mm), -residuals_mm])
    power = max(float(np.sum(residuals_mm**2)), 1e-30)
    correlation = float(np.clip(np.sum(residuals_mm[1:] * residuals_mm[:-1]) / power, 0.0, 0.99))
    repetition = (1.0 + correlation) / (1.0 - correlation)
    covariance: Floats = inverse @ (gradients.T @ gradients) @ inverse * (repetition * count / (count - 2.0))
    return covariance


def _tilt_range_rad(rotations: Floats) -> float:
    """Range of directions of the marker's least moved axis; zero for a hinge, along which the tip stays unknown.

    That axis is the first right singular vector of the mean rotation: the tip's information along a unit vector u is
    n (1 - |mean(R) u|^2).
    """
    axis = np.linalg.svd(rotations.mean(axis=0))[2][0]
    directions = rotations @ axis
    middle = directions.mean(axis=0)
    cosines = directions @ (middle / np.linalg.norm(middle))
    # The 95th percentile, not the extreme: one wild pose is no range.
    return 2.0 * float(np.percentile(np.arccos(np.clip(cosines, -1.0, 1.0)), 95))


def _check_frames(poses: Sequence[Transform], settings: PivotSettings) -> None:
    if len(poses) < settings.minimum_poses:
        raise PivotRefusedError(
            f"{len(poses)} poses of the stylus",
            f"at least {settings.minimum_poses}",
            "keep the tip still and go on tilting the stylus",
        )
    for pose in poses:
        if (pose.to_frame, pose.from_frame) != (poses[0].to_frame, poses[0].from_frame):
            raise FrameMismatchError(f"{pose} among {poses[0]}", "poses between the same frames", "sort them by tool")


def _check_majority(n_used: int, n_rejected: int, settings: PivotSettings) -> None:
    fraction = n_rejected / (n_used + n_rejected)
    if fraction > settings.maximum_rejected_fraction or n_used < settings.minimum_poses:
        raise PivotRefusedError(
            f"{n_rejected} of {n_used + n_rejected} poses that do not turn about one point",
            f"at most {settings.maximum_rejected_fraction:.0%} rejected, and {settings.minimum_poses} or more used",
            "repeat it with the tip in a dimple, so that it cannot slip",
        )


def _check_tilt(tilt_range_rad: float, settings: PivotSettings) -> None:
    if tilt_range_rad < settings.minimum_tilt_range_rad:
        raise PivotRefusedError(
            f"a stylus tilted over {np.rad2deg(tilt_range_rad):.1f} degrees about its least tilted axis",
            f"at least {np.rad2deg(settings.minimum_tilt_range_rad):.0f} degrees",
            "tilt it to the left and right as well as to and fro, and turn it about itself",
        )


def _check_residual(residual_rms_mm: float, settings: PivotSettings) -> None:
    if residual_rms_mm > settings.maximum_residual_rms_mm:
        raise PivotRefusedError(
            f"a residual of {residual_rms_mm:.2f} mm RMS",
            f"at most {settings.maximum_residual_rms_mm:.2f} mm",
            "check that the tip did not slip and that the marker is firm and clean, then repeat",
        )
