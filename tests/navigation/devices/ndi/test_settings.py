"""Mistakes of a room with an NDI device are sentences, before anything is opened; a right one opens with its driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from navigation.clock import MonotonicClock
from navigation.devices.ndi.settings import NdiSettings, NdiTool
from navigation.devices.tracker import Visibility
from navigation.errors import RoomError
from navigation.room.read_room import read_room
from navigation.room.room_tracker import open_room
from tests.navigation.devices.ndi.lab import rom_bytes

TOOL = """
[tools.reference]
device = "polaris"
role = "reference"
rom = "1.rom"
"""
OTHER = """
[tools.stylus]
device = "polaris"
role = "stylus"
"""
HOST = 'host = "127.0.0.1"\n'


def room(folder: Path, keys: str, tools: str = TOOL) -> Path:
    (folder / "1.rom").write_bytes(rom_bytes(1))
    (folder / "2.rom").write_bytes(rom_bytes(2))
    (folder / "10.rom").write_bytes(rom_bytes(10))
    (folder / "broken.rom").write_bytes(rom_bytes(3)[:-1] + b"\x01")
    path = folder / "or.toml"
    path.write_text(f'[devices.polaris]\ndriver = "ndi"\n{keys}{tools}')
    return path


@pytest.mark.parametrize(
    ("keys", "tools", "sentence"),
    [
        ("", TOOL, "[devices.polaris] got neither serial_port nor host; expected one of them"),
        (
            HOST + 'serial_port = "COM3"\n',
            TOOL,
            "got both serial_port and host; expected one of them",
        ),
        (
            'serial_port = "COM3"\nbaud = 12000\n',
            TOOL,
            "got baud = 12000; expected one of 9600, 14400,",
        ),
        (HOST + "tcp_port = 1\n", TOOL, "unknown key 'tcp_port'"),
        (HOST + "port = 0\n", TOOL, "port = 0"),
        (HOST, TOOL + OTHER, "[tools.stylus] got neither rom nor port; expected a .rom file for a passive tool"),
        (HOST, TOOL + OTHER + 'rom = "1.rom"\n', "[tools.stylus] got the geometry of another tool"),
        (
            HOST,
            TOOL + OTHER + 'rom = "10.rom"\n',
            "[tools.stylus] got markers as far apart as those of reference",
        ),
        (HOST, TOOL.replace('rom = "1.rom"', "port = 1") + OTHER + "port = 1\n", "got the port and channel of another"),
        (HOST, TOOL + OTHER + 'rom = "away.rom"\n', "away.rom, which is not there"),
        (
            HOST,
            TOOL + OTHER + 'rom = "broken.rom"\n',
            "[tools.stylus] got the tool geometry broken.rom, whose",
        ),
    ],
)
def test_mistakes_are_sentences(tmp_path: Path, keys: str, tools: str, sentence: str):
    with pytest.raises(RoomError) as caught:
        read_room(room(tmp_path, keys, tools))
    assert sentence in str(caught.value)


def test_a_room_with_an_ndi_device_opens_and_tracks(network, tmp_path: Path):
    keys = f"{HOST}port = {network.address}\n"
    read = read_room(room(tmp_path, keys, TOOL + OTHER + 'rom = "2.rom"\n'))
    [device] = read.devices
    assert device.settings == NdiSettings(host="127.0.0.1", port=int(network.address))
    assert [tool.settings for tool in device.tools] == [NdiTool(rom=tmp_path / f"{number}.rom") for number in (1, 2)]
    tracker = open_room(read.devices, MonotonicClock())
    tracker.start()
    try:
        while (frame := tracker.next_frame(30_000_000_000)) is not None:
            if all(seen.visibility is Visibility.VISIBLE for seen in frame.tools.values()):
                break
        assert frame is not None
    finally:
        tracker.stop()
