"""The control socket: who is there, what time it is, what was received."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import zmq

from unity_bridge.authentication import Gate
from unity_bridge.errors import UnexpectedMessageError, UnknownClientError
from unity_bridge.messages import Acknowledge, ClientReport, ClockReply, ClockRequest, Goodbye, Hello, Welcome
from unity_bridge.router import Request, RouterServer, RouterSettings
from unity_bridge.schema import Declared
from unity_bridge.wire import NO_SESSION, Session


@dataclass(frozen=True, kw_only=True)
class ControlServerSettings:
    """Bounds of the control socket.

    Attributes:
        max_events: events kept until they are taken; beyond it the oldest is dropped and counted.
    """

    max_events: int = 256
    router: RouterSettings = field(default_factory=RouterSettings)


@dataclass(frozen=True)
class ControlEvent:
    """Something a client did: `what` is the Hello, the ClientReport or the Goodbye it sent."""

    client_name: str
    received_ns: int
    what: Hello | ClientReport | Goodbye


class ControlServer(RouterServer):
    """Welcomes clients with the full state, exchanges clocks, takes reports.

    Args:
        state: returns the state at this moment, for a client that joins at this moment.
    """

    def __init__(
        self,
        endpoint: str,
        session: Session,
        context: zmq.Context,
        state: Callable[[], Welcome],
        settings: ControlServerSettings | None = None,
        gate: Gate | None = None,
    ) -> None:
        options = settings or ControlServerSettings()
        self._state = state
        self._events: deque[ControlEvent] = deque(maxlen=options.max_events)
        self.events_dropped = 0
        super().__init__(endpoint, session, context, options.router, gate)

    def take_events(self) -> tuple[ControlEvent, ...]:
        """What clients did since the last call, oldest first."""
        events = tuple(self._events)
        self._events.clear()
        return events

    def answer(self, request: Request) -> Declared | None:
        message, client = request.message, request.client
        if isinstance(message, Hello):
            client.name = message.client_name
            self._note(request, message)
            return self._state()
        if not client.name or request.header.session_id not in {self._session.session_id, NO_SESSION}:
            raise UnknownClientError(
                f"a {type(message).__name__} of session {request.header.session_id.hex()[:8]} before Hello",
                f"session {self._session.session_id.hex()[:8]}",
                "say Hello, then ask again",
            )
        if isinstance(message, ClockRequest):
            return ClockReply(
                client_sent_ns=message.client_sent_ns,
                server_received_ns=request.received_ns,
                server_sent_ns=self._session.clock.now_ns(),
            )
        if isinstance(message, ClientReport):
            self._note(request, message)
            return Acknowledge(answers_sequence=request.header.sequence)
        if isinstance(message, Goodbye):
            self._note(request, message)
            self.forget(request.identity)
            return None
        raise UnexpectedMessageError(
            f"a {type(message).__name__} on the control socket",
            "Hello, ClockRequest, ClientReport or Goodbye",
            "ask the surface socket for surfaces",
        )

    def _note(self, request: Request, what: Hello | ClientReport | Goodbye) -> None:
        self.events_dropped += len(self._events) == self._events.maxlen
        self._events.append(ControlEvent(request.client.name, request.received_ns, what))
