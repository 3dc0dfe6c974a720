"""The pivot of a session of registration goes into the room's rack, as that of ``surgnav calibrate pivot``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np

from calibration.rack import in_force
from tests.navigation.commands.register.harness import TIME, live, make_case, truth


def test_a_session_s_pivot_is_in_the_rack(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", {})
    room = tmp_path / "or.toml"
    shipped = (files("navigation.room.shipped") / "simulated.toml").read_text()
    room.write_text(f'rack = "rack"\n{shipped}')
    _, said = live(case, "q", tracker=None, room=room)
    result = in_force(tmp_path / "rack", "stylus", "pivot")
    assert f"tip known to {result.expected_error.value:.2f} mm RMS" in said
    assert (result.made, result.inputs[0].name) == (TIME, "simulated tracker")
    off = result.transform("stylus", "stylus_tip").translation_mm - truth(case).room.tip_stylus_mm
    # The simulated tracker's error changes with the tilt, which no residual shows: what a registration allows for it.
    assert np.linalg.norm(off) < 0.25
