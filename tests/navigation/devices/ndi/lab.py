"""The fake NDI device as a process beside a test, and a room's device that leads to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from navigation.clock import MonotonicClock
from navigation.devices.driver import Device, Role, StampClock, Stamps, Tool
from navigation.devices.ndi.connection import NdiConnection
from navigation.devices.ndi.settings import NdiSettings, NdiTool
from navigation.devices.reader import BackOff, ReaderTracker

ROOT = Path(__file__).parents[4]
FRAME_HZ = 60.0
# Half a step of float32 below 2048 mm, and of the decimals that ASCII has.
BX_MM, TX_MM, TX_QUATERNION = 0.5 * 2.0**-13, 0.0051, 0.000051


class Fake:
    """The process, told what to do by `tell`."""

    def __init__(self, kind: str, address: str) -> None:
        self.kind = kind
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.navigation.devices.ndi.fake_process", kind, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        self.address = self._process.stdout.readline().strip()
        assert self.address

    def tell(self, **order: object) -> None:
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def settings(self, **changed: object) -> NdiSettings:
        network = self.kind == "network"
        where = {"host": "127.0.0.1", "port": int(self.address)} if network else {"serial_port": self.address}
        return NdiSettings(**{"reply_s": 20.0} | where | changed)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def rom_bytes(number: int, markers: int = 4) -> bytes:
    """A tool geometry made here, as those of NDI are laid out; 1 and 10 differ in their part number alone."""
    import struct

    content = bytearray(752)
    content[:4], content[28] = b"NDI\0", markers
    step_mm = 25.0 + 2.0 * (number % 9)
    for marker in range(markers):
        struct.pack_into("<3f", content, 72 + 12 * marker, 0.0, step_mm * marker, 10.0 * marker * marker)
    content[592:600] = f"{number:<8d}".replace(" ", "\0").encode()
    struct.pack_into("<H", content, 4, sum(content[6:]) & 0xFFFF)
    return bytes(content)


def passive(folder: Path, *numbers: int) -> tuple[Tool, ...]:
    """Tools with geometries made here; the first is the reference."""
    tools = []
    for place, number in enumerate(numbers):
        (folder / f"{number}.rom").write_bytes(rom_bytes(number))
        role, name = (Role.INSTRUMENT, f"tool_{number}") if place else (Role.REFERENCE, "reference")
        tools.append(Tool(name=name, role=role, id=name, settings=NdiTool(rom=folder / f"{number}.rom")))
    return tuple(tools)


def device(settings: NdiSettings, *tools: Tool) -> Device:
    return Device(name="ndi", driver="ndi", settings=settings, stamps=Stamps(StampClock.SENSOR), tools=tools)


def tracker(of: Device) -> ReaderTracker:
    """As the driver opens it, with shorter pauses between attempts."""
    clock = MonotonicClock()
    return ReaderTracker(of, lambda: NdiConnection(of, clock), FRAME_HZ, clock, BackOff(0.02, 0.1))
