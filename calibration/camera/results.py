"""What the calibration of a camera comes to, as all calibrations are kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.camera.lens import NAMES
from calibration.camera.mono import MonoCalibration
from calibration.camera.stereo import StereoCalibration
from calibration.result import ACCEPTED, REFUSED, CalibratedTransform, CalibrationResult, ExpectedError, InputFile

METHOD = (
    "views of a flat board (Zhang, IEEE PAMI 22(11), 2000), robust bundle adjustment with a board that may be bent, "
    "lens model by the error of held-out views, covariance clustered by view"
)


def mono_result(
    found: MonoCalibration, subject: str, inputs: Sequence[InputFile], notes: Sequence[str] = ()
) -> CalibrationResult:
    """The result of one camera for the rack; `notes` are sentences that belong to its coverage."""
    return CalibrationResult(
        kind="camera",
        subject=subject,
        made=found.camera.calibrated,
        method=f"{METHOD}: {found.model}",
        inputs=tuple(inputs),
        numbers=lens_numbers(found),
        matrices={"camera_matrix_px": rows(found.camera.matrix), "lens_covariance": rows(found.covariance)},
        n_used=len(found.T_camera_board),
        n_rejected=len(found.left_out),
        residual_rms=found.rms_px,
        residual_unit="px",
        coverage=(*found.coverage.sentences(), *board_sentences(found), *left_out_sentences(found), *notes),
        expected_error=ExpectedError(
            value=found.expected_rms_px, unit="px", at="the picture, RMS, with the camera turned as fits best"
        ),
        verdict=REFUSED if found.reasons else ACCEPTED,
        reasons=found.reasons,
    )


def lens_numbers(found: MonoCalibration) -> dict[str, float]:
    """Name to number, each with its standard deviation."""
    camera = found.camera
    values = (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px, *camera.distortion)
    named = dict(zip(NAMES, values, strict=True))
    for name, deviation in found.deviations.items():
        unit = "_px" if name.endswith("_px") else ""
        named[f"{name.removesuffix('_px')}_sd{unit}"] = deviation
    sizes = {"width_px": float(camera.width_px), "height_px": float(camera.height_px)}
    held_out = {"held_out_rms_px": found.held_out_px[found.model], "n_corners": float(found.n_corners)}
    return {**named, **sizes, **held_out}


def board_sentences(found: MonoCalibration) -> tuple[str, ...]:
    """Whether the board is flat, in words."""
    size, sd = found.sag_mm, float(np.linalg.norm(found.bend_sd_mm))
    if size < 2.0 * sd:
        return (f"the board is flat to {size + 2.0 * sd:.2f} mm",)
    return (
        f"the board is bent by {size:.2f} mm at half its diagonal (standard deviation {sd:.2f}), which is reckoned "
        "with; glue it to something stiff",
    )


def left_out_sentences(found: MonoCalibration) -> tuple[str, ...]:
    return tuple(f"left out: {each.name}: {each.reason}" for each in found.left_out)


def rows(matrix: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())


def stereo_result(
    found: StereoCalibration, subject: str, inputs: Sequence[InputFile], notes: Sequence[str] = ()
) -> CalibrationResult:
    """The result of two cameras for the rack."""
    distance_mm = float(np.mean([camera.coverage.distances_mm.mean() for camera in found.alone]))
    place = found.covariance[3:, 3:] + distance_mm**2 * _across(found.covariance[:3, :3])
    sides = enumerate(found.alone, start=1)
    seen = [f"camera {side}: {said}" for side, camera in sides for said in camera.coverage.sentences()]
    return CalibrationResult(
        kind="stereo",
        subject=subject,
        made=found.cameras[0].calibrated,
        method=f"two cameras, {METHOD}: {found.model}",
        inputs=tuple(inputs),
        transforms=(CalibratedTransform.of(found.T_first_second, found.covariance),),
        numbers=_stereo_numbers(found),
        matrices={f"camera_matrix_{side}_px": rows(one.matrix) for side, one in enumerate(found.cameras, start=1)},
        n_used=found.n_pairs,
        n_rejected=len(found.left_out),
        residual_rms=found.rms_px,
        residual_unit="px",
        coverage=(
            *seen,
            *(f"left out: {each.name}: {each.reason}" for each in found.left_out),
            *notes,
        ),
        expected_error=ExpectedError(
            value=float(np.sqrt(np.trace(place))),
            unit="mm",
            at=f"a point {distance_mm:.0f} mm before the cameras, put from one camera's frame into the other's",
        ),
        verdict=REFUSED if found.reasons else ACCEPTED,
        reasons=found.reasons,
    )


def _stereo_numbers(found: StereoCalibration) -> dict[str, float]:
    """Of the pose and of both lenses, each with its standard deviation."""
    numbers = {
        "baseline_mm": found.baseline_mm,
        "baseline_sd_mm": found.baseline_sd_mm,
        "turn_sd_rad": found.turn_sd_rad,
        "held_out_rms_px": found.held_out_px,
    }
    for side, (camera, covariance) in enumerate(zip(found.cameras, found.lens_covariances, strict=True), start=1):
        values = (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px, *camera.distortion)
        for name, value, deviation in zip(NAMES, values, np.sqrt(np.diag(covariance)).tolist(), strict=True):
            unit = "_px" if name.endswith("_px") else ""
            stem = f"camera_{side}_{name.removesuffix('_px')}"
            numbers |= {f"{stem}{unit}": value, f"{stem}_sd{unit}": deviation}
    return numbers


def _across(turn: np.ndarray) -> np.ndarray:
    """How a point straight ahead, at distance 1, errs with turns of covariance ``(3, 3)``."""
    ahead = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    return ahead @ turn @ ahead.T
