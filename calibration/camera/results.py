"""What the calibration of a camera comes to, as all calibrations are kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.camera.lens import NAMES
from calibration.camera.mono import MonoCalibration
from calibration.result import ACCEPTED, REFUSED, CalibrationResult, ExpectedError, InputFile

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
