"""The TCP connections of a server's socket: how many, whose, how much they send; and the scissors.

ZeroMQ bounds the messages that wait, not what a peer can make it hold: one message of endlessly many frames, or one
subscription after the other, grows a server by hundreds of megabytes a second (docs/unity_bridge.md has it measured).
So each connection is watched where it cannot lie, in the kernel's count of the bytes that came, and shut down if need
be.
"""

from __future__ import annotations

import socket as sockets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

from geometry.clock import Clock
from unity_bridge.transport.authentication import RefusalLog
from unity_bridge.transport.keys import fingerprint
from unity_bridge.transport.rate_limit import TokenBucket

_MEASURE_EVERY_NS = 20_000_000
_MAX_EVENTS_PER_POLL = 256
_MAX_EARLY, _EARLY_NS = 256, 1_000_000_000
_FAILED: dict[int, str] = {
    zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC: "it has not this server's public key, or sent old bytes again",
    zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH: "it came without keys, or with keys to a server without",
}
# linux/tcp.h, struct tcp_info: eight bytes, 24 words, then u64 pacing_rate, max_pacing_rate, bytes_acked, and this
_BYTES_RECEIVED_AT = 128


@dataclass(frozen=True, kw_only=True)
class ConnectionSettings:
    """Bounds of a server's connections.

    Attributes:
        max_connections: beyond it, those that have proved nothing yet go first, then the new ones.
        max_per_key: the newest of one key stay: after a broken link the old connection may seem alive for a while.
        bytes_per_s, burst_bytes: of a connection, towards the server, as TCP counts them; who sends more is cut off.
        max_messages: of a connection, ever; None for no bound. A subscriber needs one.
    """

    max_connections: int = 128
    max_per_key: int = 4
    bytes_per_s: int = 2**20
    burst_bytes: int = 2**20
    max_messages: int | None = None


@dataclass(eq=False)
class Connection:
    """A TCP connection; `key` is what it proved with its first message, empty without keys; `is_gone` once it ended."""

    peer: Any  # as getpeername has it
    bucket: TokenBucket
    bytes_counted: int = 0
    messages: int = 0
    key: str = ""
    is_gone: bool = False


class Connections:
    """Watches a socket; poll it as often as the socket, and tell it of every message.

    Attributes:
        refusals: who was cut off, and handshakes that failed without a key to name.
        cut: connections shut down.
    """

    def __init__(
        self, context: zmq.Context, watched: zmq.Socket[bytes], clock: Clock, settings: ConnectionSettings
    ) -> None:
        self._watched, self._clock, self._settings = watched, clock, settings
        self._open: dict[int, Connection] = {}  # by file descriptor, oldest first
        # Keys of messages whose connection is not known yet, and when they came, by file descriptor.
        self._early: dict[int, tuple[str, int]] = {}
        self._measured_ns = clock.now_ns()
        self.refusals = RefusalLog()
        self.cut = 0
        # Without a bound, or a burst of connections would make libzmq's I/O thread wait for the next poll.
        self.socket: zmq.Socket[bytes] = context.socket(zmq.PAIR)
        self.socket.set_hwm(0)
        address = f"inproc://surgnav-connections-{watched.FD}"
        failures = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        watched.monitor(address, zmq.EVENT_ACCEPTED | failures)
        self.socket.connect(address)

    @property
    def count(self) -> int:
        """Connections that have sent something; those that have left may still be counted for a moment."""
        return sum(connection.messages > 0 for connection in self._open.values())

    def poll(self) -> None:
        """Takes in who came, and measures from time to time."""
        for _ in range(_MAX_EVENTS_PER_POLL):
            try:
                event = parse_monitor_message(self.socket.recv_multipart(zmq.DONTWAIT))
            except zmq.Again:
                break
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._accept(event["value"])
            else:
                broken_off = event["event"] == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
                otherwise = "it broke off before it was known" if broken_off else "it does not keep to the protocol"
                detail = _FAILED.get(event["value"], otherwise)
                self.refusals.add(f"no handshake: {detail}", "")
        self._measure_if_due(self._clock.now_ns())

    def note(self, frame: zmq.Frame) -> tuple[str, Connection | None]:
        """Takes in that a message came; returns the key that its connection proved, empty without keys, and which it
        was, None where that is not known any more."""
        key = _property(frame, "User-Id") or ""
        fd = _property(frame, zmq.SRCFD)
        if not isinstance(fd, int):
            return key, None
        connection = self._open.get(fd)
        if connection is None:  # libzmq may show the message up to a millisecond before the event that it was accepted
            if len(self._early) < _MAX_EARLY:
                self._early[fd] = key, self._clock.now_ns()
            return key, None
        connection.messages += 1
        self._prove(connection, key)
        limit = self._settings.max_messages
        if limit is not None and connection.messages > limit:
            self._cut(fd, f"more than {limit} messages on a socket that takes none")
        return key, connection

    def _prove(self, connection: Connection, key: str) -> None:
        if connection.messages == 1 or connection.key != key:
            connection.key = key
            self._make_room_for(key)

    def cut_unless(self, admitted: Callable[[str], str]) -> None:
        """Shuts down the connections of each key for which `admitted` has a reason to refuse it."""
        for fd, connection in list(self._open.items()):
            if connection.key and (reason := admitted(connection.key)):
                self._cut(fd, reason)

    def close(self) -> None:
        """Stops watching; to be called before the watched socket is closed. May be called again."""
        if not self.socket.closed:
            self._watched.disable_monitor()
            self.socket.close()

    def _accept(self, fd: int) -> None:
        peer = _with(fd, lambda duplicate: duplicate.getpeername())
        if fd in self._open:
            self._open.pop(fd).is_gone = True  # the number was another's
        if not peer:
            return
        settings, now_ns = self._settings, self._clock.now_ns()
        connection = Connection(peer, TokenBucket(settings.bytes_per_s, settings.burst_bytes, now_ns))
        self._open[fd] = connection
        if fd in self._early:
            connection.messages = 1
            self._prove(connection, self._early.pop(fd)[0])
        if len(self._open) > settings.max_connections:
            self._measure_if_due(now_ns)  # forgets those who left
        if len(self._open) > settings.max_connections:
            unproved = (fd for fd, connection in self._open.items() if not connection.messages)
            self._cut(next(unproved, fd), f"more than {settings.max_connections} connections")

    def _make_room_for(self, key: str) -> None:
        same = [fd for fd, connection in self._open.items() if key and connection.key == key]
        for fd in same[: -self._settings.max_per_key]:
            self._cut(fd, f"more than {self._settings.max_per_key} connections of one key")

    def _measure_if_due(self, now_ns: int) -> None:
        """All of them take 1 ms: for each who knocks it would be a quarter of a second in a storm of connections."""
        if now_ns - self._measured_ns < _MEASURE_EVERY_NS:
            return
        self._measured_ns = now_ns
        self._early = {fd: early for fd, early in self._early.items() if now_ns - early[1] < _EARLY_NS}
        for fd, connection in list(self._open.items()):
            found = self._ask(fd, connection, _received)
            if found is None:
                self._open.pop(fd).is_gone = True
                continue
            arrived, connection.bytes_counted = found - connection.bytes_counted, found
            if not connection.bucket.take(arrived, now_ns):
                self._cut(fd, f"{arrived} bytes at once, more than {self._settings.bytes_per_s} a second")

    def _cut(self, fd: int, reason: str) -> None:
        connection = self._open.pop(fd)
        connection.is_gone = True
        self._ask(fd, connection, lambda duplicate: duplicate.shutdown(sockets.SHUT_RDWR))
        self.cut += 1
        whose = f"key {fingerprint(connection.key)}: " if connection.key and "key " not in reason else ""
        self.refusals.add(f"cut off: {whose}{reason}", str(connection.peer[0]))

    @staticmethod
    def _ask(fd: int, connection: Connection, question: Callable[[sockets.socket], Any]) -> Any:
        """The answer, or None if this number is no longer this connection."""
        return _with(fd, lambda it: question(it) if it.getpeername() == connection.peer else None)


def _with(fd: int, question: Callable[[sockets.socket], Any]) -> Any:
    """Asks a duplicate: while we hold it, the number cannot come to mean another connection. None if there is none."""
    try:
        copy = sockets.dup(fd)
    except OSError:
        return None
    try:
        duplicate = sockets.socket(fileno=copy)
    except OSError:  # the number is a file's by now: nobody else would close its copy
        sockets.close(copy)
        return None
    with duplicate:
        try:
            return question(duplicate)
        except OSError:
            return None


def _received(connection: sockets.socket) -> int:
    information = connection.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_INFO, _BYTES_RECEIVED_AT + 8)
    return struct.unpack_from("<Q", information, _BYTES_RECEIVED_AT)[0]


def _property(frame: zmq.Frame, name: Any) -> Any:
    """A property that ZeroMQ keeps with a message; None where there is none, such as between threads."""
    try:
        return frame.get(name)
    except (zmq.ZMQError, ValueError):
        return None
