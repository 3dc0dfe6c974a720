"""The room file in the documents is a room, and the driver in them is a driver."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geometry.frames import STYLUS
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.devices.driver import Device, NoSettings, Role, StampClock, Stamps, Tool, ToolFilter
from navigation.room.read_room import room_in
from tests.conftest import REPOSITORY
from tests.repository.markdown import blocks_of

PAGE = REPOSITORY / "docs" / "navigation" / "rooms.md"
TIP = {"format": "surgnav_tip", "tool": STYLUS, "tip_mm": [0, 12, 140], "expected_error_rms_mm": 0.2, "calibrated": "-"}
PATIENCE_NS = 60 * NS_PER_S


def blocks(language: str) -> list[str]:
    return [each.text for each in blocks_of("rooms.md", PAGE.read_text("utf-8")) if each.language == language]


def test_the_room_file_of_the_page_is_one(tmp_path: Path) -> None:
    (tmp_path / "stylus_tip.json").write_text(json.dumps(TIP))
    whole, filtered, noise = blocks("toml")
    for text in (whole, whole + noise.replace("polaris", "plus"), whole + filtered):
        room = room_in(text.encode(), tmp_path / "or.toml")
    assert [tool.id for tool in room.tools] == ["ReferenceToTracker", "StylusToTracker"]
    assert room.tools[1].T_tool_tip is not None
    assert room.tools[1].filter == ToolFilter(kind="constant_velocity", predict_ms=30.0)


@pytest.fixture
def driver() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "lines"}
    exec(compile(*blocks("python"), "<rooms.md>", "exec"), names)
    return names


def test_the_driver_of_the_page_receives_and_connects_again(driver: dict[str, Any]) -> None:
    tool = Tool(name=STYLUS, role=Role.STYLUS, id="T7", settings=NoSettings())
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = driver["LinesSettings"](host="127.0.0.1", port=server.getsockname()[1])
        lines = Device(name="l", driver="lines", settings=settings, stamps=Stamps(StampClock.SENSOR), tools=(tool,))
        tracker = driver["DRIVER"].open(lines, MonotonicClock())
        tracker.start()
        try:
            for number, said in ((1, b"1 10 T7 1 2 1000\n1 10 T8 5 5 5\n2 "), (2, b"1 10 T7 3 2 1000\n")):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(said)
                    frame = tracker.next_frame(PATIENCE_NS)
                expected_mm = [2.0 * number - 1.0, 2.0, 1000.0]
                np.testing.assert_array_equal(frame.tools[STYLUS].T_tracker_tool.translation_mm, expected_mm)
        finally:
            tracker.stop()
