"""One connected program: its socket, what it asks for, and what waits for it."""

from __future__ import annotations

import socket

from navigation.clock import NS_PER_S
from navigation.devices.openigtlink.errors import LinkError
from navigation.devices.openigtlink.framing import Frame, FrameStream
from navigation.devices.openigtlink.messages import content_of
from navigation.devices.openigtlink.messages.requests import StartTracking, TrackingKind
from navigation.live.openigtlink.outbox import Outbox

# What a program sends us are requests; what else it sends is read and left aside, as long as it is of this size.
LARGEST_REQUEST_BYTES = 1 << 20
_READ_BYTES = 1 << 16
_NS_PER_MS = 1_000_000
_AT_ONCE = 0


class Client:
    """A program that is connected.

    Args:
        connection: its socket, which must not block.
        name: its address, for the operator.
        now_ns: time at which it came.

    Attributes:
        outbox: what waits for it.
        progress_ns: time at which it last took something, or had taken everything.
    """

    def __init__(self, connection: socket.socket, name: str, now_ns: int) -> None:
        self.connection, self.name, self.progress_ns = connection, name, now_ns
        self.outbox = Outbox()
        self._stream = FrameStream(LARGEST_REQUEST_BYTES)
        self._due_ns: dict[TrackingKind, tuple[int, int]] = {}  # kind -> (interval, time of the next)

    def receive(self) -> list[Frame] | None:
        """The messages that came; None if it has left.

        Raises:
            OSError: the connection is broken.
            LinkError: it sends something else than OpenIGTLink.
        """
        try:
            data = self.connection.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        return self._stream.feed(data) if data else None

    def send(self, now_ns: int) -> None:
        """Sends what the connection takes at once.

        Raises:
            OSError: the connection is broken.
        """
        if self.outbox.send(self.connection) or self.outbox.is_empty:
            self.progress_ns = now_ns

    def start_tracking(self, frame: Frame, kind: TrackingKind) -> bool:
        """Begins TDATA or QTDATA, not more often than the request says; False if the request is not understood."""
        try:
            asked = content_of(frame.type_name, frame.body)
        except LinkError:
            return False
        interval_ns = asked.resolution_ms * _NS_PER_MS if isinstance(asked, StartTracking) else 0
        self._due_ns[kind] = (interval_ns, _AT_ONCE)
        return True

    def stop_tracking(self, kind: TrackingKind) -> None:
        self._due_ns.pop(kind, None)

    def takes(self, kind: TrackingKind, now_ns: int) -> bool:
        """Whether it is time for the next TDATA or QTDATA; the time after that is then counted from this one."""
        interval_ns, due_ns = self._due_ns.get(kind, (0, None))
        if due_ns is None or now_ns < due_ns:
            return False
        # On the grid of the interval, so that a rate that is no multiple of the tracker's is kept in the mean.
        due_ns = now_ns if due_ns == _AT_ONCE else due_ns
        missed = (now_ns - due_ns) // interval_ns if interval_ns else 0
        self._due_ns[kind] = (interval_ns, due_ns + (missed + 1) * interval_ns)
        return True

    def is_stuck(self, now_ns: int, patience_s: float) -> bool:
        """Whether it has taken nothing for so long although something waits."""
        return not self.outbox.is_empty and now_ns - self.progress_ns > patience_s * NS_PER_S
