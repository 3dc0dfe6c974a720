"""A room file with a scanner over OpenIGTLink, and its probe's calibrations."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration.rack import keep
from calibration.result import CalibrationResult
from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.result import ProbeCalibration
from calibration.ultrasound_probe.results import probe_spatial_result
from tests.navigation.commands.ultrasound.results import MADE, temporal
from tests.navigation.ultrasound.live.scanner import COLUMNS_MM, LAG_S, SIZE_PX

ROOM = """rack = "rack"
[ultrasound]
model = "bone"
[devices.plus]
driver = "openigtlink"
host = "127.0.0.1"
port = {port}
rate_hz = 100.0
repeats_are_measured = true
{image}
[tools.reference]
device = "plus"
role = "reference"
id = "ReferenceToTracker"
[tools.probe]
device = "plus"
role = "probe"
id = "ProbeToTracker"
calibration = "probe_9l"
"""


def room(folder: Path, port: int, image: str = 'image = "Image_Reference"') -> Path:
    found = ProbeCalibration(
        image_map=ImageToProbe(COLUMNS_MM, np.diag([1e-8] * 6 + [1e-4] * 3), "probe_9l"),
        method="n_wire",
        image_size_px=SIZE_PX,
        residuals_mm=np.full(30, 0.2),
        outliers=(),
        n_images=30,
        orientation=(),
        coverage=(),
        reasons=(),
    )
    lag = lag_of(1e3 * LAG_S)
    for result in (probe_spatial_result(found, MADE, "by hand"), lag):
        keep(folder / "rack", result)
    folder.mkdir(exist_ok=True)
    path = folder / "or.toml"
    path.write_text(ROOM.format(port=port, image=image))
    return path


def lag_of(lag_ms: float) -> CalibrationResult:
    return temporal().model_copy(update={"numbers": {"lag_ms": lag_ms, "lag_sd_ms": 2.0}})
