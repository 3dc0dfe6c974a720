"""Pivot calibration: the tip of a stylus that was rocked about a fixed point.

Every pose of the stylus' marker gives one vector equation, ``R_i t + p_i = c``, linear in the tip `t` (marker frame)
and in the pivot `c` (tracker frame): the algebraic one-step method, which Yaniv, "Which pivot calibration?",
SPIE Medical Imaging 2015, doi:10.1117/12.2081348, compares with its rivals. Poses taken while the tip slipped are
found by random samples and robust weights (consensus.py), and named; residuals count by their own covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.errors import PivotRefusedError
from calibration.pivot.consensus import find_consensus
from calibration.pivot.equations import Equations, covariance_mm2
from calibration.pivot.poses import named_outliers, pose_arrays
from calibration.pivot.refusals import check_expected, check_majority, check_residual, checked_tilt_rms_rad
from calibration.pivot.settings import PivotSettings
from calibration.result import Outlier
from calibration.streams import PoseStream
from geometry import Transform
from geometry.points import Floats, read_only


@dataclass(frozen=True, eq=False)
class PivotCalibration:
    """Where the tip is, seen from its marker, and how well that is known.

    Attributes:
        tip_stylus_mm: the tip in the marker's frame, ``(3,)``.
        pivot_tracker_mm: the point it was rocked about, in the poses' ``to_frame``, ``(3,)``.
        residual_rms_mm: RMS distance between the tip of each pose used and the pivot; not the tip's error.
        residual_p95_mm: 95 % of the poses used are nearer.
        tip_covariance_mm2: covariance of `tip_stylus_mm`, ``(3, 3)`` in mm^2, from the normal equations and from the
            residuals' scatter and correlation in time. It excludes errors common to all poses, such as a tip that
            rolls in its dimple.
        expected_tip_error_rms_mm: square root of that covariance's trace.
        n_used: number of poses that it was computed from.
        outliers: the poses that were left out, by index, time and residual in mm.
        tilt_rms_rad: RMS tilt of the marker's least tilted axis about its mean direction.
        marker_frame: the poses' ``from_frame``, such as ``stylus``.
    """

    tip_stylus_mm: Floats
    pivot_tracker_mm: Floats
    residual_rms_mm: float
    residual_p95_mm: float
    tip_covariance_mm2: Floats
    expected_tip_error_rms_mm: float
    n_used: int
    outliers: tuple[Outlier, ...]
    tilt_rms_rad: float
    marker_frame: str

    @property
    def n_rejected(self) -> int:
        """Number of poses that were left out."""
        return len(self.outliers)

    @property
    def T_stylus_stylus_tip(self) -> Transform:
        """The transform from the tip's frame to the marker's, axes parallel: ``T_<tool>_<tool>_tip``."""
        tip_frame = f"{self.marker_frame}_tip"
        return Transform.from_rotation(Rotation.identity(), self.tip_stylus_mm, self.marker_frame, tip_frame)


def calibrate_pivot(
    poses_tracker_stylus: Sequence[Transform] | PoseStream, settings: PivotSettings | None = None
) -> PivotCalibration:
    """Finds the tip from poses ``T_tracker_stylus`` taken while the tip stood still and the stylus was tilted.

    Poses come in the order of time; lost ones must be left out, not repeated. A stream has times, so that its outliers
    have them too.

    Raises:
        PivotRefusedError: too few poses, too little tilt about some axis, residuals too large, or a tip that all
            of these together leave unknown.
        FrameMismatchError: poses between different frames.
    """
    settings = settings or PivotSettings()
    matrices, times_s, marker_frame = pose_arrays(poses_tracker_stylus, settings.minimum_poses, PivotRefusedError)
    equations = Equations(matrices[:, :3, :3], matrices[:, :3, 3])
    solution, used, metric = find_consensus(equations, settings.tukey_cutoff)
    left_mm = equations.residuals_mm(solution)
    lengths_mm = np.linalg.norm(left_mm, axis=1)
    check_majority(equations, left_mm, used, times_s, settings)
    kept = Equations(equations.rotations[used], equations.translations_mm[used])
    tilt_rms_rad = checked_tilt_rms_rad(kept.rotations, settings)
    residual_rms_mm = float(np.sqrt(np.mean(lengths_mm[used] ** 2)))
    check_residual(equations, left_mm, used, times_s, settings)
    tip_covariance_mm2 = covariance_mm2(kept, left_mm[used], metric)[:3, :3]
    expected_mm = float(np.sqrt(np.trace(tip_covariance_mm2)))
    check_expected(expected_mm, tilt_rms_rad, settings)
    return PivotCalibration(
        tip_stylus_mm=read_only(solution[:3]),
        pivot_tracker_mm=read_only(solution[3:]),
        residual_rms_mm=residual_rms_mm,
        residual_p95_mm=float(np.percentile(lengths_mm[used], 95)),
        tip_covariance_mm2=read_only(tip_covariance_mm2),
        expected_tip_error_rms_mm=expected_mm,
        n_used=len(kept.rotations),
        outliers=named_outliers(used, times_s, lengths_mm),
        tilt_rms_rad=tilt_rms_rad,
        marker_frame=marker_frame,
    )
