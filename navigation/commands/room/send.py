"""``surgnav room send``: what the devices of a room see, sent over OpenIGTLink (version 3) to one client at a time.

Each tool is a TRANSFORM with its name in the room file, PLUS's status and the time of its capture: as the driver
``openigtlink`` reads it, and 3D Slicer.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing

import numpy as np

from navigation.clock import PacedClock
from navigation.devices.openigtlink.framing import Message, pack
from navigation.devices.openigtlink.messages import TransformMatrix
from navigation.devices.tracker import Connection, ToolObservation, TrackerFrame, Visibility
from navigation.errors import DeviceError
from navigation.room.room import Room
from navigation.room.room_tracker import RoomTracker, open_room

_STATUS = {
    Visibility.VISIBLE: "OK",
    Visibility.OCCLUDED: "MISSING",
    Visibility.OUT_OF_VOLUME: "OUT_OF_VOLUME",
    Visibility.PARTLY_OUT: "PARTIALLY_OUT_OF_VIEW",
    Visibility.UNCONFIGURED: "PATH_NOT_FOUND",
}
_UNSEEN = TransformMatrix.of(np.eye(4))
# How long a client may leave its network buffer full; what comes meanwhile is not sent later.
_STUCK_S = 5.0
_WAIT_S, _WAIT_NS = 0.2, 200_000_000


def listen(host: str, port: int) -> socket.socket:
    """A socket that clients may connect to.

    Raises:
        DeviceError: the address is not one of this machine's, or the port is taken.
    """
    try:
        return socket.create_server((host, port))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DeviceError(f"{host}:{port}, where {why}", "a free port of this machine", "choose another") from None


def send_room(
    room: Room,
    server: socket.socket,
    clock: PacedClock,
    wall_ns: Callable[[], int],
    say: Callable[[str], None],
    should_stop: Callable[[], bool],
) -> None:
    """Serves clients until it is stopped, or a recording has ended; the devices are opened for the first one.

    Args:
        server: from `listen`.
        wall_ns: time in ns since 1970, in which the messages are stamped.
        say: is told who comes and goes.

    Raises:
        DeviceError: a device cannot be opened, or a name is too long for OpenIGTLink.
    """
    tracker = open_room(room.devices, clock)
    server.settimeout(_WAIT_S)
    is_running = False
    try:
        while not should_stop() and not _is_over(tracker):
            try:
                client, (host, port, *_) = server.accept()
            except TimeoutError:
                continue
            say(f"{host}:{port} listens")
            if not is_running:
                tracker.start()
                is_running = True
            with closing(client):
                client.settimeout(_STUCK_S)
                why = _serve(client, tracker, wall_ns() - clock.now_ns(), should_stop)
            say(f"{host}:{port} {why}")
    finally:
        tracker.stop()


def _serve(client: socket.socket, tracker: RoomTracker, to_wall_ns: int, should_stop: Callable[[], bool]) -> str:
    """Sends frames; returns why that has ended."""
    while not should_stop():
        frame = tracker.next_frame(_WAIT_NS)
        try:
            if _has_left(client):
                return "has left"
            if frame is not None:
                client.sendall(packed(frame, to_wall_ns))
        except OSError as error:
            return f"is gone: {(error.strerror or str(error)).lower()}"
        if _is_over(tracker):
            return "has all of the recording"
    return "is left"


def packed(frame: TrackerFrame, to_wall_ns: int) -> bytes:
    """The messages of a frame; a tool that is not seen has the identity and its status."""
    return b"".join(_message(name, seen, frame.capture_ns, to_wall_ns) for name, seen in frame.tools.items())


def _message(name: str, seen: ToolObservation, frame_ns: int, to_wall_ns: int) -> bytes:
    pose = seen.T_tracker_tool
    status = _STATUS.get(seen.visibility, "INVALID")
    return pack(
        Message(
            _UNSEEN if pose is None else TransformMatrix.of(pose.matrix),
            name,
            to_wall_ns + (frame_ns if seen.capture_ns is None else seen.capture_ns),
            version=3,
            metadata={"TransformValid": "True" if pose is not None else "False", "TransformStatus": status},
        )
    )


def _has_left(client: socket.socket) -> bool:
    """Reads away what a client says; nothing of it is needed."""
    client.setblocking(False)
    try:
        return not client.recv(1 << 16)
    except BlockingIOError:
        return False
    finally:
        client.settimeout(_STUCK_S)


def _is_over(tracker: RoomTracker) -> bool:
    state = tracker.state
    return state.connection is Connection.GONE and state.retry_ns is None
