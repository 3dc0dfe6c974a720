"""A headset's calibration as the result that the rack keeps, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.errors import CalibrationResultError
from calibration.headset.alignment import ARM_LENGTH_MM, HeadsetToTracker, normal_scale
from calibration.result import (
    ACCEPTED,
    CalibratedTransform,
    CalibrationResult,
    ExpectedError,
    InputFile,
    Outlier,
)
from geometry.frames import HEADSET, TRACKER
from geometry.points import Floats, read_only

_ANCHOR = "the headset's world is where its anchor "


def as_result(
    found: HeadsetToTracker,
    *,
    subject: str,
    made: str,
    inputs: Sequence[InputFile] = (),
    target_tracker_mm: Floats | None = None,
) -> CalibrationResult:
    """The result of a calibration, accepted.

    Args:
        subject: the headset, by its name in the room.
        made: when, ISO 8601 with a time zone.
        inputs: what it was computed from.
        target_tracker_mm: the point ``(3,)`` in ``tracker`` for which its expected error is stated; without it the
            middle of what was measured.
    """
    at_mm = found.centre_tracker_mm if target_tracker_mm is None else target_tracker_mm
    where = "the middle of what was measured" if target_tracker_mm is None else "the target"
    x, y, z = (round(float(value), 1) for value in at_mm)
    residuals_mm = found.residuals_mm[found.used]
    return CalibrationResult(
        kind="headset_to_tracker",
        subject=subject,
        made=made,
        method=found.method,
        inputs=tuple(inputs),
        transforms=(CalibratedTransform.of(found.T_headset_tracker, found.normal_covariance()),),
        numbers=_numbers(found, at_mm),
        n_used=int(found.used.sum()),
        n_rejected=int((~found.used).sum()),
        outliers=tuple(
            Outlier(index=int(index), time_s=None, residual=float(found.residuals_mm[index]))
            for index in np.flatnonzero(~found.used)
        ),
        residual_rms=found.residual_rms_mm,
        residual_p95=float(np.percentile(residuals_mm, 95.0)),
        coverage=(*found.coverage, f"{_ANCHOR}{found.anchor} is"),
        expected_error=ExpectedError(
            value=float(np.sqrt(np.trace(found.covariance_at_mm2(at_mm)[0]))),
            unit="mm",
            at=f"{where}, ({x}, {y}, {z}) mm in tracker",
        ),
        verdict=ACCEPTED,
    )


def _numbers(found: HeadsetToTracker, at_mm: Floats) -> dict[str, float]:
    return {
        "expected_error_p95_mm": float(found.expected_p95_mm(at_mm)[0]),
        f"expected_error_p95_{ARM_LENGTH_MM:.0f}mm_away_mm": found.expected_p95_at_arms_length_mm(),
        "degrees_of_freedom_count": min(found.degrees, 1e6),
        **{f"centre_tracker_{axis}_mm": float(found.centre_tracker_mm[i]) for i, axis in enumerate("xyz")},
    }


def from_result(result: CalibrationResult) -> HeadsetToTracker:
    """The calibration that a result holds, to be watched and checked, with the errors that it was expected to have.

    Raises:
        CalibrationResultError: a result of something else, or one that was refused.
    """
    covariance = result.transforms[0].covariance_matrix if result.transforms else None
    anchors = [said.removeprefix(_ANCHOR).removesuffix(" is") for said in result.coverage if said.startswith(_ANCHOR)]
    if result.kind != "headset_to_tracker" or not result.is_accepted or covariance is None or not anchors:
        raise CalibrationResultError(
            f"a result of kind '{result.kind}', {result.verdict}",
            "an accepted result of kind 'headset_to_tracker'",
            "calibrate the headset: surgnav calibrate headset",
        )
    degrees = result.numbers["degrees_of_freedom_count"]
    centre_mm = np.array([result.numbers[f"centre_tracker_{axis}_mm"] for axis in "xyz"])
    return HeadsetToTracker(
        T_headset_tracker=result.transform(HEADSET, TRACKER),
        covariance=read_only(covariance / normal_scale(degrees)),
        degrees=degrees,
        anchor=anchors[0],
        method=result.method,
        centre_tracker_mm=read_only(centre_mm),
        residuals_mm=read_only(np.full(result.n_used, result.residual_rms or 0.0)),
        used=read_only(np.ones(result.n_used, dtype=np.bool_)),
        coverage=result.coverage,
    )
