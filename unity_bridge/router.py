"""What the surface and the control server share: a polled ROUTER socket that no client can fill or stall."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from dataclasses import dataclass

import zmq

from geometry.errors import SurgNavError
from unity_bridge.endpoints import bind, bound_endpoint
from unity_bridge.errors import TooManyClientsError
from unity_bridge.messages import Error, decode_message, encode_message
from unity_bridge.schema import Declared
from unity_bridge.wire import Header, Session, malformed

_IDLE_LIMIT_NS = 10_000_000_000


@dataclass(frozen=True, kw_only=True)
class RouterSettings:
    """Bounds of a ROUTER socket.

    Attributes:
        max_clients: further clients are refused until one leaves or has been silent for 10 s.
        max_request_bytes: a longer message costs its sender the connection.
        max_queued_replies: replies that a client has not yet read; beyond it, replies to it are dropped.
        max_requests_per_poll: bounds the time that one `poll` takes away from the pose loop.
    """

    max_clients: int = 64
    max_request_bytes: int = 65_536
    max_queued_replies: int = 16
    max_requests_per_poll: int = 64


@dataclass
class Client:
    """What a server remembers about a connection; `name` is empty until it has said Hello."""

    last_seen_ns: int
    name: str = ""


@dataclass(frozen=True)
class Request:
    """One well-formed message, and when it was taken from the socket, on the server's clock."""

    identity: bytes
    client: Client
    header: Header
    message: Declared
    received_ns: int


class RouterServer(ABC):
    """Answers single-frame requests. Subclasses say how, in `answer`.

    Args:
        endpoint: where to bind, such as 'tcp://127.0.0.1:*'.
        context: a ZeroMQ context that outlives this server; not the pose publisher's.

    Raises:
        EndpointRefusedError: not loopback, or in use.
    """

    def __init__(self, endpoint: str, session: Session, context: zmq.Context, settings: RouterSettings) -> None:
        self._session = session
        self._settings = settings
        self._sequence = 0
        self._clients: OrderedDict[bytes, Client] = OrderedDict()  # the longest silent first
        self.replies_dropped = 0
        self.requests_refused = 0
        options = {
            zmq.SNDHWM: settings.max_queued_replies,
            zmq.RCVHWM: settings.max_requests_per_poll,
            zmq.MAXMSGSIZE: settings.max_request_bytes,
            zmq.ROUTER_MANDATORY: 1,  # a full queue is an error to count, rather than silence
        }
        self.socket = bind(context, zmq.ROUTER, endpoint, options)
        self.endpoint = bound_endpoint(self.socket)

    def poll(self, timeout_ms: int = 0) -> int:
        """Waits up to `timeout_ms` for a request, then answers what is there; returns how many it answered."""
        if not self.socket.poll(timeout_ms):
            return 0
        for served in range(self._settings.max_requests_per_poll):
            try:
                frames = self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return served
            self._serve(frames[0], frames[1:])
        return self._settings.max_requests_per_poll

    @property
    def client_count(self) -> int:
        return len(self._clients)

    def close(self) -> None:
        """Closes at once. May be called again."""
        self.socket.close()

    @abstractmethod
    def answer(self, request: Request) -> Declared | None:
        """The reply, or None for none."""

    def forget(self, identity: bytes) -> None:
        """Drops what is remembered about a client; it may come again."""
        self._clients.pop(identity, None)

    def _serve(self, identity: bytes, frames: list[bytes]) -> None:
        received_ns = self._session.clock.now_ns()
        client = self._admit(identity, received_ns)
        sequence = 0
        try:
            if client is None:
                limit = self._settings.max_clients
                raise TooManyClientsError(f"client {limit + 1}", f"{limit} clients at a time", "try again later")
            if len(frames) != 1:
                raise malformed(f"a message of {len(frames)} frames", "one frame")
            header, message = decode_message(frames[0])
            sequence = header.sequence
            reply = self.answer(Request(identity, client, header, message, received_ns))
        except SurgNavError as error:
            self.requests_refused += 1
            reply = Error.of(error, sequence)
        if reply is not None:
            self._send(identity, reply)

    def _admit(self, identity: bytes, now_ns: int) -> Client | None:
        client = self._clients.get(identity)
        if client is None:
            while self._clients and now_ns - next(iter(self._clients.values())).last_seen_ns > _IDLE_LIMIT_NS:
                self._clients.popitem(last=False)
            if len(self._clients) >= self._settings.max_clients:
                return None
            client = self._clients[identity] = Client(now_ns)
        client.last_seen_ns = now_ns
        self._clients.move_to_end(identity)
        return client

    def _send(self, identity: bytes, message: Declared) -> None:
        self._sequence += 1
        frame = encode_message(message, self._session, self._sequence)
        try:
            self.socket.send_multipart([identity, frame], zmq.DONTWAIT)
        except zmq.Again:
            self.replies_dropped += 1  # it does not read: it will ask again, or not
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self.forget(identity)
