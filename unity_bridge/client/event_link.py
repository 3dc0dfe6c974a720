"""Events at the client's end: each of its own until it has a final answer, each of the server's once and in order."""

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
    """Knows nothing of sockets: `due` says what to send, `take_answer` and `take_event` are handed what came.

    Args:
        stream: names this run of the program.

    Attributes:
        answers: final answers by number, the newest 256.
        last_event: the last of the server's events that was taken in, in `session`; None before the first Welcome.
        missed: events that the server no longer had when this client came back: the Welcome's state holds their effect.
        dropped: events of the server that nobody took with `take_events` in time.
        surfaces_changed: the server has told that another manifest holds; whoever asks for it sets this back.
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
        """Events without a final answer."""
        return tuple(self._waiting)

    def add(self, kind: str, **fields: Any) -> int:
        """Takes in something that the person did, and returns its number; `fields` are those of `ClientEvent`.

        Raises:
            TooManyRequestsError: 16 events have no final answer yet.
            MalformedMessageError: it holds what the wire does not allow, such as a position beyond 1,000 m.
        """
        if len(self._waiting) >= MAX_UNANSWERED:
            raise TooManyRequestsError(
                f"an event while {MAX_UNANSWERED} have no answer", f"{MAX_UNANSWERED} at a time", "wait for the server"
            )
        event = ClientEvent(stream=self.stream, number=self._number + 1, kind=kind, first_session="", **fields)
        encode(event)  # what can never be sent is refused here, not again and again when it is due
        self._number += 1
        self._waiting[self._number] = _Waiting(event)
        return self._number

    def due(self, session: bytes, now_ns: int) -> tuple[ClientEvent, ...]:
        """What to send to the server of this session now."""
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
        """An answer that is not final, not ours or not the first changes nothing."""
        if answer.stream != self.stream or answer.outcome is EventOutcome.PENDING:
            return
        if self._waiting.pop(answer.number, None) is not None:
            self.answers[answer.number] = answer
            if len(self.answers) > _MAX_ANSWERS:
                self.answers.popitem(last=False)

    # -------------------------------------------------------------------------------------------------- server's events
    def join(self, session: bytes, last_event: int | None) -> None:
        """Told of a Welcome: in a new session, events begin after the state that it holds."""
        if session != self.session:
            self.session, self.last_event = session, last_event or 0

    def take_event(self, event: ServerEvent) -> EventReceipt | None:
        """Takes in the event if it is the next, and returns the receipt to send; None to wait for an earlier one."""
        expected = (self.last_event or 0) + 1
        if event.number > expected and event.oldest_kept <= expected:
            return None  # the one before it was lost on the way, and will come again
        if event.number >= expected:
            self.missed += event.number - expected
            self.last_event = event.number
            self.surfaces_changed |= event.kind.startswith("surface_") or event.number > expected
            self.dropped += len(self._received) == self._received.maxlen
            self._received.append(event)
        return EventReceipt(last_event=self.last_event or 0)

    def take_events(self) -> tuple[ServerEvent, ...]:
        """What happened at the server since the last call, oldest first."""
        events = tuple(self._received)
        self._received.clear()
        return events
