"""The pose socket: every tool of an instant in one message, to whoever listens, without ever waiting for anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import zmq

from unity_bridge.poses.encoder import PoseBatchEncoder
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.transport.authentication import Gate, Refusal, ServerSecurity
from unity_bridge.transport.connections import Connections, ConnectionSettings
from unity_bridge.transport.endpoints import POSE_BUFFER_BYTES, bind, bound_endpoint
from unity_bridge.wire.envelope import MessageType, Session, Validity

# A subscription is a few bytes; an encrypted handshake's longest frame is 300, and 255 more if the client names itself.
_MAX_SUBSCRIPTION_BYTES = 640
# libzmq takes in all subscriptions that wait, at once, within any call: few may wait. (With 1, CURVE finds no end.)
_QUEUED_SUBSCRIPTIONS = 8
_MAX_SUBSCRIPTIONS_PER_POLL = 64


@dataclass(frozen=True, kw_only=True)
class PublisherSettings:
    """Bounds of the pose socket.

    Attributes:
        queued_batches: batches held for a subscriber that does not read; what comes beyond is dropped for it alone.
            A display wants few (it only shows the newest), a recorder many. 256 batches outlast a stall of 2.5 s at
            100 Hz and are drained in milliseconds, so that they never become lag; at 2 kB each they cost 0.5 MB.
        connections: bounds of the subscribers. All that one has to send is its handshake and its subscription.
    """

    queued_batches: int = 256
    connections: ConnectionSettings = field(
        default_factory=lambda: ConnectionSettings(
            max_connections=64, bytes_per_s=4096, burst_bytes=65_536, max_messages=8
        )
    )


class PosePublisher:
    """Publishes pose batches to subscribers in a ZeroMQ context of its own, so that no other traffic delays it.

    Sending never blocks. A subscriber sees what it lost as a gap in the sequence numbers. The socket is an XPUB, which
    is a PUB on the wire, and lets us see who subscribes: libzmq's PUB takes in subscriptions without bound.

    Args:
        endpoint: where to bind, such as 'tcp://127.0.0.1:*'; see `endpoint` for the port that was chosen.
        session: stamps the messages.
        security: keys and allow list; without them loopback only.

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
    ) -> None:
        settings = settings or PublisherSettings()
        self._session = session
        self._encoder = PoseBatchEncoder()
        self._sequence = 0
        self._context = zmq.Context()
        try:
            self._gate = None if security is None else Gate(self._context, security)
            options = {
                zmq.SNDHWM: settings.queued_batches,
                zmq.SNDBUF: POSE_BUFFER_BYTES,
                zmq.XPUB_VERBOSE: 1,
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
            tools: every tool that is known, also those that are lost.
            capture_ns: when the sensor saw this instant, on the session's clock.
            validity: of what all poses stand on, such as the registration; with `reason` if it is not valid.

        Raises:
            InvalidPoseError: a tool twice, or too many of them; nothing was sent.
        """
        header = self._session.header(MessageType.POSE_BATCH, self._sequence + 1, capture_ns, validity)
        message = self._encoder.encode(header, tools, reason)
        self._sequence += 1
        self._socket.send(message, zmq.DONTWAIT)  # PUB drops rather than blocks
        self.poll()
        return self._sequence

    def poll(self) -> None:
        """Lets in who knocks, and puts out who has to go; `publish` does it after sending, others need not."""
        if self._gate is not None:
            self._gate.poll()
        self._connections.poll()
        for _ in range(_MAX_SUBSCRIPTIONS_PER_POLL):
            try:
                self._connections.note(self._socket.recv(zmq.DONTWAIT, copy=False))
            except zmq.Again:
                break
        if self._gate is not None and self._gate.generation != self._generation:
            self._generation = self._gate.generation
            self._connections.cut_unless(self._gate.refusal)

    @property
    def subscriber_count(self) -> int:
        """Who has subscribed; those that have left may still be counted for a moment."""
        return self._connections.count

    def take_refusals(self) -> tuple[Refusal, ...]:
        """Who was kept or put out since the last call, and why."""
        refused = self._gate.refusals.take() if self._gate else ()
        return refused + self._connections.refusals.take()

    def close(self) -> None:
        """Closes at once; what was not sent is dropped. May be called again."""
        self._connections.close()
        self._socket.close()
        if self._gate is not None:
            self._gate.close()
        self._context.term()

    def __enter__(self) -> PosePublisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
