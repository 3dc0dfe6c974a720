"""``surgnav serve`` of a case in a simulated room whose probe scans the case's own patient."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.navigation.commands.serving import PATIENCE_S, serving
from tests.navigation.commands.ultrasound.simulated_patient_room import ROOM
from tests.navigation.simulation.ultrasound.phantom_case import phantom_case


def test_the_cases_patient_is_scanned_placed_and_its_error_known(tmp_path: Path) -> None:
    case, _ = phantom_case(tmp_path / "case")
    (tmp_path / "or.toml").write_text(ROOM, "utf-8")
    with serving(case, "--room", str(tmp_path / "or.toml"), "--no-record") as screen:
        screen.wait_for(r"probe: calibrated .*, just now, 0\.\d\d mm RMS; lag -(3|4)\d\.\d ms")
        screen.wait_for(r"ultrasound usable, placed in reference, 95 of 100 within [0-2]\.\d mm")
        screen.program.send_signal(signal.SIGINT)
        assert screen.program.wait(PATIENCE_S) == 0
