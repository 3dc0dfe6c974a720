"""A probe that was calibrated from a target, as a result that a rack keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.result import (
    ACCEPTED,
    REFUSED,
    CalibratedTransform,
    CalibrationResult,
    ExpectedError,
    InputFile,
    Outlier,
)
from calibration.ultrasound_probe.result import ProbeCalibration
from calibration.ultrasound_probe.targets.calibrate import CROSS, PLANE, STYLUS

PIXEL_TO_PROBE = "pixel_to_probe"
METHODS = {
    STYLUS: "tip of a tracked stylus in the image, robust least squares in the image",
    CROSS: "one point that stands still, unknown (Detmer 1994, Prager 1998), robust least squares in the image",
    PLANE: "a wall that stands still, unknown (Prager 1998), robust least squares in the image",
}


def target_result(
    found: ProbeCalibration, subject: str, made: str, inputs: Sequence[InputFile] = ()
) -> CalibrationResult:
    """The result of a calibration from a target.

    Args:
        subject: name of the probe in the rack.
        made: when, ISO 8601 with a time zone.
    """
    image_map = found.image_map
    covariance = image_map.rigid_covariance()
    return CalibrationResult(
        kind="probe_spatial",
        subject=subject,
        made=made,
        method=METHODS[found.method],
        inputs=tuple(inputs),
        transforms=(CalibratedTransform.of(image_map.T_probe_image, 0.5 * (covariance + covariance.T)),),
        numbers={
            "pixel_width_mm": image_map.spacing_x_mm,
            "pixel_height_mm": image_map.spacing_y_mm,
            "skew_deg": float(np.rad2deg(image_map.skew_rad)),
            "image_width_px": float(found.image_size_px[0]),
            "image_height_px": float(found.image_size_px[1]),
            "expected_corner_error_mm": found.expected_corner_error_mm,
        },
        matrices={PIXEL_TO_PROBE: tuple(map(tuple, image_map.matrix_probe_image_px.tolist()))},
        n_used=found.n_images,
        n_rejected=len(found.outliers),
        outliers=tuple(
            Outlier(index=each.index, time_s=each.time_s, residual=each.residual_mm) for each in found.outliers
        ),
        residual_rms=found.residual_rms_mm,
        residual_p95=found.residual_p95_mm,
        coverage=(*found.coverage, *found.orientation),
        expected_error=ExpectedError(value=found.expected_error_mm, unit="mm", at="the middle of the image"),
        verdict=ACCEPTED if found.accepted else REFUSED,
        reasons=found.reasons,
    )
