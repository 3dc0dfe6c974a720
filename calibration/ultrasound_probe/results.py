"""Calibrations of an ultrasound probe as results that a rack keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from calibration.errors import CalibrationResultError
from calibration.result import ACCEPTED, REFUSED, CalibratedTransform, CalibrationResult, ExpectedError, InputFile
from calibration.result import Outlier as ResultOutlier
from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.result import ProbeCalibration
from calibration.ultrasound_probe.temporal import TemporalCalibration
from calibration.ultrasound_probe.wires.n_wire import NWireCalibration
from geometry.points import Floats

N_WIRE_METHOD = "N-wires: closed form (Chen, UMB 35(7), 2009), then all wires in the image by robust least squares"
TEMPORAL_METHOD = "depth of a flat bottom, correlated with the probe's motion (Treece, UMB 29(4), 2003)"


def probe_spatial_result(
    found: ProbeCalibration,
    made: str,
    method: str,
    inputs: Sequence[InputFile] = (),
    numbers: Mapping[str, float] | None = None,
) -> CalibrationResult:
    """The result of a spatial calibration, accepted or refused.

    Its transform is the rigid part, `ImageToProbe.T_probe_image`; the whole map with spacing and skew is the matrix
    ``image_px_to_probe_mm``, and ``map_covariance`` is that of ``(u, v, origin)``.

    Args:
        found: the calibration.
        made: when, ISO 8601 with a time zone.
        method: in words, with its paper.
        inputs: what it was computed from.
        numbers: further ones, by names that end in their unit.
    """
    image_map = found.image_map
    return CalibrationResult(
        kind="probe_spatial",
        subject=image_map.probe_frame,
        made=made,
        method=method,
        inputs=tuple(inputs),
        transforms=(CalibratedTransform.of(image_map.T_probe_image, _symmetric(image_map.rigid_covariance())),),
        numbers={
            "spacing_x_mm": image_map.spacing_x_mm,
            "spacing_y_mm": image_map.spacing_y_mm,
            "skew_deg": float(np.rad2deg(image_map.skew_rad)),
            "image_width_px": float(found.image_size_px[0]),
            "image_height_px": float(found.image_size_px[1]),
            "expected_corner_error_mm": found.expected_corner_error_mm,
            **(numbers or {}),
        },
        matrices={
            "image_px_to_probe_mm": _rows(image_map.matrix_probe_image_px),
            "map_covariance": _rows(image_map.covariance),
        },
        n_used=len(found.residuals_mm),
        n_rejected=len(found.outliers),
        outliers=_outliers(found),
        residual_rms=found.residual_rms_mm,
        residual_p95=found.residual_p95_mm,
        coverage=(*found.orientation, *found.coverage),
        expected_error=ExpectedError(value=found.expected_error_mm, unit="mm", at="the middle of the image"),
        verdict=ACCEPTED if found.accepted else REFUSED,
        reasons=found.reasons,
    )


def image_map_of(result: CalibrationResult) -> ImageToProbe:
    """The map of a spatial calibration that a rack has kept, with its covariance.

    Raises:
        CalibrationResultError: a result of something else, or one that was refused.
    """
    matrix, covariance = (result.matrices.get(name) for name in ("image_px_to_probe_mm", "map_covariance"))
    if result.kind != "probe_spatial" or not result.is_accepted or matrix is None or covariance is None:
        raise CalibrationResultError(
            f"a result of kind '{result.kind}', {result.verdict}",
            "an accepted result of kind 'probe_spatial'",
            "calibrate the probe: surgnav calibrate probe, or probe-target",
        )
    columns_mm = np.array(matrix)[:3, [0, 1, 3]]
    return ImageToProbe(columns_mm, np.array(covariance), result.subject)


def n_wire_result(found: NWireCalibration, made: str, inputs: Sequence[InputFile] = ()) -> CalibrationResult:
    """The result of a calibration from N-wires, with the lag that was found with it."""
    numbers = {
        "estimated_skew_deg": float(np.rad2deg(found.skew_rad)),
        "estimated_skew_sd_deg": float(np.rad2deg(found.skew_sd_rad)),
    }
    if found.lag_s is not None and found.lag_sd_s is not None:
        numbers |= {"lag_ms": 1e3 * found.lag_s, "lag_sd_ms": 1e3 * found.lag_sd_s}
    return probe_spatial_result(found.calibration, made, N_WIRE_METHOD, inputs, numbers)


def probe_temporal_result(
    found: TemporalCalibration, probe_frame: str, time_s: Floats, made: str, inputs: Sequence[InputFile] = ()
) -> CalibrationResult:
    """The result of a temporal calibration, accepted or refused.

    Args:
        found: the calibration.
        probe_frame: the probe's name.
        time_s: times of the images that it was made from.
        made: when, ISO 8601 with a time zone.
        inputs: what it was computed from.
    """
    residuals_px = np.abs(found.residuals_px)
    rejected = np.flatnonzero(~found.used & np.isfinite(residuals_px))
    direction = "an earlier" if found.lag_s < 0.0 else "a later"
    return CalibrationResult(
        kind="probe_temporal",
        subject=probe_frame,
        made=made,
        method=TEMPORAL_METHOD,
        inputs=tuple(inputs),
        numbers={"lag_ms": 1e3 * found.lag_s, "lag_sd_ms": 1e3 * found.lag_sd_s, "correlation": found.correlation},
        n_used=int(found.used.sum()),
        n_rejected=len(rejected),
        outliers=tuple(
            ResultOutlier(index=int(k), time_s=float(time_s[k]), residual=float(residuals_px[k])) for k in rejected
        ),
        residual_rms=found.residual_rms_px,
        residual_p95=float(np.percentile(residuals_px[found.used], 95.0)),
        residual_unit="px",
        coverage=(
            f"lag {1e3 * found.lag_s:.2f} ms: an image shows {direction} moment of the poses' clock than its time says",
            f"the depth follows the probe with a correlation of {found.correlation:.3f}, over "
            f"{time_s[-1] - time_s[0]:.1f} s",
        ),
        expected_error=ExpectedError(value=1e3 * found.lag_sd_s, unit="ms", at="the lag of images against poses"),
        verdict=ACCEPTED if found.accepted else REFUSED,
        reasons=found.reasons,
    )


def _outliers(found: ProbeCalibration) -> tuple[ResultOutlier, ...]:
    return tuple(
        ResultOutlier(index=each.index, time_s=each.time_s, residual=each.residual_mm) for each in found.outliers
    )


def _rows(matrix: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, matrix.tolist()))


def _symmetric(matrix: Floats) -> Floats:
    half: Floats = 0.5 * (matrix + matrix.T)
    return half
