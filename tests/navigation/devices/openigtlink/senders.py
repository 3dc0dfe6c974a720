"""A sender for tests: whoever connects gets the bytes that the test gives, on a real socket."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.points import Floats
from navigation.clock import MonotonicClock
from navigation.devices.driver import Device, Role, StampClock, Stamps, Tool
from navigation.devices.openigtlink import DRIVER
from navigation.devices.openigtlink.framing import Message, pack
from navigation.devices.openigtlink.messages import TransformMatrix
from navigation.devices.openigtlink.settings import LinkSettings
from navigation.devices.tracker import Tracker, TrackerFrame

PATIENCE_S = 60.0  # of a starved machine; nothing waits so long where it works


def pose(number: int) -> Floats:
    """The pose of that number, ``(4, 4)``, in single precision as on the wire."""
    rng = np.random.default_rng(number)
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.random(rng=rng).as_matrix()
    matrix[:3, 3] = rng.uniform(-300.0, 300.0, 3)
    return matrix.astype(np.float32).astype(np.float64)


def transform(name: str, matrix: Floats, stamp_ns: int | None = None, status: str | None = None) -> bytes:
    content = TransformMatrix.of(matrix)
    if status is None:
        return pack(Message(content, name, stamp_ns))
    valid = {"TransformValid": str(status == "OK"), "TransformStatus": status}
    return pack(Message(content, name, stamp_ns, 3, metadata=valid))


class Sender:
    """Listens on a free port; `accept` waits for the driver."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(PATIENCE_S)
        self.port: int = self._server.getsockname()[1]
        self._peer: socket.socket | None = None

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        self._server.close()

    def accept(self) -> None:
        self._peer, _ = self._server.accept()
        self._peer.settimeout(PATIENCE_S)

    def send(self, data: bytes) -> None:
        assert self._peer is not None
        self._peer.sendall(data)

    def receive(self, size: int) -> bytes:
        assert self._peer is not None
        data = b""
        while len(data) < size and (more := self._peer.recv(size - len(data))):
            data += more
        return data

    def hang_up(self) -> None:
        if self._peer is not None:
            with suppress(OSError):
                # What is closed with something unread is reset, and what was sent before may be lost.
                self._peer.setblocking(False)
                self._peer.recv(1 << 16)
            self._peer.close()
            self._peer = None


def device(port: int, ids: dict[str, str], clock: StampClock = StampClock.SENSOR, **settings: object) -> Device:
    """A device with tools by name, each with its name at the device."""
    tools = tuple(
        Tool(name=name, role=Role(name) if name in set(Role) else Role.INSTRUMENT, id=id_, settings=None)
        for name, id_ in ids.items()
    )
    own = LinkSettings.model_validate({"host": "127.0.0.1", "port": port, "rate_hz": 50.0} | settings)
    return Device(name="plus", driver="openigtlink", settings=own, stamps=Stamps(clock), tools=tools)


def opened(of: Device) -> Tracker:
    tracker = DRIVER.open(of, MonotonicClock())
    tracker.start()
    return tracker


def frame_when(tracker: Tracker, wanted: Callable[[TrackerFrame], bool]) -> TrackerFrame:
    """The first frame of which that is so."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        frame = tracker.next_frame(100_000_000)
        if frame is not None and wanted(frame):
            return frame
    raise AssertionError(f"no such frame came; the device is {tracker.state}")


def state_when(tracker: Tracker, wanted: str) -> str:
    """The reason of the device's state, once it has these words."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if wanted in tracker.state.reason:
            return tracker.state.reason
        time.sleep(0.01)
    raise AssertionError(f"the state is {tracker.state}, without {wanted!r}")
