"""Addresses and sockets: what may be bound, and the options that keep a bad peer from doing harm."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

import zmq

from unity_bridge.errors import EndpointRefusedError

# The kernel's share of what may wait for a stalled reader. Left to itself it grows to 10 MB: minutes of old poses.
POSE_BUFFER_BYTES = 524_288

_ALWAYS = {
    zmq.LINGER: 0,
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 4,
    zmq.TCP_KEEPALIVE_INTVL: 2,
    zmq.TCP_KEEPALIVE_CNT: 3,
}

_TCP = re.compile(r"tcp://(?P<host>\[[0-9a-fA-F:.]+\]|[^:;/\[\]\s]+):(?P<port>\*|\d{1,5})")
_LOCAL = re.compile(r"(?:ipc|inproc)://[^\s;]+")


def check_bindable(endpoint: str) -> str:
    """Returns the address to bind if only this machine can reach it, with 'localhost' made explicit.

    Raises:
        EndpointRefusedError: anything but ipc, inproc and TCP on 127.0.0.0/8 or [::1]. There are no keys in wire v1
            yet, and whoever can reach an open socket can read the patient's anatomy.
    """
    if _LOCAL.fullmatch(endpoint):
        return endpoint
    parts = _TCP.fullmatch(endpoint)
    # A hosts file may send 'localhost' anywhere, so the number is bound.
    host = parts["host"].strip("[]") if parts else ""
    host = "127.0.0.1" if host == "localhost" else host
    if parts is None or not _is_loopback(host):
        raise EndpointRefusedError(
            f"the address {endpoint!r} to bind without keys",
            "loopback only: tcp://127.0.0.1:PORT, tcp://[::1]:PORT, ipc://PATH or inproc://NAME",
            "bind loopback, and run the client on this machine or through an authenticated tunnel",
        )
    return f"tcp://[{host}]:{parts['port']}" if ":" in host else f"tcp://{host}:{parts['port']}"


def bind(context: zmq.Context, kind: int, endpoint: str, options: Mapping[Any, int]) -> zmq.Socket[bytes]:
    """A bound socket that never lingers; `options` are set before binding, as ZeroMQ needs it.

    Raises:
        EndpointRefusedError: not loopback, or already in use.
    """
    address = check_bindable(endpoint)
    socket: zmq.Socket[bytes] = context.socket(kind)
    set_options(socket, {zmq.IPV6: int("[" in address), **options})
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close()
        raise EndpointRefusedError(
            f"binding {address}: {error.strerror}", "a free address", "stop the other program, or use port *"
        ) from error
    return socket


def connect(context: zmq.Context, kind: int, endpoint: str, options: Mapping[Any, int]) -> zmq.Socket[bytes]:
    """A socket that connects, and keeps reconnecting, in the background.

    Raises:
        EndpointRefusedError: not an address.
    """
    socket: zmq.Socket[bytes] = context.socket(kind)
    set_options(
        socket, {zmq.IPV6: int("[" in endpoint), zmq.RECONNECT_IVL: 100, zmq.RECONNECT_IVL_MAX: 1000, **options}
    )
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        socket.close()
        raise EndpointRefusedError(
            f"the address {endpoint!r}: {error.strerror}", "such as tcp://127.0.0.1:5555", "check host and port"
        ) from error
    return socket


def set_options(socket: zmq.Socket[bytes], options: Mapping[Any, int]) -> None:
    """Applies options. Nothing unsent keeps a closing program alive; a peer that has vanished is noticed within 10 s.

    That is TCP's own keep-alive. ZeroMQ's heartbeats stay off: while its reader stalls with a full queue, libzmq
    (4.3.5, issue 3937) takes the connection for dead, and then aborts the whole process.
    """
    for option, value in {**_ALWAYS, **options}.items():
        socket.setsockopt(option, value)


def bound_endpoint(socket: zmq.Socket[bytes]) -> str:
    """The address that was really bound: a '*' port has become a number."""
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
