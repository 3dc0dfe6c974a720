"""Whether today's tool still matches its calibration: its tip in a divot, or on a point that is known.

The difference between what is seen and what the calibration promises is judged by its own covariance: the tip's, that
of the new measurement, and what no residual shows. Along the direction of the difference, the limit is where a tool
that did not change would lie in all but a hundredth of the checks (chi-square with three degrees of freedom).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from calibration.accuracy.errors import CheckRefusedError
from calibration.pivot.pivot import calibrate_pivot
from calibration.result import CalibratedTransform, CalibrationResult
from calibration.streams import PoseStream
from geometry.points import Floats, as_points


@dataclass(frozen=True, kw_only=True)
class DriftSettings:
    """How a difference is judged.

    Attributes:
        common_rms_mm: RMS error of a tip, in 3-D, that its residuals do not show: a tip that rolls in its divot, a
            tracker whose error changes with the pose. A registration allows a calibrated tip as much.
        point_rms_mm: RMS error, in 3-D, of a known point and of the touch on it.
        false_alarms: share of the checks of an unchanged tool that may say otherwise.
        largest_limit_mm: where even a tip that is off by this much would pass, the check says nothing.
    """

    common_rms_mm: float = 0.25
    point_rms_mm: float = 0.3
    false_alarms: float = 0.01
    largest_limit_mm: float = 2.0


@dataclass(frozen=True)
class Drift:
    """What a check found.

    Attributes:
        off_mm: how far today's tip is from where its calibration has it.
        limit_mm: how far it may be in this direction if nothing changed.
        expected_rms_mm: RMS of what is to be expected if nothing changed.
        n_used: poses that it was found from.
    """

    off_mm: float
    limit_mm: float
    expected_rms_mm: float
    n_used: int

    @property
    def is_unchanged(self) -> bool:
        return self.off_mm <= self.limit_mm

    def line(self, tool: str, age: str) -> str:
        """The answer in one line."""
        off = f"its tip is {self.off_mm:.2f} mm from where the calibration has it ({age})"
        expected = f"{self.expected_rms_mm:.2f} mm RMS expected, {self.limit_mm:.2f} mm allowed"
        if self.is_unchanged:
            return f"{tool} still matches its calibration: {off}; {expected}"
        return f"{tool} does NOT match its calibration: {off}; {expected}. Calibrate it anew before it is used"


def check_in_divot(result: CalibrationResult, stream: PoseStream, settings: DriftSettings | None = None) -> Drift:
    """Compares the tip of a calibration with that of a short pivot in any divot, wherever that is.

    Args:
        result: the calibration in force.
        stream: poses of the tool while it was tilted about its tip.

    Raises:
        PivotRefusedError: the pivot itself is refused: a marker that is loose shows here as well.
        CheckRefusedError: a calibration without a tip, or a pivot too poor to notice anything.
    """
    settings = settings or DriftSettings()
    tip_mm, covariance_mm2 = _tip(result)
    found = calibrate_pivot(stream)
    total = covariance_mm2 + found.tip_covariance_mm2 + _isotropic(settings.common_rms_mm)
    return _judged(found.tip_stylus_mm - tip_mm, total, found.n_used, settings)


def check_at_point(
    result: CalibrationResult, stream: PoseStream, point_mm: Floats, settings: DriftSettings | None = None
) -> Drift:
    """Compares the tip, held still on a known point, with that point.

    Args:
        result: the calibration in force.
        stream: poses of the tool, relative to the frame that the point is known in.
        point_mm: the point ``(3,)`` in the stream's `to_frame`.

    Raises:
        CheckRefusedError: a calibration without a tip, or a tip that moved.
    """
    settings = settings or DriftSettings()
    tip_mm, covariance_mm2 = _tip(result)
    rotations = stream.poses[:, :3, :3]
    tips_mm = rotations @ tip_mm + stream.poses[:, :3, 3]
    middle_mm = np.median(tips_mm, axis=0)
    spread_mm = float(np.median(np.linalg.norm(tips_mm - middle_mm, axis=1)))
    if spread_mm > settings.largest_limit_mm:
        raise CheckRefusedError(
            f"a tip that moved by {spread_mm:.1f} mm while it was watched",
            f"a tip held on the point within {settings.largest_limit_mm:g} mm",
            "hold it still on the point, and tilt it about the tip only",
        )
    mean = rotations.mean(axis=0)
    total = mean @ covariance_mm2 @ mean.T + _isotropic(settings.common_rms_mm) + _isotropic(settings.point_rms_mm)
    return _judged(middle_mm - as_points(point_mm, "point")[0], total, len(stream), settings)


def _tip(result: CalibrationResult) -> tuple[Floats, Floats]:
    """The tip ``(3,)`` in mm and its covariance ``(3, 3)``."""
    each: CalibratedTransform
    for each in result.transforms:
        covariance = each.covariance_matrix
        if each.from_frame == f"{result.subject}_tip" and covariance is not None:
            return np.array(each.translation_mm), covariance[3:, 3:]
    raise CheckRefusedError(
        f"the {result.kind} calibration of {result.subject}, which has no tip with a covariance",
        "the calibration of a tip",
        "calibrate the tool: surgnav calibrate pivot",
    )


def _isotropic(rms_mm: float) -> Floats:
    return np.eye(3) * rms_mm**2 / 3.0


def _judged(off_mm: Floats, covariance_mm2: Floats, n_used: int, settings: DriftSettings) -> Drift:
    length_mm = float(np.linalg.norm(off_mm))
    chi_square = float(chdtri(3, settings.false_alarms))
    # A tip that is nowhere off has no direction: any does.
    along = off_mm / length_mm if length_mm > 0.0 else np.array([0.0, 0.0, 1.0])
    limit_mm = float(np.sqrt(chi_square / (along @ np.linalg.solve(covariance_mm2, along))))
    if length_mm <= limit_mm and limit_mm > settings.largest_limit_mm:
        raise CheckRefusedError(
            f"a check that would notice {limit_mm:.1f} mm and more only",
            f"one that notices {settings.largest_limit_mm:g} mm",
            "tilt the tool farther to all sides and for longer, in the middle of the tracker's view",
        )
    return Drift(length_mm, limit_mm, float(np.sqrt(np.trace(covariance_mm2))), n_used)
