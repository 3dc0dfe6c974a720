"""A hand-eye calibration as a result that a rack keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.hand_eye.hand_eye import HandEyeCalibration
from calibration.result import ACCEPTED, CalibratedTransform, CalibrationResult, ExpectedError, InputFile, Outlier

METHOD = (
    "AX = ZB by a closed form (Shah 2013, doi:10.1115/1.4024473), refined by Student's t on the poses, outliers out"
)
# A drift that is this many standard deviations long is no accident.
_SURE = 3.0


def hand_eye_result(
    found: HandEyeCalibration, subject: str, made: str, inputs: Sequence[InputFile] = ()
) -> CalibrationResult:
    """The result of an accepted hand-eye calibration.

    Args:
        subject: name of the tool in the rack.
        made: when, ISO 8601 with a time zone.
    """
    x, z = found.T_hand_eye, found.T_base_world
    return CalibrationResult(
        kind="hand_eye",
        subject=subject,
        made=made,
        method=f"AX = ZB, {found.method}",
        inputs=tuple(inputs),
        transforms=(
            CalibratedTransform.of(x, found.covariance_hand_eye),
            CalibratedTransform.of(z, found.covariance_base_world),
        ),
        numbers=_numbers(found),
        n_used=found.n_used,
        n_rejected=found.n_rejected,
        outliers=tuple(
            Outlier(index=each.index, time_s=each.time_s, residual=each.residual_mm) for each in found.outliers
        ),
        residual_rms=found.residual_rms_mm,
        residual_p95=found.residual_p95_mm,
        coverage=_sentences(found),
        expected_error=ExpectedError(value=found.expected_error_rms_mm(), unit="mm", at=x.from_frame),
        verdict=ACCEPTED,
    )


def _numbers(found: HandEyeCalibration) -> dict[str, float]:
    numbers = {
        "expected_error_rms_deg": float(np.rad2deg(found.expected_error_rms_rad)),
        "residual_rms_deg": float(np.rad2deg(found.residual_rms_rad)),
        "tilt_rms_deg": float(np.rad2deg(found.tilt_rms_rad)),
        "scale_ratio": found.scale,
        "scale_std_ratio": found.scale_std,
        "drift_mm": found.drift_mm,
        "drift_std_mm": found.drift_std_mm,
        "repetition_poses": found.repetition,
    }
    if found.time_offset_s is not None and found.time_offset_std_s is not None and found.correlation is not None:
        numbers |= {
            "time_offset_ms": 1000.0 * found.time_offset_s,
            "time_offset_std_ms": 1000.0 * found.time_offset_std_s,
            "rate_correlation_ratio": found.correlation,
        }
    return numbers


def _sentences(found: HandEyeCalibration) -> tuple[str, ...]:
    tilt_deg, rms_deg = np.rad2deg(found.tilt_rms_rad), np.rad2deg(found.residual_rms_rad)
    world, base = found.T_base_world.from_frame, found.T_base_world.to_frame
    sentences = [
        f"its least tilted axis was tilted by {tilt_deg:.1f} degrees RMS",
        f"the two poses of {found.T_hand_eye.from_frame} differ by {rms_deg:.2f} degrees RMS",
        f"the rotation is known to {np.rad2deg(found.expected_error_rms_rad):.3f} degrees RMS",
    ]
    if found.time_offset_s is not None and found.time_offset_std_s is not None:
        sentences.append(
            f"time offset {1000.0 * found.time_offset_s:.1f} ms (standard deviation "
            f"{1000.0 * found.time_offset_std_s:.1f} ms), to be added to the times of {found.T_hand_eye.from_frame}; "
            "both clocks are taken to run at the same rate"
        )
    if found.drift_mm > max(1.0, _SURE * found.drift_std_mm):
        sentences.append(
            f"{world} drifted by {found.drift_mm:.1f} mm in {base} from the first pose to the last, though it was "
            "taken as standing still: the transform carries a part of that"
        )
    if found.fallback_reason:
        sentences.append(found.fallback_reason)
    return tuple(sentences)
