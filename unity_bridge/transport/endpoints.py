"""Addresses and sockets: which addresses may be bound, and the socket options that limit a faulty peer."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

import zmq

from unity_bridge.errors import EndpointRefusedError

# Size of the kernel's buffer for a stalled reader. By default it grows to 10 MB: minutes of old poses.
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


def check_bindable(endpoint: str, with_keys: bool = False) -> str:
    """Returns the address to bind, with 'localhost' replaced by its number; without keys, only local ones are allowed.

    Raises:
        EndpointRefusedError: not an address; or, without keys, anything but ipc, inproc and TCP on 127.0.0.0/8 or
            [::1], since everybody who reaches an open socket could read the patient's anatomy.
    """
    if _LOCAL.fullmatch(endpoint):
        return endpoint
    parts = _TCP.fullmatch(endpoint)
    # A hosts file may map 'localhost' to any address, so the number is bound.
    host = parts["host"].strip("[]") if parts else ""
    host = "127.0.0.1" if host == "localhost" else host
    if parts is None or not (_is_loopback(host) or (with_keys and _is_address(host))):
        loopback = "tcp://127.0.0.1:PORT, tcp://[::1]:PORT, ipc://PATH or inproc://NAME"
        raise EndpointRefusedError(
            f"the address {endpoint!r} to bind {'with' if with_keys else 'without'} keys",
            f"tcp://*:PORT, tcp:// with an IP address, or {loopback}" if with_keys else f"loopback only: {loopback}",
            "name the address by its number" if with_keys else "run 'surgnav keys new' and start with those keys",
        )
    return f"tcp://[{host}]:{parts['port']}" if ":" in host else f"tcp://{host}:{parts['port']}"


def is_local(endpoint: str) -> bool:
    """Whether an address to connect to is on this machine; host names other than localhost count as remote."""
    parts = _TCP.fullmatch(endpoint)
    host = parts["host"].strip("[]") if parts else ""
    return bool(_LOCAL.fullmatch(endpoint)) or host == "localhost" or _is_loopback(host)


def bind(context: zmq.Context, kind: int, endpoint: str, options: Mapping[Any, Any]) -> zmq.Socket[bytes]:
    """Makes and binds a socket that discards unsent messages when closed; `options` are set before binding.

    Raises:
        EndpointRefusedError: not loopback and without keys among the options, or already in use.
    """
    address = check_bindable(endpoint, bool(options.get(zmq.CURVE_SERVER)))
    socket: zmq.Socket[bytes] = context.socket(kind)
    set_options(socket, {zmq.IPV6: int("[" in address), **options})
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close()
        raise EndpointRefusedError(
            f"an error in binding {address}: {error.strerror}",
            "a free address",
            "stop the other program, or use port *",
        ) from error
    return socket


def connect(
    context: zmq.Context,
    kind: int,
    endpoint: str,
    options: Mapping[Any, Any],
    watch: Callable[[zmq.Socket[bytes]], None] | None = None,
) -> zmq.Socket[bytes]:
    """Makes a socket that connects, and reconnects, in the background.

    Args:
        context, kind, endpoint, options: as for `bind`.
        watch: called with the socket just before it connects.

    Raises:
        EndpointRefusedError: not an address.
    """
    socket: zmq.Socket[bytes] = context.socket(kind)
    set_options(
        socket, {zmq.IPV6: int("[" in endpoint), zmq.RECONNECT_IVL: 100, zmq.RECONNECT_IVL_MAX: 1000, **options}
    )
    try:
        if watch is not None:
            watch(socket)
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        socket.close()
        raise EndpointRefusedError(
            f"the address {endpoint!r}: {error.strerror}",
            "an address such as tcp://127.0.0.1:5555",
            "check host and port",
        ) from error
    return socket


def set_options(socket: zmq.Socket[bytes], options: Mapping[Any, Any]) -> None:
    """Sets `options`, no lingering, and TCP keep-alive, which detects a vanished peer within 10 s.

    ZeroMQ's heartbeats stay off: while a reader stalls with a full queue, libzmq (4.3.5, issue 3937) takes the
    connection for dead, and then aborts the whole process.
    """
    for option, value in {**_ALWAYS, **options}.items():
        socket.setsockopt(option, value)


def bound_endpoint(socket: zmq.Socket[bytes]) -> str:
    """The address that was bound, with the number of the port that was chosen for '*'."""
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def _is_loopback(host: str) -> bool:
    return host != "*" and _is_address(host) and ipaddress.ip_address(host).is_loopback


def _is_address(host: str) -> bool:
    """Whether `host` is an IP address, or * for all interfaces. Names may resolve to different addresses over time."""
    try:
        return host == "*" or bool(ipaddress.ip_address(host))
    except ValueError:
        return False
