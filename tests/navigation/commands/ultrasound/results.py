"""Calibrations of a probe, made by hand, and a room that has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.rack import keep
from calibration.result import ACCEPTED, CalibrationResult, ExpectedError
from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.result import ProbeCalibration
from calibration.ultrasound_probe.results import probe_spatial_result

MADE = "2026-11-20T09:15:00+00:00"
SIZE_PX = (300, 400)
LAG_S = -0.1
TURN = Rotation.from_euler("xyz", [20.0, -35.0, 50.0], degrees=True).as_matrix()
# A pixel is 0.1 mm wide and 0.12 mm high; the image begins 30 mm to the side of the probe's marker, and 90 mm below.
COLUMNS_MM = TURN @ np.array([[0.1, 0.0, -30.0], [0.0, 0.12, 90.0], [0.0, 0.0, 20.0]])


def spatial(size_px: tuple[int, int] = SIZE_PX, scale: float = 1.0) -> CalibrationResult:
    columns = COLUMNS_MM * [scale, scale, 1.0]
    found = ProbeCalibration(
        image_map=ImageToProbe(columns, np.diag([1e-8] * 6 + [0.01] * 3), "probe_9l"),
        method="n_wire",
        image_size_px=size_px,
        residuals_mm=np.full(30, 0.2),
        outliers=(),
        n_images=30,
        orientation=(),
        coverage=(),
        reasons=(),
    )
    return probe_spatial_result(found, MADE, "by hand")


def temporal() -> CalibrationResult:
    return CalibrationResult(
        kind="probe_temporal",
        subject="probe_9l",
        made=MADE,
        method="by hand",
        numbers={"lag_ms": 1e3 * LAG_S, "lag_sd_ms": 1.0},
        n_used=40,
        expected_error=ExpectedError(value=1.0, unit="ms", at="the lag"),
        verdict=ACCEPTED,
    )


def room(folder: Path, *results: CalibrationResult, calibration: str = 'calibration = "probe_9l"') -> Path:
    """A room file whose rack keeps the results."""
    for result in results:
        keep(folder / "rack", result)
    path = folder / "or.toml"
    path.write_text(
        f"""rack = "rack"
[devices.camera]
driver = "simulated"
[tools.reference]
device = "camera"
role = "reference"
[tools.probe]
device = "camera"
role = "probe"
{calibration}
"""
    )
    return path
