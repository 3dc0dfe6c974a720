"""Which events of one client were there already, and what was answered: exact, in bounded memory.

A window over numbers, as IPsec keeps one against replay (RFC 4303, section 3.4.3): an event within it is known by its
number, whatever is below it is refused, because nobody can tell any more.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from geometry.errors import SurgNavError
from unity_bridge.errors import ForgottenEventError, ReusedNumberError, TooManyRequestsError
from unity_bridge.wire.generated.constants import EventOutcome
from unity_bridge.wire.messages import ClientEvent, EventAnswer
from unity_bridge.wire.schema import encode

MAX_ANSWERS = 256
MAX_PENDING = 16
_TEXT_LIMIT = 200


@dataclass(frozen=True)
class Outcome:
    """What became of an event: done, with a note for the person; or refused, with the error that says why."""

    note: str = ""
    error: SurgNavError | None = None


@dataclass(frozen=True)
class Known:
    """An answer, and the event that it is of: `content_of` it, or empty where that is not known any more."""

    answer: EventAnswer
    content: str = ""


def content_of(event: ClientEvent) -> str:
    """Says in 64 digits what an event holds: the same again and again for one that is repeated."""
    return hashlib.sha256(encode(event)).hexdigest()


class EventWindow:
    """The newest 256 answers of one stream of events.

    Attributes:
        floor: events up to this number are forgotten: whether they were done is not known any more.
    """

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}
        self.floor = 0

    @property
    def pending(self) -> int:
        """Events that were begun and have no final answer."""
        return sum(known.answer.outcome is EventOutcome.PENDING for known in self._known.values())

    def find(self, number: int, content: str = "") -> EventAnswer | None:
        """The answer to the event if it was there before; None if it is new.

        Args:
            content: of the event that comes now.

        Raises:
            ReusedNumberError: there was another event under this number.
            ForgottenEventError: a number so old that nobody knows any more.
        """
        known = self._known.get(number)
        if known is not None and known.content and content and known.content != content:
            raise ReusedNumberError(
                f"event {number}, which was there already with other content",
                "the same event again under its number, and a new number for a new event",
                "look at the state; number events from 1 upwards, and draw a new stream when the program starts",
            )
        if known is None and number <= self.floor:
            raise ForgottenEventError(
                f"event {number}",
                f"{self.floor + 1} or later: earlier ones were done or refused long ago",
                "number events from 1 upwards, each once",
            )
        return known.answer if known is not None else None

    def begin(self, event: ClientEvent) -> EventAnswer:
        """Takes in a new event as pending.

        Raises:
            TooManyRequestsError: too many are pending already.
        """
        if self.pending >= MAX_PENDING:
            raise TooManyRequestsError(
                f"event {event.number} while {MAX_PENDING} have no answer", f"{MAX_PENDING} at a time", "wait for them"
            )
        return self.keep(answer_of(event.stream, event.number, None), content_of(event))

    def keep(self, answer: EventAnswer, content: str = "") -> EventAnswer:
        """Remembers an answer, in place of an earlier one to the same event; the oldest final one makes room.

        Args:
            content: of the event; left out, what is known of it stays.
        """
        before = self._known.get(answer.number)
        self._known[answer.number] = Known(answer, content or (before.content if before is not None else ""))
        if len(self._known) > MAX_ANSWERS:
            settled = (n for n, kept in self._known.items() if kept.answer.outcome is not EventOutcome.PENDING)
            oldest = min(settled)
            del self._known[oldest]
            self.floor = max(self.floor, oldest)
        return answer


def answer_of(stream: str, number: int, outcome: Outcome | None) -> EventAnswer:
    """The answer to an event; None is pending. Texts are shortened: they may quote what the client sent."""
    told: dict[str, Any] = {"stream": stream, "number": number}
    if outcome is None:
        return EventAnswer(outcome=EventOutcome.PENDING, **told)
    if outcome.error is None:
        return EventAnswer(outcome=EventOutcome.ACCEPTED, note=outcome.note[:_TEXT_LIMIT], **told)
    error = outcome.error
    return EventAnswer(
        outcome=EventOutcome.REFUSED,
        code=type(error).__name__.removesuffix("Error"),
        came=error.came[:_TEXT_LIMIT],
        allowed=error.allowed[:_TEXT_LIMIT],
        action=error.action[:_TEXT_LIMIT],
        **told,
    )
