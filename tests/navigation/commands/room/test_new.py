"""``surgnav room new``: what it writes is a room, explains each key, and never replaces a file."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from navigation.cli import app
from navigation.devices.driver import Driver, RoomFile, Settings, StampClock
from navigation.devices.registry import DRIVERS, driver_of
from navigation.room.read_room import read_room
from navigation.room.room_file import DeviceKeys, DevicePose, ToolKeys
from navigation.room.write_room import explained, toml
from tests.navigation.devices import scripted
from tests.navigation.devices.scripted import SCRIPTS


class LabSettings(Settings):
    """Of a device of these tests.

    Attributes:
        host: where it is.
        port: on which port, a number
            that goes on in a second line.
    """

    host: str
    port: int = 18944


class LabTool(Settings):
    """Of a tool of these tests.

    Attributes:
        rom: its geometry.
    """

    rom: RoomFile


@pytest.fixture(autouse=True)
def lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    driver = Driver(summary="of tests", settings=LabSettings, tool_settings=LabTool, open=SCRIPTS.open)
    monkeypatch.setitem(DRIVERS, scripted.NAME, scripted.__name__)
    monkeypatch.setattr(scripted, "DRIVER", driver)
    (tmp_path / "8700339.rom").write_text("geometry")
    return tmp_path / "or.toml"


def new(path: Path, *options: str, answers: str = "", code: int = 0) -> str:
    result = CliRunner().invoke(app, ["room", "new", str(path), *options], input=answers, env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output + result.stderr
    return result.output + result.stderr


def test_options_write_a_room_that_can_be_read_with_each_key_explained(lab: Path) -> None:
    given = ("--set", "polaris.host=10.0.0.7", "--set", "polaris.clock=arrival", "--set", "polaris.latency_ms=45")
    tools = ("--tool", "reference=polaris", "--tool", "stylus=polaris", "--tool", "clamp=polaris")
    roms = [part for name in ("reference", "stylus", "clamp") for part in ("--set", f"{name}.rom=8700339.rom")]
    said = new(lab, "--device", f"polaris={scripted.NAME}", *tools, *given, *roms, "--set", "stylus.id=3")
    assert "3 tools" in said
    room = read_room(lab)
    (polaris,) = room.devices
    assert polaris.settings == LabSettings(host="10.0.0.7")
    assert (polaris.stamps.clock, polaris.stamps.latency_ms) == (StampClock.ARRIVAL, 45.0)
    assert [(tool.name, tool.role.value, tool.id) for tool in room.tools] == [
        ("reference", "reference", "reference"),
        ("stylus", "stylus", "3"),
        ("clamp", "instrument", "clamp"),
    ]
    text = lab.read_text()
    assert "# on which port, a number that goes on in a second line.\n# port = 18944\n" in text
    assert "# its geometry.\nrom = " in text


def test_a_person_is_asked_again_after_a_wrong_answer_and_enter_keeps_what_is_usual(lab: Path) -> None:
    answers = [
        *("theatre 2", "", "polarys", scripted.NAME, "", "10.0.0.7", "many", "", "", ""),
        *("", "", "", "no.rom", "8700339.rom"),  # reference: name, id, tip, rom
        *("", "B", "", "8700339.rom"),  # stylus
        "",
        *("y", "webcam", scripted.NAME, "10.0.0.8", "", "arrival", "-3", "45"),
        *("[900, 0, 50]", "[0, 0, 0, 1]"),
        *("pen", "", "", "", "8700339.rom"),
        *("", "n"),
    ]
    said = new(lab, answers="\n".join(answers) + "\n")
    assert "one of simulated" in said
    assert "valid integer" in said
    assert "no.rom" in said
    assert "greater than or equal to 0" in said
    room = read_room(lab)
    first, second = room.devices
    assert (room.name, first.name) == ("theatre 2", "device_1")
    assert first.settings == LabSettings(host="10.0.0.7")
    assert (first.stamps.clock, second.stamps.latency_ms) == (StampClock.SENSOR, 45.0)
    assert second.T_tracker_device.translation_mm.tolist() == [900.0, 0.0, 50.0]
    assert [(tool.name, tool.id) for tool in room.tools] == [
        ("reference", "reference"),
        ("stylus", "B"),
        ("pen", "pen"),
    ]


def test_what_is_there_is_not_replaced(lab: Path) -> None:
    lab.write_text("mine")
    assert "exists already" in new(lab, "--device", "camera=simulated", code=1)
    assert lab.read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--device", "cam=simulatd", "--tool", "reference=cam"), "write 'simulated'"),
        (("--device", "cam=simulated", "--tool", "reference=cam", "--set", "cam.sead=4"), "write 'seed'"),
        (("--device", "cam=simulated", "--tool", "reference=cam", "--set", "cam.seed=x"), "valid integer"),
        (("--device", "cam=simulated", "--tool", "stylus=cam"), "one reference"),
        (("--device", "cam=simulated", "--set", "can.seed=4"), "one of cam"),
        (("--device", "cam"), "NAME=DRIVER"),
        (("--tool", "reference=cam"), "--device NAME=DRIVER"),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_what_is_no_room_is_told_and_nothing_is_written(lab: Path, options: tuple[str, ...], said: str) -> None:
    assert said in new(lab, *options, code=1)
    assert not lab.exists()


def test_who_breaks_off_has_written_nothing(lab: Path) -> None:
    new(lab, answers="theatre\n", code=1)
    assert not lab.exists()


def test_every_key_of_every_driver_is_explained() -> None:
    models = [DeviceKeys, DevicePose, ToolKeys]
    models += [model for name in DRIVERS for model in (driver_of(name).settings, driver_of(name).tool_settings)]
    for model in models:
        assert set(explained(model)) >= set(model.model_fields), model


@pytest.mark.parametrize("value", ['a "b" \\ ä\n', 3, 0.1, True, [1.0, 2.0], {"a": [{"b": "c"}]}, []], ids=repr)
def test_values_are_read_as_they_were_written(value: Any) -> None:
    assert tomllib.loads(f"value = {toml(value)}")["value"] == value
    assert json.dumps(value)
