"""Authentication of clients by their keys: answers ZeroMQ's authentication requests (ZAP, ZeroMQ RFC 27).

pyzmq's own authenticators need an event loop or a thread; this one is polled like the servers it guards. Each ZeroMQ
context needs its own, since libzmq sends the requests within the context.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
from zmq.utils import z85

from geometry.errors import SurgNavError
from unity_bridge.errors import EndpointRefusedError
from unity_bridge.transport.allow_list import AllowList, load_allow_list
from unity_bridge.transport.keys import ClientKeys, KeyPair

DOMAIN = b"surgnav"
_ZAP = "inproc://zeromq.zap.01"
_VERSION = b"1.0"
# Handshakes answered in one poll: 8 cost 0.2 ms, and the next poll is some milliseconds away.
_MAX_PER_POLL = 8
_MAX_REFUSALS = 64


@dataclass(frozen=True, kw_only=True)
class ServerSecurity:
    """What a server needs to authenticate its clients; it can be pickled, for the pose process.

    Attributes:
        keys: the server's key pair; clients pin the public half.
        allow_list: path of the allow list, which is read again whenever it changes.
        unix_time_s: returns seconds since 1970, for keys that expire.
    """

    keys: KeyPair
    allow_list: Path
    unix_time_s: Callable[[], float]


@dataclass(frozen=True)
class Refusal:
    """A connection that was refused or cut off.

    Attributes:
        reason: the reason for the log, with the key's fingerprint where there is one.
        address: address of the peer; empty where ZeroMQ does not state it.
        count: how often this happened since the refusals were last taken.
    """

    reason: str
    address: str
    count: int = 1

    def __str__(self) -> str:
        return f"refused {self.address or 'a peer'}: {self.reason}" + (f" ({self.count} times)" * (self.count > 1))


class RefusalLog:
    """Collects refusals until they are taken. Equal ones are counted, so that the memory is bounded.

    Attributes:
        dropped: number of refusals that were neither kept nor counted.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self.dropped = 0

    def add(self, reason: str, address: str) -> None:
        """Adds a refusal, or counts it if there is an equal one."""
        key = (reason, address)
        if key in self._counts or len(self._counts) < _MAX_REFUSALS:
            self._counts[key] = self._counts.get(key, 0) + 1
        else:
            self.dropped += 1

    def take(self) -> tuple[Refusal, ...]:
        """Returns the refusals since the last call, oldest first."""
        taken = tuple(Refusal(*key, count) for key, count in self._counts.items())
        self._counts.clear()
        return taken


class Gate:
    """Answers the authentication requests of one ZeroMQ context by the current allow list.

    Attributes:
        generation: grows whenever the set of admitted keys may have changed.
        refusals: refused connections, and changed allow lists that could not be read: then the last valid one stays in
            force.

    Raises:
        KeyFileError: the allow list is damaged at the start.
        EndpointRefusedError: the context has a gate already.
    """

    def __init__(self, context: zmq.Context, security: ServerSecurity) -> None:
        self._security = security
        self._list: AllowList = load_allow_list(security.allow_list)
        self._version = _version_of(security.allow_list)
        self._admitted: frozenset[str] = frozenset()
        self._next_change_s = 0.0
        self.generation = 0
        self.refusals = RefusalLog()
        self._admit_anew()
        self.socket: zmq.Socket[bytes] = context.socket(zmq.REP)
        self.socket.setsockopt(zmq.LINGER, 0)
        try:
            self.socket.bind(_ZAP)
        except zmq.ZMQError as error:
            self.socket.close()
            raise EndpointRefusedError(
                f"a second gate in one ZeroMQ context ({error.strerror})",
                "one gate for all of its servers",
                "share it",
            ) from error

    @property
    def server_options(self) -> dict[Any, Any]:
        """Socket options of a server behind this gate. Without a gate, libzmq would refuse all clients."""
        return {
            zmq.CURVE_SERVER: 1,
            zmq.CURVE_SECRETKEY: self._security.keys.secret.encode("ascii"),
            zmq.ZAP_DOMAIN: DOMAIN,
            zmq.ZAP_ENFORCE_DOMAIN: 1,
        }

    def poll(self) -> None:
        """Reads the allow list if it has changed, then answers up to 8 authentication requests."""
        self._follow_the_list()
        for _ in range(_MAX_PER_POLL):
            try:
                frames = self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self.socket.send_multipart(self._answer(frames), zmq.DONTWAIT)

    def refusal(self, public_key: str) -> str:
        """Why this key is not, or no longer, admitted; empty if it is."""
        if public_key in self._admitted:
            return ""
        return self._list.refusal(public_key, self._security.unix_time_s())

    def close(self) -> None:
        """Closes the gate: nobody is admitted any more. May be called again."""
        self.socket.close()

    def _answer(self, frames: list[bytes]) -> list[bytes]:
        """Answers the request ``version, id, domain, address, identity, mechanism, credentials...`` (RFC 27)."""
        request_id = frames[1] if len(frames) > 1 else b""
        address = frames[3].decode("ascii", "replace") if len(frames) > 3 else ""
        if len(frames) != 7 or frames[0] != _VERSION or frames[2] != DOMAIN or frames[5] != b"CURVE":
            reason, key = "no CURVE key", ""
        else:
            key = z85.encode(frames[6]).decode("ascii")
            reason = self.refusal(key)
        if reason:
            self.refusals.add(reason, address)
            return [_VERSION, request_id, b"400", b"refused", b"", b""]
        return [_VERSION, request_id, b"200", b"OK", key.encode("ascii"), b""]

    def _follow_the_list(self) -> None:
        version = _version_of(self._security.allow_list)
        if version != self._version:
            self._version = version
            try:
                self._list = load_allow_list(self._security.allow_list)
            except SurgNavError as error:
                self.refusals.add(f"the changed allow list, the last good one stays in force: {error}", "")
                return
            self._admit_anew()
        elif self._security.unix_time_s() >= self._next_change_s:
            self._admit_anew()

    def _admit_anew(self) -> None:
        now_s = self._security.unix_time_s()
        keys = (client.public_key for client in self._list.clients)
        self._admitted = frozenset(key for key in keys if not self._list.refusal(key, now_s))
        self._next_change_s = self._list.next_change_s(now_s)
        self.generation += 1


def client_options(keys: ClientKeys | None) -> dict[Any, Any]:
    """Socket options of a client with these keys; empty without keys."""
    if keys is None:
        return {}
    return {
        zmq.CURVE_SERVERKEY: keys.server_public.encode("ascii"),
        zmq.CURVE_PUBLICKEY: keys.own.public.encode("ascii"),
        zmq.CURVE_SECRETKEY: keys.own.secret.encode("ascii"),
    }


def _version_of(path: Path) -> tuple[int, int, int]:
    """Inode, time and size of a file, which change when it is replaced or rewritten; zeros if it does not exist."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)
