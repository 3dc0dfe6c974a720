"""``surgnav serve`` of a room with live ultrasound over OpenIGTLink: placed in the patient, or said why not."""

from __future__ import annotations

import json
import signal
from contextlib import closing
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from calibration.rack import keep
from calibration.result import CalibrationResult
from calibration.ultrasound_probe.image_map import ImageToProbe
from calibration.ultrasound_probe.result import ProbeCalibration
from calibration.ultrasound_probe.results import probe_spatial_result
from navigation.cli import app
from tests.navigation.commands import serving as driven
from tests.navigation.commands.serving import PATIENCE_S, serving
from tests.navigation.commands.ultrasound.results import MADE, temporal
from tests.navigation.ultrasound.live.scanner import COLUMNS_MM, LAG_S, SIZE_PX, Scanner, film

case = driven.case
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
    path = folder / "or.toml"
    path.write_text(ROOM.format(port=port, image=image))
    return path


def lag_of(lag_ms: float) -> CalibrationResult:
    return temporal().model_copy(update={"numbers": {"lag_ms": lag_ms, "lag_sd_ms": 2.0}})


def test_it_is_placed_in_the_patient_and_said_where_it_is_not(case: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with closing(Scanner(film())) as scanner:
        asked = ("--room", str(room(tmp_path, scanner.port)), "--no-record", "--log", str(log))
        with serving(case, *asked) as screen:
            screen.wait_for(r"probe: calibrated 2026-11-20.*lag -60\.0 ms")
            screen.wait_for("ultrasound usable, placed in ct")
            screen.wait_for("ultrasound moves with the probe sideways")
            scanner.pull_cable()
            screen.wait_for("ultrasound (ended|silent): .*it is opened again")
            scanner.plug_in()
            screen.said = ""
            screen.wait_for("ultrasound usable, placed in ct")
            screen.program.send_signal(signal.SIGINT)
            assert screen.program.wait(PATIENCE_S) == 0
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    told = [line for line in lines if line["event"] == "ultrasound"]
    assert {line["placing"] for line in told} >= {"valid"}
    assert any(line["state"] == "usable" and line["placing"] == "valid" for line in told)


def test_a_room_without_images_is_refused_before_anything_runs(case: Path, tmp_path: Path) -> None:
    asked = ["serve", str(case), "--room", str(room(tmp_path, 1, image="")), "--ports", "0", "0", "0"]
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 1
    assert "with no sources of ultrasound among plus" in " ".join(refused.output.split())
