"""``surgnav calibrate headset --room`` whole: a headset in another process, at the real control socket."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from calibration.rack import in_force
from tests.calibration.headset.harness import SHOWN_MM
from tests.conftest import REPOSITORY
from tests.navigation.commands.calibrate.harness import run
from tests.navigation.commands.calibrate.headset.touching_headset import NAME, TIP_STYLUS_MM, TRUE
from tests.navigation.devices.headset.harness import free_port

PATIENCE_S = 60.0
ROOM = """
name = "theatre 3"
rack = "rack"
[devices.plus]
driver = "openigtlink"
host = "127.0.0.1"
port = {tracker}
rate_hz = 50
[devices.hololens]
driver = "headset"
port = {control}
reference = "Cube"
[tools.reference]
device = "plus"
role = "reference"
id = "ReferenceToTracker"
[tools.stylus]
device = "plus"
role = "stylus"
id = "StylusToTracker"
tip = "tip.json"
[tools.driver]
device = "hololens"
role = "instrument"
"""
TIP = (
    '{{"format": "surgnav_tip", "tool": "stylus", "tip_mm": {tip}, "expected_error_rms_mm": 0.2, '
    '"calibrated": "2026-11-27T02:00:00+00:00"}}'
)


def test_six_points_that_a_headset_shows_are_touched_and_the_tracker_is_found_in_its_world(tmp_path: Path):
    control, ready = free_port(), tmp_path / "port"
    module = "tests.navigation.commands.calibrate.headset.touching_headset"
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(control), str(ready)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        (tmp_path / "tip.json").write_text(TIP.format(tip=TIP_STYLUS_MM.tolist()))
        (tmp_path / "or.toml").write_text(ROOM.format(tracker=int(ready.read_text()), control=control))
        code, said = run("headset", "--room", tmp_path / "or.toml", "--name", "hololens")
        told = process.communicate(timeout=PATIENCE_S)[0].splitlines()
    finally:
        process.kill()
    assert code == 0, said
    assert "waits for 'hololens' at tcp://" in said
    assert "100% covered; 95 of 100 times within" in said
    assert told[0].startswith("moving ")
    assert "a tip that moved by" in told[0]
    assert [line.split()[0] for line in told[1:]] == ["1", "2", "3", "4", "5", "6"]
    assert told[-1].endswith("point 6 is kept; 6 so far")
    result = in_force(tmp_path / "rack", NAME, "headset_to_tracker")
    found = result.transform("headset", "tracker")
    middle_mm = TRUE.inverse().apply(SHOWN_MM.mean(axis=0))
    error_mm = float(np.linalg.norm(found.apply(middle_mm) - SHOWN_MM.mean(axis=0)))
    assert error_mm < result.numbers["expected_error_p95_mm"]
    assert result.inputs[0].name == "theatre 3"


def test_a_headset_that_never_comes_leaves_a_refusal_that_says_how_many_points_were_touched(tmp_path: Path):
    (tmp_path / "tip.json").write_text(TIP.format(tip=TIP_STYLUS_MM.tolist()))
    (tmp_path / "or.toml").write_text(ROOM.format(tracker=free_port(), control=free_port()))
    code, said = run("headset", "--room", tmp_path / "or.toml", "--name", "hololens", "--seconds", 1.0)
    assert code == 2, said
    assert "kept as" in said
    assert "touched" in said
