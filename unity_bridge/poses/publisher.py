"""The pose socket: publishes pose batches to all admitted subscribers, and never waits for any of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import zmq

from unity_bridge.poses.encoder import PoseBatchEncoder
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.transport.admission import AdmissionCheck
from unity_bridge.transport.authentication import Gate, Refusal, ServerSecurity
from unity_bridge.transport.connections import Connections, ConnectionSettings, descriptor
from unity_bridge.transport.endpoints import POSE_BUFFER_BYTES, bind, bound_endpoint
from unity_bridge.wire.envelope import MessageType, Session, Validity, unpack_message
from unity_bridge.wire.generated.constants import WIRE_MAGIC

# A subscription has a few bytes; the longest frame of an encrypted handshake has 300, plus up to 255 for an identity.
_MAX_SUBSCRIPTION_BYTES = 640
# libzmq processes all waiting subscriptions within any call, so only few may wait. (With 1, a CURVE handshake hangs.)
_QUEUED_SUBSCRIPTIONS = 8
_MAX_SUBSCRIPTIONS_PER_POLL = 64
_SUBSCRIBE = b"\x01"


@dataclass(frozen=True, kw_only=True)
class PublisherSettings:
    """Bounds of the pose socket.

    Attributes:
        queued_batches: number of batches queued for a subscriber that does not read; further ones are dropped for this
            subscriber only. A display needs few (it only shows the newest), a recorder many. 256 batches cover a stall
            of 2.5 s at 100 Hz and are read in milliseconds, so that they add no lasting delay; at 2 kB each they take
            0.5 MB.
        connections: bounds of the subscribers' connections. A subscriber sends only its handshake and subscription.
    """

    queued_batches: int = 256
    connections: ConnectionSettings = field(
        default_factory=lambda: ConnectionSettings(
            max_connections=64, bytes_per_s=4096, burst_bytes=65_536, max_messages=8
        )
    )


class PosePublisher:
    """Publishes pose batches to subscribers in a ZeroMQ context of its own, so that no other traffic delays it.

    Sending never blocks. A subscriber sees lost batches as a gap in the sequence numbers. The socket is an XPUB, which
    is a PUB on the wire but delivers the subscriptions, so that their number can be limited; libzmq's PUB accepts them
    without bound. With an admission it decides what each subscriber gets: everything for a token that admits it, and
    nothing for any other topic.

    Args:
        endpoint: address to bind, such as 'tcp://127.0.0.1:*'; the attribute `endpoint` has the port that was chosen.
        session: stamps the messages.
        settings: bounds of the socket.
        security: keys and allow list; without them loopback only.
        keep: is given the bytes of every message, after they were sent; it must not wait for anything.
        admission: checks the tokens of subscribers; without it every subscriber is admitted.
        first_sequence: number of the first batch.

    Raises:
        EndpointRefusedError: not loopback and without keys, or in use.
        KeyFileError: the allow list is damaged.
    """

    def __init__(
        self,
        endpoint: str,
        session: Session,
        settings: PublisherSettings | None = None,
        security: ServerSecurity | None = None,
        keep: Callable[[bytes], object] | None = None,
        admission: AdmissionCheck | None = None,
        first_sequence: int = 1,
    ) -> None:
        settings = settings or PublisherSettings()
        self._session = session
        self._keep = keep
        self._encoder = PoseBatchEncoder()
        self._sequence = first_sequence - 1
        self._admission = admission
        self._admitted: dict[int, int] = {}  # file descriptor of a connection -> number of the token it came with
        self._context = zmq.Context()
        try:
            self._gate = None if security is None else Gate(self._context, security)
            options = {
                zmq.SNDHWM: settings.queued_batches,
                zmq.SNDBUF: POSE_BUFFER_BYTES,
                zmq.XPUB_VERBOSE if admission is None else zmq.XPUB_MANUAL: 1,
                zmq.RCVHWM: _QUEUED_SUBSCRIPTIONS,
                zmq.MAXMSGSIZE: _MAX_SUBSCRIPTION_BYTES,
            }
            keyed = self._gate.server_options if self._gate else {}
            self._socket = bind(self._context, zmq.XPUB, endpoint, options | keyed)
        except Exception:
            self._context.destroy(linger=0)
            raise
        self.endpoint = bound_endpoint(self._socket)
        self._connections = Connections(self._context, self._socket, session.clock, settings.connections)
        self._generation = 0

    @property
    def last_sequence(self) -> int:
        """The sequence number of the newest batch, 0 before the first."""
        return self._sequence

    def publish(
        self,
        tools: Sequence[ToolState],
        capture_ns: int,
        validity: Validity = Validity.VALID,
        reason: str = "",
    ) -> int:
        """Sends one batch and returns its sequence number.

        Args:
            tools: all known tools, including lost ones.
            capture_ns: time at which the sensor measured, on the session's clock.
            validity: validity of what all poses depend on, such as the registration.
            reason: why it is not valid; empty if it is.

        Raises:
            InvalidPoseError: a tool twice, or too many of them; nothing was sent.
        """
        header = self._session.header(MessageType.POSE_BATCH, self._sequence + 1, capture_ns, validity)
        message = self._encoder.encode(header, tools, reason)
        self._sequence += 1
        self.send(message)
        return self._sequence

    def publish_bytes(self, message: bytes) -> None:
        """Sends a message as it was once published, to the last bit: a recording's.

        Raises:
            WireError: it has no header of the wire.
        """
        header = unpack_message(message)[0]
        if header.message_type == MessageType.POSE_BATCH:
            self._sequence = header.sequence
        self.send(message)

    def send(self, message: bytes) -> None:
        """Sends a message of any type of this socket, such as guidance, as it is."""
        self._socket.send(message, zmq.DONTWAIT)  # PUB drops rather than blocks
        if self._keep is not None:
            self._keep(message)
        self.poll()

    def poll(self) -> None:
        """Handles handshakes, subscriptions and revoked keys. `publish` calls this; call it where nothing is sent."""
        if self._gate is not None:
            self._gate.poll()
        self._connections.poll()
        for _ in range(_MAX_SUBSCRIPTIONS_PER_POLL):
            try:
                frame = self._socket.recv(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                break
            key, _ = self._connections.note(frame)
            if self._admission is not None and frame.bytes[:1] == _SUBSCRIBE:
                self._admit(self._admission, frame.bytes[1:], key, descriptor(frame))
        if self._gate is not None and self._gate.generation != self._generation:
            self._generation = self._gate.generation
            self._connections.cut_unless(self._gate.refusal)

    def withdraw(self, number: int) -> None:
        """Cuts off whoever was admitted by the token with this number, and admits it no more."""
        if self._admission is not None:
            self._admission.withdraw(number)
            for fd in [fd for fd, its_number in self._admitted.items() if its_number == number]:
                del self._admitted[fd]
                self._connections.cut(fd, "its self-test was withdrawn: it gets no poses until it passes another")

    def _admit(self, admission: AdmissionCheck, topic: bytes, key: str, fd: int | None) -> None:
        """Gives everything to the subscriber whose subscription was read last, if its topic is a token of its own."""
        number = admission.number(topic, key)
        if number is not None and fd is not None:
            self._admitted[fd] = number
            self._socket.setsockopt(zmq.SUBSCRIBE, WIRE_MAGIC)
        elif topic != WIRE_MAGIC:  # which opens only the subscriber's own filter
            self._connections.refuse(fd, key, "no poses without a token of this session: pass the self-test first")

    @property
    def subscriber_count(self) -> int:
        """Number of subscribers that get poses; those that have left may still be counted for a moment."""
        if self._admission is None:
            return self._connections.count
        return sum(self._connections.is_open(fd) for fd in self._admitted)

    def take_refusals(self) -> tuple[Refusal, ...]:
        """Returns the connections that were refused or cut off since the last call, with the reasons."""
        refused = self._gate.refusals.take() if self._gate else ()
        return refused + self._connections.refusals.take()

    def close(self) -> None:
        """Closes at once; unsent batches are dropped. May be called again."""
        self._connections.close()
        self._socket.close()
        if self._gate is not None:
            self._gate.close()
        self._context.term()

    def __enter__(self) -> PosePublisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
