"""Tools of a room by their calibrations in its rack."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from calibration.rack import keep
from calibration.result import CalibratedTransform, CalibrationResult, ExpectedError
from geometry import Transform
from navigation.cli import app
from navigation.room.read_room import RoomFileError, read_room

ROOM = """
rack = "rack"
[devices.camera]
driver = "simulated"
[tools.reference]
device = "camera"
role = "reference"
[tools.stylus]
device = "camera"
role = "stylus"
calibration = "pointer_7"
[tools.probe]
device = "camera"
role = "probe"
"""


def made(day: int, tip_mm: list[float], **changes: object) -> CalibrationResult:
    turn, unit = Rotation.from_rotvec(changes.pop("turn", [0.0, 0.0, 0.0])), str(changes.pop("unit", "mm"))
    tip = Transform.from_rotation(turn, tip_mm, "pointer_7", "pointer_7_tip")
    values = {
        "kind": "pivot",
        "subject": "pointer_7",
        "made": f"2026-11-{day:02d}T10:00:00+00:00",
        "method": "by hand",
        "transforms": (CalibratedTransform.of(tip),),
        "n_used": 100,
        "expected_error": ExpectedError(value=0.01 * day, unit=unit, at="pointer_7_tip"),
        "verdict": "accepted",
        **changes,
    }
    return CalibrationResult(**values)


@pytest.fixture
def room(tmp_path: Path) -> Path:
    path = tmp_path / "or.toml"
    path.write_text(ROOM)
    return path


def told(room: Path) -> str:
    with pytest.raises(RoomFileError) as refused:
        read_room(room)
    (sentence,) = refused.value.mistakes
    return sentence


def test_the_newest_accepted_tip_is_in_force(room: Path):
    rack = room.parent / "rack"
    keep(rack, made(21, [0.0, 1.0, 140.0]))
    keep(rack, made(20, [0.0, 2.0, 140.0]))
    keep(rack, made(22, [0.0, 3.0, 140.0], verdict="refused", reasons=("the tip slipped",)))
    stylus = next(tool for tool in read_room(room).tools if tool.name == "stylus")
    assert (stylus.T_tool_tip.to_frame, stylus.T_tool_tip.from_frame) == ("stylus", "stylus_tip")
    assert stylus.T_tool_tip.translation_mm.tolist() == [0.0, 1.0, 140.0]
    assert (stylus.tip_error_rms_mm, stylus.tip_calibrated) == (0.21, "2026-11-21T10:00:00+00:00")
    assert [result.kind for result in stylus.calibrations] == ["pivot"]
    assert read_room(room).rack == rack


def test_a_spin_turns_the_tip_and_a_newer_pivot_moves_it(room: Path):
    """A spin's error is an angle, and never that of the tip's position."""
    rack, turn = room.parent / "rack", [0.0, 0.3, 0.0]
    keep(rack, made(20, [0.0, 2.0, 140.0]))
    keep(rack, made(21, [0.0, 2.0, 140.0], kind="spin", turn=turn, unit="deg"))
    keep(rack, made(22, [0.0, 3.0, 140.0]))
    stylus = next(tool for tool in read_room(room).tools if tool.name == "stylus")
    np.testing.assert_allclose(stylus.T_tool_tip.rotation.as_rotvec(), turn, atol=1e-12)
    assert stylus.T_tool_tip.translation_mm.tolist() == [0.0, 3.0, 140.0]
    assert stylus.tip_error_rms_mm == pytest.approx(0.22)


def test_a_tool_without_its_calibration_is_a_mistake_but_not_for_who_calibrates_it(room: Path):
    expected = (
        "one in rack, which has nothing yet. Fix: calibrate it: surgnav calibrate pivot --room or.toml --tool sty"
    )
    assert expected in told(room)
    rack = room.parent / "rack"
    keep(rack, made(20, [0.0, 2.0, 140.0], verdict="refused", reasons=("the tip slipped",)))
    assert 'calibration = "pointer_7", without an accepted tip in the rack' in told(room)
    stylus = next(tool for tool in read_room(room, calibrating=True).tools if tool.name == "stylus")
    assert (stylus.T_tool_tip, stylus.rack_name) == (None, "pointer_7")


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        ('"pointr_7"', "Fix: write 'pointer_7'."),
        ('"../rack/pointer_7"', "Fix: write the name that it was calibrated under."),
    ],
)
def test_a_wrong_name_is_told(room: Path, instead: str, said: str):
    keep(room.parent / "rack", made(20, [0.0, 2.0, 140.0]))
    room.write_text(ROOM.replace('"pointer_7"', instead))
    assert said in told(room)


def test_a_damaged_result_is_told_even_to_who_calibrates(room: Path):
    path = keep(room.parent / "rack", made(20, [0.0, 2.0, 140.0]))
    os.truncate(path, 50)
    assert "[tools.stylus] got the calibration 2026-11-20T100000Z.json with" in told(room)
    with pytest.raises(RoomFileError):
        read_room(room, calibrating=True)


def test_a_probe_may_have_calibrations_without_a_tip(room: Path):
    keep(room.parent / "rack", made(20, [0.0, 2.0, 140.0]))
    number = {"time_offset_ms": -64.8}
    error = ExpectedError(value=0.5, unit="ms", at="the offset")
    lag = made(21, [0.0] * 3, kind="probe_temporal", subject="probe", transforms=(), numbers=number)
    keep(room.parent / "rack", lag.model_copy(update={"expected_error": error}))
    room.write_text(ROOM + 'calibration = "probe"\n')
    probe = next(tool for tool in read_room(room).tools if tool.name == "probe")
    assert (probe.T_tool_tip, probe.calibrations[0].numbers) == (None, number)


def test_the_room_s_check_says_how_old_it_is_and_calibrating_goes_into_the_rack(room: Path):
    code = CliRunner().invoke(app, ["calibrate", "pivot", "--room", str(room)]).exit_code
    assert code == 0
    assert len(list((room.parent / "rack" / "pointer_7" / "pivot").iterdir())) == 1
    said = CliRunner().invoke(app, ["room", "check", str(room), "--seconds", "60"], env={"COLUMNS": "200"}).output
    assert "pivot just now, 0." in said
