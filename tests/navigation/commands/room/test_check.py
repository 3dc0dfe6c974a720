"""``surgnav room check``: mistakes, devices that are there, and devices that are not."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from geometry.errors import SurgNavError
from geometry.extras import MissingExtraError
from geometry.frames import REFERENCE, STYLUS
from navigation.cli import app
from navigation.devices.reader import Received
from navigation.devices.registry import DRIVERS
from navigation.devices.tracker import ToolObservation, Visibility
from navigation.room.opening import SHIPPED
from tests.navigation.devices import scripted
from tests.navigation.devices.scripted import SCRIPTS, Script, seen
from tests.navigation.live.racked import MADE, racked, room_file

ROOM = f"""
[devices.camera]
driver = "{scripted.NAME}"
clock = "arrival"
latency_ms = 0.0

[tools.reference]
device = "camera"
role = "reference"

[tools.stylus]
device = "camera"
role = "stylus"
id = "tool [7]"
"""


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    monkeypatch.setitem(DRIVERS, scripted.NAME, scripted.__name__)
    monkeypatch.setitem(SCRIPTS, "camera", script := Script())
    return script


def check(path: Path, code: int, seconds: str = "60") -> str:
    result = CliRunner().invoke(app, ["room", "check", str(path), "--seconds", seconds], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def room(tmp_path: Path) -> Path:
    path = tmp_path / "or.toml"
    path.write_text(ROOM)
    return path


def test_the_room_that_ships_is_there_and_said_to_be_simulated() -> None:
    said = check(Path(f"navigation/room/shipped/{SHIPPED[0]}.toml"), 0)
    assert "camera_1 is simulated" in said
    assert said.count("│ yes") == 5


def test_tools_that_were_seen_end_the_wait(script: Script, room: Path) -> None:
    hidden = ToolObservation(Visibility.OCCLUDED)
    script.messages.put([Received({REFERENCE: seen(REFERENCE), STYLUS: hidden})])
    script.messages.put([Received({STYLUS: seen(STYLUS)})])
    said = check(room, 0)
    assert said.count("│ yes") == 2
    assert "tool [7]" in said, "text of the file is no markup"
    assert script.closed == 1


def test_a_hidden_tool_is_no_fault_but_one_that_the_device_does_not_have_is(script: Script, room: Path) -> None:
    script.messages.put([Received({REFERENCE: seen(REFERENCE), STYLUS: ToolObservation(Visibility.OCCLUDED)})])
    assert "no: occluded" in check(room, 0, "1")
    script.messages.put([Received({REFERENCE: seen(REFERENCE)})])
    assert "said nothing of this tool" in check(room, 3, "1")


def test_a_device_that_is_not_there_is_told_with_its_reason(script: Script, room: Path) -> None:
    script.refusals = [ConnectionRefusedError(111, "Connection refused")] * 100
    said = check(room, 3, "0.2")
    assert "gone: connection refused; tried again in" in said
    assert "nothing came of it" in said


def test_a_silent_device_is_told_apart_from_one_that_is_gone(script: Script, room: Path) -> None:
    assert "connected, but no frame came" in check(room, 3, "0.3")


def test_a_driver_without_its_packages_is_told_and_not_waited_for(
    script: Script, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise MissingExtraError("no package ndi", "the extra ndi", "pip install 'surgnav[ndi]'")

    monkeypatch.setattr("navigation.commands.room.check.open_device", refuse)
    said = check(room, 3)
    assert "cannot be opened: no package ndi" in said
    assert "surgnav[ndi]" in said
    assert issubclass(MissingExtraError, SurgNavError)


def test_mistakes_are_listed_and_nothing_is_opened(script: Script, room: Path) -> None:
    room.write_text(ROOM.replace("latency_ms", "latency_s").replace("stylus", "stylo"))
    result = CliRunner().invoke(app, ["room", "check", str(room)], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert "latency_ms" in result.stderr
    assert "stylo" in result.stderr
    assert script.opened == 0


def test_what_a_headset_that_only_shows_is_calibrated_by(tmp_path: Path) -> None:
    path = room_file(tmp_path, "HoloLens 2")
    said = check(path, 3, "0.5")  # the headset is not there
    assert "'hololens' shows no overlay: no accepted calibration of 'hololens' in rack" in said
    racked(tmp_path / "rack")
    assert f"'hololens' has a calibration of {MADE}" in check(path, 3, "0.5")
