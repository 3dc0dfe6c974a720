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
from scipy.spatial.transform import Rotation

from calibration.errors import PivotRefusedError
from geometry import Transform
from geometry.errors import FrameMismatchError
from geometry.points import Bools, Floats, read_only

# The median length of a 3-D vector with unit normal components: sqrt of the median of chi-square with 3 degrees.
MEDIAN_NORM = 1.5382


@dataclass(frozen=True, kw_only=True)
class PivotSettings:
    """What a pivot must bring before its tip is believed.

    Attributes:
        minimum_poses: fewer poses than this, before or after rejection, are refused.
        minimum_tilt_rms_rad: least RMS tilt, in rad, of the marker's least tilted axis about its mean direction. A
            tracker error that changes with the tilt appears in no residual, and enters the tip multiplied by the
            inverse of this tilt: by 11 at 5 degrees, by 3 at 20. Rocking evenly by 7 degrees to every side gives
            about 5 degrees RMS.
        maximum_tip_error_rms_mm: a larger expected tip error is refused. It combines noise, tilt and number of poses,
            so it cannot be replaced by limits on each of the three.
        maximum_share: largest share of the squared tilt that the farthest twentieth of the poses may hold; evenly
            spread poses give about 15 %. A single wild pose fits exactly and would otherwise count as tilt.
        maximum_residual_rms_mm: above this, the tip slipped, the marker bent or the tracker is faulty.
        tukey_cutoff: poses whose residual exceeds this many standard deviations (of one axis) are rejected; 4.685
            rejects one in 15,000 poses with normal noise.
        maximum_rejected_fraction: more rejected poses than this leave too few to trust the rest.
    """

    minimum_poses: int = 30
    minimum_tilt_rms_rad: float = np.deg2rad(5.0)
    maximum_tip_error_rms_mm: float = 1.0
    maximum_share: float = 0.6
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
        tip_covariance_mm2: covariance of `tip_stylus_mm`, ``(3, 3)`` in mm^2, from the normal equations and from the
            residuals' scatter and correlation in time. It excludes errors common to all poses, such as a tip that
            rolls in its dimple.
        expected_tip_error_rms_mm: square root of that covariance's trace.
        n_used, n_rejected: numbers of poses.
        tilt_rms_rad: RMS tilt of the marker's least tilted axis about its mean direction.
        marker_frame: the poses' ``from_frame``, such as ``stylus``.
    """

    tip_stylus_mm: Floats
    pivot_tracker_mm: Floats
    residual_rms_mm: float
    tip_covariance_mm2: Floats
    expected_tip_error_rms_mm: float
    n_used: int
    n_rejected: int
    tilt_rms_rad: float
    marker_frame: str

    @property
    def T_stylus_stylus_tip(self) -> Transform:
        """The transform from the tip's frame to the marker's, axes parallel: ``T_<tool>_<tool>_tip``."""
        tip_frame = f"{self.marker_frame}_tip"
        return Transform.from_rotation(Rotation.identity(), self.tip_stylus_mm, self.marker_frame, tip_frame)


def calibrate_pivot(
    poses_tracker_stylus: Sequence[Transform], settings: PivotSettings | None = None
) -> PivotCalibration:
    """Finds the tip from poses ``T_tracker_stylus`` taken while the tip stood still and the stylus was tilted.

    Poses come in the order of time; lost ones must be left out, not repeated.

    Raises:
        PivotRefusedError: too few poses, too little tilt about some axis, residuals too large, or a tip that all
            of these together leave unknown.
        FrameMismatchError: poses between different frames.
    """
    settings = settings or PivotSettings()
    _check_frames(poses_tracker_stylus, settings)
    rotations = np.stack([pose.rotation_matrix for pose in poses_tracker_stylus])
    translations_mm = np.stack([pose.translation_mm for pose in poses_tracker_stylus])
    solution, used = _solve_robustly(rotations, translations_mm, settings.tukey_cutoff)
    n_used, n_rejected = int(used.sum()), int((~used).sum())
    _check_majority(n_used, n_rejected, settings)
    tilt_rms_rad = _checked_tilt_rms_rad(rotations[used], settings)
    residuals_mm = _residuals_mm(rotations, translations_mm, solution)
    residual_rms_mm = float(np.sqrt(np.mean(np.sum(residuals_mm[used] ** 2, axis=1))))
    _check_residual(residual_rms_mm, settings)
    covariance_mm2 = _covariance_mm2(rotations[used], residuals_mm[used])[:3, :3]
    expected_mm = float(np.sqrt(np.trace(covariance_mm2)))
    _check_expected(expected_mm, tilt_rms_rad, settings)
    return PivotCalibration(
        tip_stylus_mm=read_only(solution[:3]),
        pivot_tracker_mm=read_only(solution[3:]),
        residual_rms_mm=residual_rms_mm,
        tip_covariance_mm2=read_only(covariance_mm2),
        expected_tip_error_rms_mm=expected_mm,
        n_used=n_used,
        n_rejected=n_rejected,
        tilt_rms_rad=tilt_rms_rad,
        marker_frame=poses_tracker_stylus[0].from_frame,
    )


def _solve_robustly(rotations: Floats, translations_mm: Floats, cutoff: float) -> tuple[Floats, Bools]:
    """Returns the solution ``(t, c)``, ``(6,)`` in mm, and which poses were used, ``(n,)``.

    An L1 start resists outliers, Tukey's weights identify them, and plain least squares fits the remaining poses with
    full weight (reweighted least squares, Rousseeuw and Leroy 1987).
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
    """Covariance of ``(t, c)``, ``(6, 6)`` in mm^2: the inverse normal matrix on both sides of the residuals' scatter.

    This is the sandwich estimator (White, Econometrica 48(4), 1980, with n / (n - 2) for six parameters and three
    equations per pose), because a tracker's error is neither isotropic nor equal in all poses. It is scaled up because
    poses that follow each other repeat one another: with a correlation r between neighbours, only n (1 - r) / (1 + r)
    of n poses are independent. A recorded pivot had r = 0.9; without this factor the covariance would have promised a
    fifth of the observed error.
    """
    count = len(rotations)
    inverse = np.linalg.inv(_normal_matrix(rotations, np.ones(count)))
    gradients = np.hstack([np.einsum("nij,ni->nj", rotations, residuals_mm), -residuals_mm])
    power = max(float(np.sum(residuals_mm**2)), 1e-30)
    correlation = float(np.clip(np.sum(residuals_mm[1:] * residuals_mm[:-1]) / power, 0.0, 0.99))
    repetition = (1.0 + correlation) / (1.0 - correlation)
    covariance: Floats = inverse @ (gradients.T @ gradients) @ inverse * (repetition * count / (count - 2.0))
    return covariance


def _checked_tilt_rms_rad(rotations: Floats, settings: PivotSettings) -> float:
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


def _check_frames(poses: Sequence[Transform], settings: PivotSettings) -> None:
    if len(poses) < settings.minimum_poses:
        raise PivotRefusedError(
            f"{len(poses)} poses of the stylus",
            f"at least {settings.minimum_poses} poses",
            "keep the tip still and go on tilting the stylus",
        )
    for pose in poses:
        if (pose.to_frame, pose.from_frame) != (poses[0].to_frame, poses[0].from_frame):
            came = f"the pose {pose} among poses {poses[0]}"
            raise FrameMismatchError(came, "poses between the same two frames", "separate the poses by tool")


def _check_majority(n_used: int, n_rejected: int, settings: PivotSettings) -> None:
    fraction = n_rejected / (n_used + n_rejected)
    if fraction > settings.maximum_rejected_fraction or n_used < settings.minimum_poses:
        raise PivotRefusedError(
            f"{n_rejected} of {n_used + n_rejected} poses that do not turn about one point",
            f"at most {settings.maximum_rejected_fraction:.0%} rejected, and {settings.minimum_poses} or more used",
            "repeat it with the tip in a dimple, so that it cannot slip",
        )


def _check_expected(expected_mm: float, tilt_rms_rad: float, settings: PivotSettings) -> None:
    if expected_mm > settings.maximum_tip_error_rms_mm:
        raise PivotRefusedError(
            f"a tip known to {expected_mm:.2f} mm RMS only, at {np.rad2deg(tilt_rms_rad):.0f} degrees RMS of tilt",
            f"at most {settings.maximum_tip_error_rms_mm:g} mm",
            "tilt it farther to all sides and for longer, close to the camera and in the middle of its view",
        )


def _check_residual(residual_rms_mm: float, settings: PivotSettings) -> None:
    if residual_rms_mm > settings.maximum_residual_rms_mm:
        raise PivotRefusedError(
            f"a residual of {residual_rms_mm:.2f} mm RMS",
            f"at most {settings.maximum_residual_rms_mm:.2f} mm",
            "check that the tip did not slip and that the marker is firm and clean, then repeat",
        )
