"""The pose socket: every tool of an instant in one message, to whoever listens, without ever waiting for anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import zmq

from unity_bridge.endpoints import POSE_BUFFER_BYTES, bind, bound_endpoint
from unity_bridge.pose_batch import encode_pose_batch
from unity_bridge.tool_state import ToolState
from unity_bridge.wire import MessageType, Session, Validity


@dataclass(frozen=True, kw_only=True)
class PublisherSettings:
    """Bounds of the pose socket.

    Attributes:
        queued_batches: batches held for a subscriber that does not read; what comes beyond is dropped for it alone.
            A display wants few (it only shows the newest), a recorder many. 256 batches outlast a stall of 2.5 s at
            100 Hz and are drained in milliseconds, so that they never become lag; at 2 kB each they cost 0.5 MB.
    """

    queued_batches: int = 256


class PosePublisher:
    """Publishes pose batches on a PUB socket in a ZeroMQ context of its own, so that no other traffic delays it.

    Sending never blocks. A subscriber sees what it lost as a gap in the sequence numbers.

    Args:
        endpoint: where to bind, such as 'tcp://127.0.0.1:*'; see `endpoint` for the port that was chosen.
        session: stamps the messages.

    Raises:
        EndpointRefusedError: not loopback, or in use.
    """

    def __init__(self, endpoint: str, session: Session, settings: PublisherSettings | None = None) -> None:
        queued = (settings or PublisherSettings()).queued_batches
        self._session = session
        self._sequence = 0
        self._context = zmq.Context()
        try:
            self._socket = bind(self._context, zmq.PUB, endpoint, {zmq.SNDHWM: queued, zmq.SNDBUF: POSE_BUFFER_BYTES})
        except Exception:
            self._context.term()
            raise
        self.endpoint = bound_endpoint(self._socket)

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
        header = self._session.header(MessageType.POSE_BATCH, self._sequence + 1, capture_ns)
        message = encode_pose_batch(replace(header, validity=validity), tools, reason)
        self._sequence += 1
        self._socket.send(message, zmq.DONTWAIT)  # PUB drops rather than blocks
        return self._sequence

    def close(self) -> None:
        """Closes at once; what was not sent is dropped. May be called again."""
        self._socket.close()
        self._context.term()

    def __enter__(self) -> PosePublisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
