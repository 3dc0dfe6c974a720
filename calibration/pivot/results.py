"""Calibrations of a tip and of an axis as results that a rack keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.pivot.pivot import PivotCalibration
from calibration.pivot.spin import SpinCalibration
from calibration.pivot.template import TemplateCalibration
from calibration.result import ACCEPTED, CalibratedTransform, CalibrationResult, ExpectedError, InputFile
from calibration.streams import PoseStream
from geometry.points import Floats

METHOD = "algebraic one-step pivot calibration, outliers left out (Yaniv, SPIE 2015, doi:10.1117/12.2081348)"
TEMPLATE_METHOD = "template laid over touched landmarks (Arun et al., IEEE PAMI 9(5), 1987)"
SPIN_METHOD = "spin calibration: the direction that turned least, after a robust search for outliers"


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


def spin_result(
    found: SpinCalibration,
    tip: CalibratedTransform,
    stream: PoseStream,
    made: str,
    inputs: Sequence[InputFile] = (),
) -> CalibrationResult:
    """The result of an accepted spin: the frame of the tip, its z along the axis.

    Args:
        tip: the pivot's ``T_<tool>_<tool>_tip``, with its covariance.
        stream: the poses that the axis was computed from.
        made: when, ISO 8601 with a time zone.
    """
    frame = found.T_stylus_stylus_tip(tip.transform.translation_mm)
    turn_deg, wobble_deg = np.rad2deg([found.turn_rms_rad, found.wobble_rms_rad])
    return CalibrationResult(
        kind="spin",
        subject=stream.from_frame,
        made=made,
        method=SPIN_METHOD,
        inputs=tuple(inputs),
        transforms=(CalibratedTransform.of(frame, _of_tip_and_axis(found.axis_covariance_rad2, tip)),),
        numbers={
            "turn_rms_deg": float(turn_deg),
            **{f"axis_{name}": float(value) for name, value in zip("xyz", found.axis_stylus, strict=True)},
        },
        n_used=found.n_used,
        n_rejected=len(found.outliers),
        outliers=found.outliers,
        residual_rms=float(wobble_deg),
        residual_p95=float(np.rad2deg(found.wobble_p95_rad)),
        residual_unit="deg",
        coverage=(
            f"it turned by {turn_deg:.0f} degrees RMS about its shaft, in {len(stream)} poses over "
            f"{stream.duration_s:.1f} s; {stream.n_missing} frames without a pose",
        ),
        expected_error=ExpectedError(
            value=float(np.rad2deg(found.expected_axis_error_rms_rad)), unit="deg", at="the axis"
        ),
        verdict=ACCEPTED,
    )


def template_result(found: TemplateCalibration, made: str, inputs: Sequence[InputFile] = ()) -> CalibrationResult:
    """The result of an accepted template: a tip like that of a pivot, and its axis.

    Args:
        made: when, ISO 8601 with a time zone.
    """
    frame = found.T_stylus_stylus_tip
    tip_covariance = np.zeros((6, 6))
    tip_covariance[3:, 3:] = found.tip_covariance_mm2
    tip = CalibratedTransform.of(frame, tip_covariance)
    residuals = found.residuals_mm
    each = ", ".join(f"{name} {value:.2f}" for name, value in residuals.items())
    return CalibrationResult(
        kind="pivot",
        subject=found.marker_frame,
        made=made,
        method=TEMPLATE_METHOD,
        inputs=tuple(inputs),
        transforms=(CalibratedTransform.of(frame, _of_tip_and_axis(found.axis_covariance_rad2, tip)),),
        numbers={f"axis_{name}": float(value) for name, value in zip("xyz", found.axis_stylus, strict=True)},
        n_used=len(residuals),
        residual_rms=found.residual_rms_mm,
        residual_p95=float(np.percentile(list(residuals.values()), 95.0)),
        coverage=(f"{len(residuals)} landmarks, off the drawing by {each} mm",),
        expected_error=ExpectedError(value=found.expected_tip_error_rms_mm, unit="mm", at=frame.from_frame),
        verdict=ACCEPTED,
    )


def _of_tip_and_axis(axis_covariance_rad2: Floats, tip: CalibratedTransform) -> Floats | None:
    """``(6, 6)``, as an error from the left: one that turns the axis about the marker's origin moves the tip as well.

    That move is taken back in the translation, since the tip itself is not less sure than the pivot said. None where
    the pivot has no covariance.
    """
    pivot = tip.covariance_matrix
    if pivot is None:
        return None
    x, y, z = tip.translation_mm
    at_tip = np.block([[axis_covariance_rad2, np.zeros((3, 3))], [np.zeros((3, 3)), pivot[3:, 3:]]])
    moved = np.eye(6)
    moved[3:, :3] = [[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]
    covariance = moved @ at_tip @ moved.T
    return (covariance + covariance.T) / 2.0
