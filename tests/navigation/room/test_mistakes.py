"""Each kind of mistake in a room file is told by one sentence: what came, what is allowed, what to do."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from geometry.frames import REFERENCE, STYLUS
from navigation.devices.driver import Driver, Role, RoomFile, Settings, StampClock
from navigation.devices.registry import DRIVERS
from navigation.room.read_room import RoomFileError, read_room
from tests.navigation.devices import scripted
from tests.navigation.devices.scripted import SCRIPTS


class Marker(Settings):
    number: int
    size_mm: float


class LabSettings(Settings):
    host: str = "127.0.0.1"


class LabTool(Settings):
    rom: RoomFile | None = None
    markers: tuple[Marker, ...] = ()


TIP: dict[str, Any] = {
    "format": "surgnav_tip",
    "tool": "stylus",
    "tip_mm": [0, 12, 140],
    "expected_error_rms_mm": 0.2,
    "calibrated": "2026-01-01T10:00:00+01:00",
}
ROOM = f"""
name = "theatre 2"
[ages]
stale_after_ms = 100.0
lost_after_ms = 250.0

[devices.polaris]
driver = "{scripted.NAME}"
clock = "sensor"
host = "10.0.0.7"

[devices.webcam]
driver = "{scripted.NAME}"
clock = "arrival"
latency_ms = 45.0

[devices.webcam.pose]
seen_from = "polaris"
translation_mm = [900.0, 0.0, 50.0]
quaternion_xyzw = [0.0, 0.0, 0.0, 1.0]

[tools.reference]
device = "polaris"
role = "reference"
id = 1

[tools.stylus]
device = "polaris"
role = "stylus"
id = "B"
tip = "tip.json"

[tools.clamp]
device = "webcam"
role = "instrument"
markers = [{{ number = 3, size_mm = 40.0 }}]
"""


@pytest.fixture(autouse=True)
def lab(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(summary="of tests", settings=LabSettings, tool_settings=LabTool, open=SCRIPTS.open)
    monkeypatch.setitem(DRIVERS, scripted.NAME, scripted.__name__)
    monkeypatch.setattr(scripted, "DRIVER", driver)


def mistakes(folder: Path, text: str | bytes, tip: str | None = None) -> tuple[str, ...]:
    (folder / "tip.json").write_text(json.dumps(TIP) if tip is None else tip)
    path = folder / "or.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RoomFileError) as caught:
        read_room(path)
    return tuple(sentence.replace(f"{folder}/", "") for sentence in caught.value.mistakes)


def test_the_room_without_mistakes_is_read_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "tip.json").write_text(json.dumps(TIP))
    path = tmp_path / "or.toml"
    path.write_text(ROOM)
    room = read_room(path)
    assert (room.name, room.stale_after_ms, room.lost_after_ms) == ("theatre 2", 100.0, 250.0)
    polaris, webcam = room.devices
    assert (polaris.stamps.clock, webcam.stamps.latency_ms) == (StampClock.SENSOR, 45.0)
    assert polaris.T_tracker_device is None
    assert webcam.T_tracker_device.translation_mm.tolist() == [900.0, 0.0, 50.0]
    reference, stylus, clamp = room.tools
    assert [tool.id for tool in room.tools] == ["1", "B", "clamp"]
    assert (reference.name, stylus.role, clamp.settings.markers[0].number) == (REFERENCE, Role.STYLUS, 3)
    assert stylus.T_tool_tip.translation_mm.tolist() == TIP["tip_mm"]
    assert (stylus.T_tool_tip.to_frame, stylus.tip_error_rms_mm) == (STYLUS, 0.2)


def test_a_prediction_reaches_no_further_than_poses_are_shown(tmp_path: Path) -> None:
    filtered = 'tip = "tip.json"\n[tools.stylus.filter]\nkind = "constant_velocity"\npredict_ms = 60.0'
    short = ROOM.replace("stale_after_ms = 100.0", "stale_after_ms = 50.0").replace('tip = "tip.json"', filtered)
    assert mistakes(tmp_path, short) == (
        "[tools.stylus.filter] got predict_ms = 60, with stale_after_ms = 50; expected less than the age at which a "
        "pose is stale, in ms. Fix: shorten it.",
    )


KINDS = tomllib.loads(Path(__file__).with_name("mistakes.toml").read_text("utf-8"))["mistake"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["told"][:50])
def test_a_mistake_is_told_by_its_sentence(tmp_path: Path, kind: dict[str, str]) -> None:
    assert kind["there"] in ROOM
    told = mistakes(tmp_path, ROOM.replace(kind["there"], kind["instead"], 1))
    assert kind["told"].replace("{drivers}", ", ".join(DRIVERS)) in told


def test_there_are_enough_kinds() -> None:
    assert len({kind["told"] for kind in KINDS}) == len(KINDS) >= 25


def test_a_divot_is_the_references_and_a_second_reference_has_a_role_of_its_own(tmp_path: Path) -> None:
    with_divot = ROOM.replace('role = "reference"\n', 'role = "reference"\ndivot_mm = [12.0, -20.0, 5.0]\n')
    (tmp_path / "tip.json").write_text(json.dumps(TIP))
    path = tmp_path / "or.toml"
    path.write_text(with_divot.replace('role = "instrument"', 'role = "second_reference"'))
    room = read_room(path)
    assert [tool.divot_mm for tool in room.tools] == [(12.0, -20.0, 5.0), None, None]
    assert [tool.role for tool in room.tools][2] is Role.SECOND_REFERENCE
    elsewhere = mistakes(tmp_path, ROOM.replace('role = "stylus"\n', 'role = "stylus"\ndivot_mm = [1.0, 2.0, 3.0]\n'))
    told = "[tools.stylus] got divot_mm; expected it on the reference only. Fix: move it to [tools.reference]."
    assert elsewhere == (told,)


def test_two_references_or_none_are_told(tmp_path: Path) -> None:
    two = mistakes(tmp_path, ROOM.replace('"instrument"', '"reference"'))
    assert "[tools.clamp] got a reference called 'clamp'; expected the name 'reference', as in every frame. " in two[0]
    assert "the file got 2 references: reference, clamp; expected one reference" in two[1]
    none = mistakes(tmp_path, ROOM.replace("[tools.reference]", "[tools.base]").replace('"reference"', '"instrument"'))
    assert none[0].startswith("the file got no tool with role = 'reference'")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "or.toml got an empty file; expected a text file in TOML, such as 'surgnav room new' writes."),
        (b"\xef\xbb\xbfname = 'x'", "or.toml got a byte order mark at its beginning; expected UTF-8 without one."),
        (b"name = '\xe4'", "or.toml got byte 9, which is not UTF-8; expected UTF-8."),
        (b"#" * 1_000_001, "or.toml got 1,000,001 bytes; expected at most 1,000,000."),
        (b"name = 'x'", "the file got no devices; expected a table [devices.NAME] for each."),
        (b"devices = 4", "the file got devices = 4; expected a table [devices]."),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_room_file_is_told(tmp_path: Path, content: bytes, sentence: str) -> None:
    assert any(told.startswith(sentence) for told in mistakes(tmp_path, content))


def test_a_file_that_is_not_there_and_a_folder_are_told(tmp_path: Path) -> None:
    for path, came in ((tmp_path / "no.toml", "no such file or directory"), (tmp_path, "a folder")):
        with pytest.raises(RoomFileError, match=came):
            read_room(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"tip_mm": [0.0, 0.012, 0.14]},
            "a tip 0.1405 mm from its marker; expected 2 to 2000 mm. Fix: write tip_mm in",
        ),
        ({"tip_mm": [0.0, 140.0]}, "tip_mm"),
        ({"format": "other"}, "format"),
        ({"tip_inch": 3}, "tip_inch"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_tip_that_cannot_be_used_is_a_mistake_of_its_tool(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    (told,) = mistakes(tmp_path, ROOM, json.dumps(TIP | change))
    assert told.startswith("[tools.stylus] got the calibration tip.json")
    assert said in told


def test_all_mistakes_are_told_at_once_and_none_that_follows_from_another(tmp_path: Path) -> None:
    wrong = ROOM.replace('clock = "sensor"', 'clok = "sensor"').replace('"instrument"', '"instument"')
    told = mistakes(tmp_path, wrong.replace("stale_after_ms = 100.0", "stale_after_ms = 0"))
    assert len(told) == 3
