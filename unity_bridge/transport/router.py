"""The base of surface and control server: a polled ROUTER socket with limits that no client can exceed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import zmq

from geometry.errors import SurgNavError
from unity_bridge.errors import KeyRefusedError, RepeatedMessageError, TooManyClientsError, TooManyRequestsError
from unity_bridge.transport.authentication import Gate, Refusal
from unity_bridge.transport.connections import Connection, Connections, ConnectionSettings
from unity_bridge.transport.endpoints import bind, bound_endpoint
from unity_bridge.transport.rate_limit import Allowances
from unity_bridge.wire.envelope import Header, Session, malformed, unpack_message
from unity_bridge.wire.messages import Error, decode_message, encode_message
from unity_bridge.wire.schema import Declared

_IDLE_LIMIT_NS = 10_000_000_000
# Delay between the message that a client's key was revoked and the end of its connection.
_FAREWELL_NS = 1_000_000_000
_ENROLL = ("a key on the server's allow list", "enroll this client anew")


@dataclass(frozen=True, kw_only=True)
class RouterSettings:
    """Bounds of a ROUTER socket.

    Attributes:
        max_clients: largest number of clients; further ones are refused until one leaves or was silent for 10 s.
        max_request_bytes: largest message; a longer one ends the sender's connection.
        max_queued_replies: largest number of unread replies per client; further ones are dropped.
        max_requests_per_poll: largest number of requests per `poll`, which bounds its duration.
        requests_per_s, burst_requests: rate limit of one key over all its connections, or of one connection without
            keys. Requests beyond it are refused unread.
        connections: bounds of the connections.
        deaf_ns: how long requests of a client with a full queue are ignored, so that unread replies take no time from
            other clients. 0 where requests must not be lost.
    """

    max_clients: int = 64
    max_request_bytes: int = 65_536
    max_queued_replies: int = 16
    max_requests_per_poll: int = 64
    requests_per_s: int = 500
    burst_requests: int = 1000
    connections: ConnectionSettings = field(default_factory=ConnectionSettings)
    deaf_ns: int = 0


@dataclass
class Client:
    """What a server remembers about a client.

    Attributes:
        last_seen_ns: time of its last request.
        name: name by which it presents itself; empty before Hello.
        key: its authenticated key in Z85; empty without keys.
        last_sequence: sequence number of its last request.
        deaf_until_ns: until then its requests are ignored, since it does not read its replies.
        connection: its TCP connection; None if not known.
    """

    last_seen_ns: int
    name: str = ""
    key: str = ""
    last_sequence: int = 0
    deaf_until_ns: int = 0
    connection: Connection | None = None


@dataclass(frozen=True)
class Request:
    """One well-formed message of a client; `received_ns` is on the server's clock."""

    identity: bytes
    client: Client
    header: Header
    message: Declared
    received_ns: int


class RouterServer(ABC):
    """A server that answers single-frame requests; subclasses implement `answer`.

    Args:
        endpoint: address to bind, such as 'tcp://127.0.0.1:*'.
        session: the server's session, which stamps the messages.
        context: a ZeroMQ context that outlives this server; not the pose publisher's.
        settings: bounds of the socket.
        gate: authenticates the clients; one for all servers of the context. Without it loopback only.

    Attributes:
        endpoint: the address that was bound.
        replies_dropped: number of replies that were dropped, or never made, because a client did not read.
        requests_refused: number of requests answered with an Error.
        requests_limited: those among them that exceeded the rate limit.
        keep: is given every well-formed request (``in``) and every reply (``out``), and must not wait; None for nobody.

    Raises:
        EndpointRefusedError: not loopback and without keys, or in use.
    """

    def __init__(
        self,
        endpoint: str,
        session: Session,
        context: zmq.Context,
        settings: RouterSettings,
        gate: Gate | None = None,
    ) -> None:
        self._session = session
        self._settings = settings
        self._gate = gate
        self._sequence = 0
        self._clients: OrderedDict[bytes, Client] = OrderedDict()  # the longest silent first
        self._allowances = Allowances(settings.requests_per_s, settings.burst_requests, 4 * settings.max_clients)
        self._generation = 0 if gate is None else gate.generation
        self._cut_at_ns: int | None = None
        self.replies_dropped = 0
        self.requests_refused = 0
        self.requests_limited = 0
        self.keep: Callable[[str, bytes], object] | None = None
        options = {
            zmq.SNDHWM: settings.max_queued_replies,
            zmq.RCVHWM: settings.max_requests_per_poll,
            zmq.MAXMSGSIZE: settings.max_request_bytes,
            zmq.ROUTER_MANDATORY: 1,  # a full queue is an error to count, rather than silence
        }
        self.socket = bind(context, zmq.ROUTER, endpoint, options | (gate.server_options if gate else {}))
        self.endpoint = bound_endpoint(self.socket)
        self._connections = Connections(context, self.socket, session.clock, settings.connections)

    @property
    def sockets(self) -> tuple[zmq.Socket[bytes], ...]:
        """The sockets to wait for before `poll`."""
        own = (self.socket, self._connections.socket)
        return own if self._gate is None else (*own, self._gate.socket)

    def poll(self, timeout_ms: int = 0) -> int:
        """Waits up to `timeout_ms` for requests, then answers them; returns the number of requests taken."""
        poller = zmq.Poller()
        for socket in self.sockets:
            poller.register(socket, zmq.POLLIN)
        poller.poll(timeout_ms)
        if self._gate is not None:
            self._gate.poll()
        self._connections.poll()
        self._put_out_revoked()
        for served in range(self._settings.max_requests_per_poll):
            try:
                frames = self.socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return served
            self._serve(frames[0].bytes, frames[1:])
        return self._settings.max_requests_per_poll

    @property
    def client_count(self) -> int:
        """Number of clients that are remembered."""
        return len(self._clients)

    def take_refusals(self) -> tuple[Refusal, ...]:
        """Returns connections that were cut off or failed since the last call; the gate has refusals of its own."""
        return self._connections.refusals.take()

    def close(self) -> None:
        """Closes at once. May be called again."""
        self._connections.close()
        self.socket.close()

    @abstractmethod
    def answer(self, request: Request) -> Declared | None:
        """The reply to a request; None if there is none.

        Raises:
            SurgNavError: the request is refused; the client gets an Error message.
        """

    def forget(self, identity: bytes) -> None:
        """Drops what is remembered about a client, which may come again."""
        self._clients.pop(identity, None)

    def _serve(self, identity: bytes, frames: list[zmq.Frame]) -> None:
        received_ns = self._session.clock.now_ns()
        key, connection = self._connections.note(frames[-1]) if frames else ("", None)
        if self._is_deaf(identity, received_ns):
            self.replies_dropped += 1
            return
        sequence = 0
        try:
            self._check_right(key, identity, received_ns)
            client = self._admit(identity, key, received_ns)
            client.connection = client.connection or connection
            if len(frames) != 1:
                raise malformed(f"a message of {len(frames)} frames", "one frame")
            sequence = unpack_message(frames[0].bytes)[0].sequence  # for the answer, should the rest be malformed
            header, message = decode_message(frames[0].bytes)
            if sequence <= client.last_sequence:
                last = client.last_sequence
                raise RepeatedMessageError(
                    f"message {sequence} after {last}", f"{last + 1} or later", "number messages upwards"
                )
            client.last_sequence = sequence
            if self.keep is not None:
                self.keep("in", frames[0].bytes)
            reply = self.answer(Request(identity, client, header, message, received_ns))
        except SurgNavError as error:
            self.requests_refused += 1
            reply = Error.of(error, sequence)
        if reply is not None:
            self._send(identity, reply)

    def _is_deaf(self, identity: bytes, now_ns: int) -> bool:
        client = self._clients.get(identity)
        return client is not None and now_ns < client.deaf_until_ns

    def _check_right(self, key: str, identity: bytes, now_ns: int) -> None:
        """Raises `KeyRefusedError` or `TooManyRequestsError` unless the key is admitted and within its rate limit."""
        try:
            self._allowances.check(key or identity, now_ns)
        except TooManyRequestsError:
            self.requests_limited += 1
            raise
        if self._gate is not None and (reason := self._gate.refusal(key)):
            raise KeyRefusedError(reason, *_ENROLL)

    def _admit(self, identity: bytes, key: str, now_ns: int) -> Client:
        client = self._clients.get(identity)
        if client is None:
            while self._clients and now_ns - next(iter(self._clients.values())).last_seen_ns > _IDLE_LIMIT_NS:
                self.forget(next(iter(self._clients)))
            same = [other for other, client in self._clients.items() if key and client.key == key]
            if len(same) >= self._settings.connections.max_per_key:
                self.forget(same[0])
            limit = self._settings.max_clients
            if len(self._clients) >= limit:
                self._forget_gone()
            if len(self._clients) >= limit:
                raise TooManyClientsError(f"client {limit + 1}", f"{limit} clients at a time", "try again later")
            client = self._clients[identity] = Client(now_ns, key=key)
        client.last_seen_ns = now_ns
        self._clients.move_to_end(identity)
        return client

    def _forget_gone(self) -> None:
        """Forgets clients whose connection ended without a Goodbye, to make room for a new one."""
        for identity, client in list(self._clients.items()):
            if client.connection is not None and client.connection.is_gone:
                self.forget(identity)

    def _put_out_revoked(self) -> None:
        """Notifies clients whose key is no longer admitted, and shuts their connections down a second later."""
        if self._gate is None:
            return
        now_ns = self._session.clock.now_ns()
        if self._gate.generation != self._generation:
            self._generation, self._cut_at_ns = self._gate.generation, now_ns + _FAREWELL_NS
            for identity, client in list(self._clients.items()):
                if reason := self._gate.refusal(client.key):
                    self._send(identity, Error.of(KeyRefusedError(reason, *_ENROLL)))
                    self.forget(identity)
        if self._cut_at_ns is not None and now_ns >= self._cut_at_ns:
            self._cut_at_ns = None
            self._connections.cut_unless(self._gate.refusal)

    def _send(self, identity: bytes, message: Declared) -> None:
        self._sequence += 1
        frame = encode_message(message, self._session, self._sequence)
        if self.keep is not None:
            self.keep("out", frame)
        try:
            self.socket.send_multipart([identity, frame], zmq.DONTWAIT)
        except zmq.Again:
            self.replies_dropped += 1  # it does not read: it will ask again, or not
            if client := self._clients.get(identity):
                client.deaf_until_ns = self._session.clock.now_ns() + self._settings.deaf_ns
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            self.forget(identity)
