"""The client's end of the pose socket."""

from __future__ import annotations

import zmq

from geometry.clock import Clock
from geometry.errors import SurgNavError
from unity_bridge.client.link_watch import LinkState, LinkWatch
from unity_bridge.client.poses.guidance import GuidanceLog, is_guidance
from unity_bridge.client.poses.log import PoseLog
from unity_bridge.client.silence import Silence
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.transport.endpoints import POSE_BUFFER_BYTES
from unity_bridge.transport.keys import ClientKeys
from unity_bridge.wire.generated.constants import WIRE_MAGIC

_MAX_BATCH_BYTES = 262_144
# More than arrive within some seconds, and few enough that the other sockets are served.
_MAX_PER_DRAIN = 1024
# So many missing batches in a row mean a broken link, even for a slow server.
_SILENT_PERIODS = 10


class PoseReceiver:
    """Receives pose batches; reads all that have arrived, so that `log.newest` is current even after a delay.

    Attributes:
        watch: state of the connection.
        socket: the socket, to be polled for input.
        log: the received batches.
        guidance: the newest guidance.
        refused: number of messages that were no valid pose batch or guidance, or repeated.
        last_refusal: the last of these errors.
        reconnects: number of connections made after a silence.
    """

    def __init__(
        self,
        endpoint: str,
        context: zmq.Context,
        clock: Clock,
        max_batches: int,
        queued: int,
        keys: ClientKeys | None = None,
        silence_ns: int = 2_000_000_000,
    ) -> None:
        options = {zmq.RCVHWM: queued, zmq.MAXMSGSIZE: _MAX_BATCH_BYTES, zmq.RCVBUF: POSE_BUFFER_BYTES}
        self.watch = LinkWatch(context, clock, keys)
        self.socket = self.watch.connect(zmq.SUB, endpoint, options)
        self._token: bytes | None = None
        self._subscribe()
        self.reconnects = 0
        self._silence, self._silence_ns = Silence(clock.now_ns()), silence_ns
        self.log, self.guidance = PoseLog(max_batches), GuidanceLog()
        self.refused = 0
        self.last_refusal = ""
        self._clock = clock
        self._decoder = PoseBatchDecoder()

    def admit(self, token: bytes | None) -> None:
        """Subscribes with a token of the server; None takes it back. Without one a server that tests sends nothing."""
        if token != self._token:
            if self._token is not None:
                self.socket.setsockopt(zmq.UNSUBSCRIBE, self._token)
            self._token = token
            self._subscribe()

    def drain(self) -> int:
        """Processes the messages that have arrived, without waiting; returns their number."""
        for count in range(_MAX_PER_DRAIN):
            try:
                message = self.socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return count
            received_ns = self._clock.now_ns()
            self._silence.broken(received_ns)
            try:
                if is_guidance(message):
                    self.guidance.take(message)
                    continue
                batch = self._decoder.decode(message)
                self.log.add(batch, received_ns, self._clock.now_ns())
            except SurgNavError as error:
                self.refused += 1
                self.last_refusal = str(error)
        return _MAX_PER_DRAIN

    def tick(self, rate_hz: float) -> None:
        """Subscribes again after too long a silence, since a subscriber does not notice every broken link.

        Args:
            rate_hz: rate at which the server sends batches; 0 as long as it sends none.
        """
        now_ns = self._clock.now_ns()
        if rate_hz <= 0 or self.watch.state is LinkState.REFUSED:
            self._silence.excused(now_ns)
        elif self._silence.is_too_long(max(self._silence_ns, round(_SILENT_PERIODS * 1e9 / rate_hz)), now_ns):
            self.reconnects += 1
            self.socket = self.watch.reconnect()
            self._subscribe()

    def _subscribe(self) -> None:
        self.socket.setsockopt(zmq.SUBSCRIBE, WIRE_MAGIC)  # opens libzmq's own filter for the messages
        if self._token is not None:
            self.socket.setsockopt(zmq.SUBSCRIBE, self._token)

    def close(self) -> None:
        self.watch.close()
        self.socket.close()
