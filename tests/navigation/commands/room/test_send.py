"""A room sent over OpenIGTLink by one program, and received as a room by another."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS, TRACKER
from navigation.clock import MonotonicClock
from navigation.commands.room.send import listen, send_room
from navigation.devices.tracker import Connection, ToolObservation, TrackerFrame, Visibility
from navigation.devices.ultrasound.plus.write import write_transforms
from navigation.errors import DeviceError
from navigation.room.read_room import read_room
from navigation.room.room_tracker import RoomTracker, open_room
from tests.navigation.devices.openigtlink.senders import frame_when, pose

PERIOD_NS = 20_000_000
TOOLS = (REFERENCE, STYLUS)


def recorded(path: Path, count: int) -> list[TrackerFrame]:
    """A recording in which the stylus is hidden in every second frame."""
    frames = []
    for number in range(count):
        tools = {
            tool: ToolObservation(Visibility.VISIBLE, Transform(pose(2 * number + offset), TRACKER, tool))
            for offset, tool in enumerate(TOOLS)
        }
        if number % 2:
            tools[STYLUS] = ToolObservation(Visibility.NO_DATA)
        frames.append(TrackerFrame(number, number * PERIOD_NS + 1_000_000_000, tools))
    write_transforms(path, iter(frames))
    return frames


def sending_room(folder: Path, loop: bool) -> Path:
    path = folder / "sender.toml"
    path.write_text(
        '[devices.recording]\ndriver = "replay"\nfile = "surgery.igs.mha"\n'
        f"loop = {'true' if loop else 'false'}\n" + tools_of("recording", ids=True)
    )
    return path


def receiving_room(folder: Path, port: int) -> Path:
    path = folder / "receiver.toml"
    path.write_text(
        f'[devices.link]\ndriver = "openigtlink"\nhost = "127.0.0.1"\nport = {port}\nrate_hz = 50\n' + tools_of("link")
    )
    return path


def tools_of(device: str, ids: bool = False) -> str:
    lines = [
        f'[tools.{tool}]\ndevice = "{device}"\nrole = "{tool}"\n' + (f'id = "{tool.title()}ToTracker"\n' if ids else "")
        for tool in TOOLS
    ]
    return "\n".join(lines)


class Sending:
    """A room that is being sent, in a thread of its own."""

    def __init__(self, room: Path) -> None:
        self.said: list[str] = []
        self._stop = threading.Event()
        self._server = listen("127.0.0.1", 0)
        self.port: int = self._server.getsockname()[1]
        arguments = (read_room(room), self._server, MonotonicClock(), time.time_ns, self.said.append, self._stop.is_set)
        self.thread = threading.Thread(target=send_room, args=arguments)

    def __enter__(self) -> "Sending":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.thread.join(60.0)
        self._server.close()


def receiver(folder: Path, port: int) -> RoomTracker:
    tracker = open_room(read_room(receiving_room(folder, port)).devices, MonotonicClock())
    tracker.start()
    return tracker


def test_what_one_room_sends_another_sees_with_its_states(tmp_path: Path) -> None:
    frames = recorded(tmp_path / "surgery.igs.mha", 60)
    with Sending(sending_room(tmp_path, loop=True)) as sending:
        tracker = receiver(tmp_path, sending.port)
        try:
            seen = frame_when(tracker, lambda frame: frame.tools[STYLUS].visibility is Visibility.VISIBLE)
            stylus = seen.tools[STYLUS].T_tracker_tool
            assert stylus is not None
            sent = [frame.tools[STYLUS].T_tracker_tool for frame in frames]
            nearest_mm = min(np.abs(stylus.matrix - each.matrix).max() for each in sent if each is not None)
            assert nearest_mm < 1e-3, "the recording has six decimals, and the wire single precision"
            hidden = frame_when(tracker, lambda frame: frame.tools[STYLUS].reason.endswith("INVALID"))
            assert hidden.tools[STYLUS].reason == "the device says INVALID"
        finally:
            tracker.stop()
        again = receiver(tmp_path, sending.port)
        try:
            frame_when(again, lambda frame: frame.tools[REFERENCE].visibility is Visibility.VISIBLE)
        finally:
            again.stop()
    assert [line.split(" ", 1)[1] for line in sending.said[:3]] == ["listens", "has left", "listens"]


def test_a_recording_that_has_ended_ends_the_sending(tmp_path: Path) -> None:
    recorded(tmp_path / "surgery.igs.mha", 10)
    with Sending(sending_room(tmp_path, loop=False)) as sending:
        tracker = receiver(tmp_path, sending.port)
        try:
            sending.thread.join(60.0)
            assert not sending.thread.is_alive()
            assert sending.said[-1].endswith("has all of the recording")
            deadline = time.monotonic() + 60.0
            while tracker.state.connection is Connection.CONNECTED and time.monotonic() < deadline:
                time.sleep(0.02)
            assert tracker.state.connection is not Connection.CONNECTED
        finally:
            tracker.stop()


def test_a_port_that_is_taken_is_an_error_in_words() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(DeviceError, match="address already in use"):
        listen("127.0.0.1", taken.getsockname()[1])
