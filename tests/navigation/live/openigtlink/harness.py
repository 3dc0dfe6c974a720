"""A server with known poses and a known scene, and a client that reads it with our own codec."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Surface, Transform
from geometry.clock import Clock, ManualClock
from geometry.frames import CT, REFERENCE, STYLUS, TRACKER
from geometry.volume import Volume
from navigation.clock import MonotonicClock
from navigation.devices.openigtlink.framing import FrameStream, Message, pack, unpack
from navigation.live.openigtlink.scene import SceneMessage, image_message, points_message, surface_message
from navigation.live.openigtlink.server import LinkServer, LinkServerSettings
from navigation.live.pose_mirror import MirroredTool, mirrored
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

WALL_NS = 1_780_000_000_123_456_789
PATIENCE_S = 60.0
TIP = f"{STYLUS}_tip"

POSES = {
    "ReferenceToTracker": Transform.from_rotation(
        Rotation.from_euler("xyz", [10.0, -20.0, 130.0], degrees=True), [100.25, -33.125, 1800.5], TRACKER, REFERENCE
    ),
    "StylusTipToReference": Transform.from_rotation(
        Rotation.from_euler("xyz", [-80.0, 5.0, 33.0], degrees=True), [12.34567, -56.78901, 90.12345], REFERENCE, TIP
    ),
    "ReferenceToRas": Transform.from_rotation(
        Rotation.from_euler("xyz", [4.0, 95.0, -12.0], degrees=True), [-7.125, 210.0625, 1034.75], REFERENCE, CT
    ),
}
# What stands in the message: 3D Slicer's world is RAS, and there the tools hang from the reference.
MATRICES = {
    **{name: POSES[name].matrix for name in ("ReferenceToTracker", "StylusTipToReference")},
    "ReferenceToRas": np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.linalg.inv(POSES["ReferenceToRas"].matrix),
}
WEDGE = Surface(
    np.array([[0.1, 0, 100], [40, 0.7, 100], [0, -60, 100.25], [0, 0, 180.5]]),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
    CT,
    "liver",
)
LANDMARKS = {"nasion": np.array([1.25, -80.12345, 133.3]), "tragus left": np.array([71.0, 12.5, 101.0])}
SCAN = Volume(
    np.arange(-30, 30, dtype=np.int16).reshape(3, 4, 5),
    np.array([[0.7, 0, 0, -120.5], [0, 0.8, 0, 33.25], [0, 0, 2.5, 100.125], [0, 0, 0, 1.0]]),
)


def state(name: str, capture_ns: int, validity: Validity = Validity.VALID, reason: str = "") -> ToolState:
    pose = POSES[name]
    has_pose = validity in (Validity.VALID, Validity.SUSPECT)
    return ToolState(
        tool={"ReferenceToRas": "patient", "ReferenceToTracker": REFERENCE}.get(name, STYLUS),
        to_frame=pose.to_frame,
        from_frame=pose.from_frame,
        validity=validity,
        T_to_from=pose if has_pose else None,
        reason=reason,
        capture_ns=capture_ns,
    )


def states(capture_ns: int, **changed: tuple[Validity, str]) -> list[ToolState]:
    """All three transforms, measured at `capture_ns`; some of them with another validity and a reason."""
    return [state(name, capture_ns, *changed.get(name, (Validity.VALID, ""))) for name in POSES]


def poses(capture_ns: int, **changed: tuple[Validity, str]) -> tuple[MirroredTool, ...]:
    """The same as they are mirrored."""
    return mirrored(states(capture_ns, **changed), capture_ns)


def scene() -> list[SceneMessage]:
    return [
        surface_message(WEDGE, WALL_NS),
        points_message("Landmarks", "Landmark", LANDMARKS, WALL_NS),
        image_message("CT", SCAN, WALL_NS),
    ]


class Reader:
    """A client that keeps every message.

    Args:
        step: lets the server work, where a test runs both by itself.
    """

    def __init__(self, port: int, step: Callable[[], object] = lambda: None, buffer_bytes: int | None = None) -> None:
        self.connection = socket.socket()
        if buffer_bytes is not None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self.connection.connect(("127.0.0.1", port))
        self.connection.settimeout(0.005)
        self._stream = FrameStream()
        self._step = step
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.connection.sendall(pack(message))

    def read(self, enough: Callable[[list[Message]], object]) -> list[Message]:
        """All messages, once there are enough."""
        while not enough(self.messages):
            self._step()
            try:
                data = self.connection.recv(1 << 16)
            except TimeoutError:
                continue
            if not data:
                raise ConnectionResetError
            self.messages += [unpack(frame) for frame in self._stream.feed(data)]
        return self.messages

    def read_until(self, kind: str, name: str) -> Message:
        return self.read(lambda messages: self.of(kind, name)) and self.of(kind, name)[-1]

    def read_frames(self, count: int) -> None:
        """Reads until so many poses of the stylus have come."""
        self.read(lambda messages: len(self.of("TRANSFORM", "StylusTipToReference")) >= count)

    def of(self, kind: str, name: str) -> list[Message]:
        return [each for each in self.messages if (each.content.type_name, each.device_name) == (kind, name)]

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.connection.close()


class Stepped:
    """A server that the test itself runs, on a clock that the test sets."""

    def __init__(self, **settings: float) -> None:
        self.clock = ManualClock(10_000_000_000)
        self.said: list[str] = []
        self.server = LinkServer(LinkServerSettings(port=0, **settings), self.clock, lambda: WALL_NS, self.said.append)

    def step(self) -> None:
        self.server.poll(0.0)

    def step_until(self, condition: Callable[[], object]) -> None:
        while not condition():
            self.server.poll(0.001)

    def advance_ms(self, ms: float) -> None:
        self.clock.advance_ns(round(ms * 1e6))
        self.step()

    def show(self, **changed: tuple[Validity, str]) -> None:
        self.server.show_poses(poses(self.clock.now_ns(), **changed))
        self.step()

    def reader(self, buffer_bytes: int | None = None) -> Reader:
        before = len(self._joined())
        reader = Reader(self.server.port, self.step, buffer_bytes)
        self.step_until(lambda: len(self._joined()) > before)
        return reader

    def _joined(self) -> list[str]:
        return [line for line in self.said if "joined" in line]


@contextmanager
def running(shown: list[SceneMessage], clock: Clock | None = None, with_poses: bool = True) -> Iterator[LinkServer]:
    """A server that a thread runs with what is shown, and with the poses a hundred times a second."""
    clock = clock or MonotonicClock()
    server = LinkServer(LinkServerSettings(port=0), clock, lambda: WALL_NS)
    for message in shown:
        server.show(message)
    should_stop = threading.Event()

    def run() -> None:
        while not should_stop.is_set():
            if with_poses:
                server.show_poses(poses(clock.now_ns()))
            server.poll(0.01)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield server
    finally:
        should_stop.set()
        thread.join()
        server.close()
