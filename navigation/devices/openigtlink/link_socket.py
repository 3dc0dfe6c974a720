"""The socket to a sender: whole messages as they come, as many as are there."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

from navigation.devices.openigtlink.framing import Frame, FrameStream, Message, pack
from navigation.devices.openigtlink.messages import Request, StartTracking
from navigation.devices.openigtlink.settings import LinkSettings
from navigation.errors import DeviceError

_CONNECT_S = 3.0
_CHUNK = 1 << 18
_MOST_AT_ONCE = 1 << 22  # so that a flood cannot keep `frames` from returning


class LinkSocket:
    """A connection on which the sender was asked for what the settings say.

    Attributes:
        round_trip_ns: how long it took the network to connect.

    Raises:
        OSError: the device is not there.
    """

    def __init__(self, settings: LinkSettings) -> None:
        self._settings = settings
        self._stream = FrameStream(settings.largest_message_mb * 1_000_000)
        self._buffer = bytearray(_CHUNK)
        begun_ns = time.monotonic_ns()
        self._socket = socket.create_connection((settings.host, settings.port), timeout=_CONNECT_S)
        self.round_trip_ns = time.monotonic_ns() - begun_ns
        try:
            _notice_cut_cables(self._socket)
            self._socket.sendall(self._greeting())
        except OSError:
            self._socket.close()
            raise

    def _greeting(self) -> bytes:
        """What is asked for; and a question in our version, from which PLUS learns which one to answer in."""
        settings, greeting = self._settings, b""
        if settings.ask_for is not None:
            resolution_ms = int(1000.0 / settings.rate_hz)
            greeting = pack(Message(StartTracking(settings.ask_for, resolution_ms)))
        return greeting + pack(Message(Request("GET_STATUS"), version=settings.version))

    def close(self) -> None:
        with suppress(OSError):
            if self._settings.ask_for is not None:
                self._socket.sendall(pack(Message(Request(f"STP_{self._settings.ask_for}"))))
        self._socket.close()

    def frames(self, timeout_s: float) -> list[Frame]:
        """What came next, the oldest first; empty if nothing came in time.

        Raises:
            DeviceError: the sender has closed the connection.
            OSError, SurgNavError: it broke, or what came is no OpenIGTLink.
        """
        self._socket.settimeout(timeout_s)
        frames: list[Frame] = []
        taken = 0
        while taken < _MOST_AT_ONCE:
            try:
                size = self._socket.recv_into(self._buffer)
            except TimeoutError:
                break
            except ConnectionResetError:
                size = 0  # closed, before the device had read what we sent
            if not size and frames:
                break  # what came before the end counts; the next call meets the end again
            if not size:
                raise DeviceError("a connection that the device has closed", "an open one", "start the sender again")
            with memoryview(self._buffer) as view:
                frames += self._stream.feed(view[:size])
            taken += size
            if size < _CHUNK:
                break
        return frames


def _notice_cut_cables(connection: socket.socket) -> None:
    """A peer that has gone without a word is noticed after some 5 s; systems without these options take longer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in (("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
