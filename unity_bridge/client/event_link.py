"""Events at the client: repeats its own until they have a final answer, takes each of the server's once, in order."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from typing import Any

from unity_bridge.errors import TooManyRequestsError
from unity_bridge.wire.envelope import NO_SESSION
from unity_bridge.wire.generated.constants import EventOutcome
from unity_bridge.wire.messages import ClientEvent, EventAnswer, EventReceipt, ServerEvent
from unity_bridge.wire.schema import encode

MAX_UNANSWERED = 16
_MAX_ANSWERS = 256
_MAX_WAITING = 1024


@dataclass
class _Waiting:
    event: ClientEvent
    sent_ns: int | None = None


class EventLink:
    """The events of a client, independent of sockets: `due` returns what to send, `take_*` get what was received.

    Args:
        stream: name of this run of the program.
        retry_ns: time after which an event without a final answer is sent again.

    Attributes:
        answers: final answers by number, the newest 256.
        session: id of the server's session.
        last_event: number of the last server event received in `session`; None before the first Welcome.
        missed: number of server events that were no longer kept when this client returned; the state in the Welcome
            includes their effect.
        dropped: number of server events that were not taken with `take_events` in time.
        surfaces_changed: whether the manifest has changed; to be reset by whoever requests it.
    """

    def __init__(self, stream: str, retry_ns: int) -> None:
        self.stream = stream
        self.answers: OrderedDict[int, EventAnswer] = OrderedDict()
        self.session = NO_SESSION
        self.last_event: int | None = None
        self.missed = 0
        self.surfaces_changed = False
        self.dropped = 0
        self._retry_ns = retry_ns
        self._number = 0
        self._waiting: dict[int, _Waiting] = {}
        self._received: deque[ServerEvent] = deque(maxlen=_MAX_WAITING)

    # ------------------------------------------------------------------------------------------------------ own events
    @property
    def unanswered(self) -> tuple[int, ...]:
        """Numbers of the events without a final answer."""
        return tuple(self._waiting)

    def add(self, kind: str, **fields: Any) -> int:
        """Adds an event to be sent, and returns its number; `fields` are those of `ClientEvent`.

        Raises:
            TooManyRequestsError: 16 events have no final answer yet.
            MalformedMessageError: a value that the protocol does not allow, such as a position beyond 1,000 m.
        """
        if len(self._waiting) >= MAX_UNANSWERED:
            raise TooManyRequestsError(
                f"an event while {MAX_UNANSWERED} have no answer",
                f"at most {MAX_UNANSWERED} unanswered events",
                "wait for the server",
            )
        event = ClientEvent(stream=self.stream, number=self._number + 1, kind=kind, first_session="", **fields)
        encode(event)  # refuses here, once, what could never be sent
        self._number += 1
        self._waiting[self._number] = _Waiting(event)
        return self._number

    def due(self, session: bytes, now_ns: int) -> tuple[ClientEvent, ...]:
        """The events to send to the server of this session now."""
        events = []
        for waiting in self._waiting.values():
            if waiting.sent_ns is None:
                waiting.event = replace(waiting.event, first_session=session.hex())
            elif now_ns - waiting.sent_ns < self._retry_ns:
                continue
            waiting.sent_ns = now_ns
            events.append(waiting.event)
        return tuple(events)

    def take_answer(self, answer: EventAnswer) -> None:
        """Takes a final answer; one that is pending, of another stream, or repeated is ignored."""
        if answer.stream != self.stream or answer.outcome is EventOutcome.PENDING:
            return
        if self._waiting.pop(answer.number, None) is not None:
            self.answers[answer.number] = answer
            if len(self.answers) > _MAX_ANSWERS:
                self.answers.popitem(last=False)

    # -------------------------------------------------------------------------------------------------- server's events
    def join(self, session: bytes, last_event: int | None) -> None:
        """Notes a Welcome: in a new session, events continue after the last one included in its state."""
        if session != self.session:
            self.session, self.last_event = session, last_event or 0

    def take_event(self, event: ServerEvent) -> EventReceipt | None:
        """Takes the event if it is the next one, and returns the receipt to send; None if an earlier one is missing."""
        expected = (self.last_event or 0) + 1
        if event.number > expected and event.oldest_kept <= expected:
            return None  # an earlier event was lost, and will be sent again
        if event.number >= expected:
            self.missed += event.number - expected
            self.last_event = event.number
            self.surfaces_changed |= event.kind.startswith("surface_") or event.number > expected
            self.dropped += len(self._received) == self._received.maxlen
            self._received.append(event)
        return EventReceipt(last_event=self.last_event or 0)

    def take_events(self) -> tuple[ServerEvent, ...]:
        """Returns the server's events since the last call, oldest first."""
        events = tuple(self._received)
        self._received.clear()
        return events
