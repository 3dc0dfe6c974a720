"""State of a client's connection, and why it fails, from ZeroMQ's socket events."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from geometry.clock import Clock
from unity_bridge.transport.authentication import client_options
from unity_bridge.transport.endpoints import connect
from unity_bridge.transport.keys import ClientKeys, fingerprint

_RETRY_NS = 5_000_000_000
# One handshake may break off because the server is stopping; so many in a row mean that the server refuses.
_BROKEN_OFF_LIMIT = 3
_HANDSHAKE_MS = 10_000
_EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_DISCONNECTED
)


class LinkState(Enum):
    """CONNECTING: not connected, ZeroMQ keeps trying. OPEN: connected. REFUSED: the handshake failed."""

    CONNECTING = "connecting"
    OPEN = "open"
    REFUSED = "refused"


class LinkWatch:
    """Opens a connection and tracks its state, which is updated by `poll`.

    A refused connection is tried again every 5 s, since the client may be enrolled meanwhile; libzmq does not do that.

    Attributes:
        state: state at the last `poll`.
        reason: why the connection was refused; empty unless `state` is REFUSED.
    """

    def __init__(self, context: zmq.Context, clock: Clock, keys: ClientKeys | None) -> None:
        self._context, self._clock, self._keys = context, clock, keys
        self._monitor: zmq.Socket[bytes] | None = None
        self._broken_off = 0
        self._refused_ns = 0
        self.state = LinkState.CONNECTING
        self.reason = ""

    def connect(self, kind: int, endpoint: str, options: Mapping[Any, Any]) -> zmq.Socket[bytes]:
        """Makes a socket as `endpoints.connect` does, and watches it from the start.

        Raises:
            EndpointRefusedError: not an address.
        """
        with_keys = {zmq.HANDSHAKE_IVL: _HANDSHAKE_MS, **client_options(self._keys), **options}
        self._kind, self._endpoint, self._options = kind, endpoint, with_keys
        self._socket = connect(self._context, kind, endpoint, with_keys, self._watch)
        return self._socket

    def reconnect(self) -> zmq.Socket[bytes]:
        """Closes the socket, with all messages under way, and returns a new one in its place."""
        self.close()
        self._socket.close()
        self._broken_off, self.state, self.reason = 0, LinkState.CONNECTING, ""
        self._socket = connect(self._context, self._kind, self._endpoint, self._options, self._watch)
        return self._socket

    def poll(self) -> None:
        """Updates the state by the events since the last call."""
        while self._monitor is not None:
            try:
                event = parse_monitor_message(self._monitor.recv_multipart(zmq.DONTWAIT))
            except zmq.Again:
                break
            self._take(event["event"], event["value"])
        if self.state is LinkState.REFUSED and self._clock.now_ns() - self._refused_ns > _RETRY_NS:
            self._refused_ns = self._clock.now_ns()
            self._socket.disconnect(self._endpoint)
            self._socket.connect(self._endpoint)

    def close(self) -> None:
        """Stops watching; to be called before the socket is closed. May be called again."""
        if self._monitor is not None:
            self._socket.disable_monitor()
            self._monitor.close()
            self._monitor = None

    def _watch(self, socket: zmq.Socket[bytes]) -> None:
        self._monitor = self._context.socket(zmq.PAIR)
        self._monitor.set_hwm(0)
        address = f"inproc://surgnav-link-{socket.FD}"
        socket.monitor(address, _EVENTS)
        self._monitor.connect(address)

    def _take(self, event: int, value: int) -> None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.state, self.reason, self._broken_off = LinkState.OPEN, "", 0
        elif event == zmq.EVENT_DISCONNECTED:
            self.state = LinkState.CONNECTING if self.state is LinkState.OPEN else self.state
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            own = f" {fingerprint(self._keys.own.public)}" if self._keys else ""
            self._refuse(f"the server refuses this client's key{own}: not enrolled, revoked or expired")
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            mismatch = value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
            side = "the server uses no keys" if self._keys else "the server wants keys, and this client has none"
            self._refuse(side if mismatch else "the server cannot prove that it is the one that was enrolled")
        else:
            self._broken_off += 1
            if self._keys and self._broken_off >= _BROKEN_OFF_LIMIT:
                self._refuse(
                    "the server breaks off the handshake: it is not the one that was enrolled, or uses no keys"
                )

    def _refuse(self, reason: str) -> None:
        self.state, self.reason, self._refused_ns = LinkState.REFUSED, reason, self._clock.now_ns()
