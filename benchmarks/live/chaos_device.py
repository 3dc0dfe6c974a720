"""A device over a network for `bench_chaos.py`: the simulated room in a process of its own, and a link that can fail.

The service connects to the link, not to the device. The link forwards what the device sends over OpenIGTLink; it can be
cut and refuse, hold everything back, send garbage, or shift the stamps of all messages, as a device whose clock jumps.
"""

from __future__ import annotations

import multiprocessing
import socket
import struct
import threading
import time
from contextlib import suppress

from navigation.clock import MonotonicClock
from navigation.commands.room.send import listen, send_room
from navigation.devices.driver import Device, StampClock, Stamps, Tool
from navigation.devices.openigtlink.settings import LinkSettings
from navigation.room.room import Room

RATE_HZ = 100.0
_HEADER = struct.Struct(">H12s20sQQQ")  # version, type, device, stamp (32.32 s), body bytes, CRC of the body
_FRACTION = 1 << 32
_LOOK_S = 0.02


def linked_device(simulated: Device, port: int) -> Device:
    """The same tools as a service sees them over the link; their stamps are of the device's own clock."""
    tools = tuple(Tool(name=tool.name, role=tool.role, id=tool.name, settings=None) for tool in simulated.tools)
    settings = LinkSettings(host="127.0.0.1", port=port, rate_hz=RATE_HZ)
    return Device(name="linked", driver="openigtlink", settings=settings, stamps=Stamps(StampClock.SENSOR), tools=tools)


def run_device(simulated: Device, port: int) -> None:
    """Main function of the device's process: sends its tools to whoever connects, until it is killed."""
    room = Room(name="chaos", devices=(simulated,), stale_after_ms=100.0, lost_after_ms=250.0, verify_after_min=30.0)
    with listen("127.0.0.1", port) as server:
        send_room(room, server, MonotonicClock(), time.time_ns, lambda line: None, lambda: False)


class FaultyLink:
    """The device's process and the link to it; a context.

    Attributes:
        port: where the service connects.
        is_cut, is_held: whether connections are refused; whether nothing is passed on.
        shift_ns: added to the stamp of every message.
    """

    def __init__(self, simulated: Device) -> None:
        self._simulated = simulated
        self.is_cut = self.is_held = False
        self.shift_ns = 0
        self._garbage = b""
        self._stopping = threading.Event()
        self._device_port = _free_port()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])

    def __enter__(self) -> FaultyLink:
        self._start_device()
        self._thread = threading.Thread(target=self._run, name="chaos-link", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(5.0)
        self._server.close()
        self._device.kill()
        self._device.join()

    def send_garbage(self, garbage: bytes) -> None:
        """Between two messages, once."""
        self._garbage = garbage

    def kill_device(self) -> None:
        """The device dies and is started again at once."""
        self._device.kill()
        self._device.join()
        self._start_device()

    def is_up(self) -> bool:
        """Whether the device listens again."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._device_port), 0.2):
            return True
        return False

    def _start_device(self) -> None:
        arguments = (self._simulated, self._device_port)
        self._device = multiprocessing.get_context("spawn").Process(target=run_device, args=arguments, daemon=True)
        self._device.start()

    def _run(self) -> None:
        self._server.settimeout(_LOOK_S)
        while not self._stopping.is_set():
            try:
                service, _ = self._server.accept()
            except TimeoutError:
                continue
            with service:
                if not self.is_cut:
                    with suppress(OSError):
                        self._forward(service)

    def _forward(self, service: socket.socket) -> None:
        """Until either side ends, or the link is cut."""
        with socket.create_connection(("127.0.0.1", self._device_port), 1.0) as device:
            device.settimeout(_LOOK_S)
            waiting = b""
            while not (self._stopping.is_set() or self.is_cut):
                if not self.is_held:
                    with suppress(TimeoutError):
                        received = device.recv(65_536)
                        if not received:
                            return
                        waiting += received
                    whole, waiting = self._shifted(waiting)
                    service.sendall(whole + self._take_garbage())
                else:
                    time.sleep(_LOOK_S)

    def _take_garbage(self) -> bytes:
        garbage, self._garbage = self._garbage, b""
        return garbage

    def _shifted(self, data: bytes) -> tuple[bytes, bytes]:
        """The whole messages with their stamps shifted, and what is left of another."""
        out, at = [], 0
        while len(data) - at >= _HEADER.size:
            version, kind, name, stamp, body, crc = _HEADER.unpack_from(data, at)
            end = at + _HEADER.size + body
            if end > len(data):
                break
            if stamp and self.shift_ns:
                stamp = max(1, stamp + self.shift_ns * _FRACTION // 1_000_000_000)
            out += [_HEADER.pack(version, kind, name, stamp, body, crc), data[at + _HEADER.size : end]]
            at = end
        return b"".join(out), data[at:]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
