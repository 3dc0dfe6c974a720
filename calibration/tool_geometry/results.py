"""A sphere layout as a result that a rack keeps."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.result import ACCEPTED, CalibrationResult, ExpectedError, InputFile, Outlier
from calibration.tool_geometry.layout import Layout

METHOD = "sphere layout by generalised Procrustes analysis (Gower, Psychometrika 40(1), 1975)"


def layout_result(
    layout: Layout, subject: str, made: str, inputs: Sequence[InputFile] = (), alike: Sequence[str] = ()
) -> CalibrationResult:
    """The result of an accepted layout.

    Args:
        subject: name of the tool.
        made: when, ISO 8601 with a time zone.
        alike: sentences on spheres that could be taken for others.
    """
    error_mm = layout.expected_error_rms_mm
    seen = ", ".join(map(str, layout.seen))
    return CalibrationResult(
        kind="tool_geometry",
        subject=subject,
        made=made,
        method=METHOD,
        inputs=tuple(inputs),
        matrices={
            "spheres_mm": tuple(map(tuple, layout.spheres_tool_mm.tolist())),
            "sphere_covariances_mm2": tuple(tuple(each.ravel().tolist()) for each in layout.covariances_mm2),
        },
        n_used=layout.n_used,
        n_rejected=len(layout.left_out),
        outliers=tuple(Outlier(index=at, time_s=None, residual=layout.farther_than_mm) for at in layout.left_out),
        residual_rms=layout.residual_rms_mm,
        residual_p95=layout.residual_p95_mm,
        coverage=(f"{len(layout.seen)} spheres, seen in {seen} of {layout.n_used} frames", *alike),
        expected_error=ExpectedError(value=error_mm, unit="mm", at="the sphere that is known least"),
        verdict=ACCEPTED,
    )
