"""Limits the TCP connections of a server's socket by number, key and received bytes, and cuts off those beyond.

ZeroMQ limits the number of queued messages, but not the memory that a peer can make it use: one message of endlessly
many frames, or endless subscriptions, grow a server by hundreds of megabytes a second (measured in
docs/unity_bridge/README.md). So the kernel's count of received bytes is watched for each connection, and connections
beyond their limit are shut down.
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
        max_connections: largest number; beyond it, unauthenticated ones are cut off first, then the new one.
        max_per_key: largest number per key; the newest are kept, since after a broken link the old connection may seem
            alive for a while.
        bytes_per_s, burst_bytes: largest rate and burst of a connection towards the server, as counted by TCP; beyond
            it the connection is cut off.
        max_messages: largest number of messages over a connection's lifetime; None for no limit. A subscriber sends
            one.
    """

    max_connections: int = 128
    max_per_key: int = 4
    bytes_per_s: int = 2**20
    burst_bytes: int = 2**20
    max_messages: int | None = None


@dataclass(eq=False)
class Connection:
    """A TCP connection.

    Attributes:
        peer: address of the peer, as `getpeername` returns it.
        bucket: its allowance of bytes.
        bytes_counted: bytes received when last measured.
        messages: number of messages received.
        key: key that was authenticated with its first message; empty without keys.
        is_gone: whether it has ended.
    """

    peer: Any  # as getpeername has it
    bucket: TokenBucket
    bytes_counted: int = 0
    messages: int = 0
    key: str = ""
    is_gone: bool = False


class Connections:
    """Watches the connections of a socket. Call `poll` as often as the socket is polled, and `note` for every message.

    Attributes:
        refusals: connections that were cut off, and handshakes that failed before a key was known.
        cut_off: number of connections shut down.
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
        self.cut_off = 0
        # Unlimited: otherwise a burst of connections would block libzmq's I/O thread until the next poll.
        self.socket: zmq.Socket[bytes] = context.socket(zmq.PAIR)
        self.socket.set_hwm(0)
        address = f"inproc://surgnav-connections-{watched.FD}"
        failures = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        watched.monitor(address, zmq.EVENT_ACCEPTED | failures)
        self.socket.connect(address)

    @property
    def count(self) -> int:
        """Number of connections that have sent a message; those that have left may still be counted for a moment."""
        return sum(connection.messages > 0 for connection in self._open.values())

    def poll(self) -> None:
        """Processes new connections and failed handshakes, and measures received bytes every 20 ms."""
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
        """Notes a received message.

        Returns:
            The authenticated key, empty without keys; and the connection, None if it is not known.
        """
        key = _property(frame, "User-Id") or ""
        fd = descriptor(frame)
        if fd is None:
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
        """Shuts down the connections of all keys for which `admitted` returns a reason to refuse them."""
        for fd, connection in list(self._open.items()):
            if connection.key and (reason := admitted(connection.key)):
                self._cut(fd, reason)

    def is_open(self, fd: int) -> bool:
        """Whether a connection with this file descriptor is open."""
        return fd in self._open

    def cut(self, fd: int, reason: str) -> None:
        """Shuts down a connection, if it has not ended by itself."""
        self.poll()
        if fd in self._open:
            self._cut(fd, reason)

    def refuse(self, fd: int | None, key: str, reason: str) -> None:
        """Notes that a connection gets nothing, without ending it."""
        connection = None if fd is None else self._open.get(fd)
        self._refused(reason, key, "" if connection is None else str(connection.peer[0]))

    def close(self) -> None:
        """Stops watching; to be called before the watched socket is closed. May be called again."""
        if not self.socket.closed:
            self._watched.disable_monitor()
            self.socket.close()

    def _accept(self, fd: int) -> None:
        peer = _with(fd, lambda duplicate: duplicate.getpeername())
        if fd in self._open:
            self._open.pop(fd).is_gone = True  # the file descriptor was that of an earlier connection
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
        """Measuring all connections takes 1 ms: done for each new one, a storm of connections would take 0.25 s."""
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
        self.cut_off += 1
        self._refused(reason, connection.key, str(connection.peer[0]), "cut off: ")

    def _refused(self, reason: str, key: str, address: str, what: str = "") -> None:
        whose = f"key {fingerprint(key)}: " if key and "key " not in reason else ""
        self.refusals.add(f"{what}{whose}{reason}", address)

    @staticmethod
    def _ask(fd: int, connection: Connection, question: Callable[[sockets.socket], Any]) -> Any:
        """The result of `question`, or None if the file descriptor no longer belongs to this connection."""
        return _with(fd, lambda it: question(it) if it.getpeername() == connection.peer else None)


def _with(fd: int, question: Callable[[sockets.socket], Any]) -> Any:
    """Calls `question` with a duplicate, so that the file descriptor cannot be reused meanwhile; None if it fails."""
    try:
        copy = sockets.dup(fd)
    except OSError:
        return None
    try:
        duplicate = sockets.socket(fileno=copy)
    except OSError:  # the descriptor belongs to a file by now: close our copy
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


def descriptor(frame: zmq.Frame) -> int | None:
    """The file descriptor of the connection that a message came over; None if it came over none."""
    fd = _property(frame, zmq.SRCFD)
    return fd if isinstance(fd, int) else None


def _property(frame: zmq.Frame, name: Any) -> Any:
    """A property of a message's metadata; None if there is none, as for messages between threads."""
    try:
        return frame.get(name)
    except (zmq.ZMQError, ValueError):
        return None
