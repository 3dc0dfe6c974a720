"""A pivot calibration as a result that a rack keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.pivot.pivot import PivotCalibration
from calibration.result import ACCEPTED, CalibratedTransform, CalibrationResult, ExpectedError, InputFile
from calibration.streams import PoseStream

METHOD = "algebraic one-step pivot calibration, outliers left out (Yaniv, SPIE 2015, doi:10.1117/12.2081348)"


def pivot_result(
    found: PivotCalibration, stream: PoseStream, made: str, inputs: Sequence[InputFile] = ()
) -> CalibrationResult:
    """The result of an accepted pivot.

    Args:
        stream: the poses that it was computed from.
        made: when, ISO 8601 with a time zone.
    """
    covariance = np.zeros((6, 6))
    covariance[3:, 3:] = found.tip_covariance_mm2
    tip = found.T_stylus_stylus_tip
    tilt_deg = float(np.rad2deg(found.tilt_rms_rad))
    return CalibrationResult(
        kind="pivot",
        subject=stream.from_frame,
        made=made,
        method=METHOD,
        inputs=tuple(inputs),
        transforms=(CalibratedTransform.of(tip, covariance),),
        numbers={
            "tilt_rms_deg": tilt_deg,
            "duration_s": stream.duration_s,
            **{f"pivot_{axis}_mm": float(value) for axis, value in zip("xyz", found.pivot_tracker_mm, strict=True)},
        },
        n_used=found.n_used,
        n_rejected=found.n_rejected,
        outliers=found.outliers,
        residual_rms=found.residual_rms_mm,
        residual_p95=found.residual_p95_mm,
        coverage=(
            f"its least tilted axis was tilted by {tilt_deg:.1f} degrees RMS, in {len(stream)} poses over "
            f"{stream.duration_s:.1f} s; {stream.n_missing} frames without a pose",
        ),
        expected_error=ExpectedError(value=found.expected_tip_error_rms_mm, unit="mm", at=tip.from_frame),
        verdict=ACCEPTED,
    )
