"""Detects repeated events of one client and keeps their answers, exactly and in bounded memory.

A sliding window over the events' numbers, as IPsec uses against replay (RFC 4303, section 3.4.3): an event within the
window is known by its number; an older one is refused, because it is no longer known whether it was executed.
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
    """Outcome of an event: executed, with a note for the person; or refused, with the error as the reason."""

    note: str = ""
    error: SurgNavError | None = None


@dataclass(frozen=True)
class Known:
    """An answer, and `content_of` its event; the latter is empty where it is no longer known."""

    answer: EventAnswer
    content: str = ""


def content_of(event: ClientEvent) -> str:
    """SHA-256, hexadecimal, of an event's content, to tell a repetition from a different event of the same number."""
    return hashlib.sha256(encode(event)).hexdigest()


class EventWindow:
    """The newest 256 answers of one stream of events.

    Attributes:
        floor: events up to this number are forgotten: it is no longer known whether they were executed.
    """

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}
        self.floor = 0

    @property
    def pending(self) -> int:
        """Number of events without a final answer."""
        return sum(known.answer.outcome is EventOutcome.PENDING for known in self._known.values())

    def find(self, number: int, content: str = "") -> EventAnswer | None:
        """The answer to the event of this number; None if it is new.

        Args:
            number: number of the event.
            content: `content_of` the event; empty to skip the comparison.

        Raises:
            ReusedNumberError: a different event had this number.
            ForgottenEventError: the number is older than the window.
        """
        known = self._known.get(number)
        if known is not None and known.content and content and known.content != content:
            raise ReusedNumberError(
                f"event {number}, whose number was used by an event with other content",
                "the same event under its number, and a new number for a new event",
                "look at the state; number events from 1 upwards, and draw a new stream when the program starts",
            )
        if known is None and number <= self.floor:
            raise ForgottenEventError(
                f"event {number}, which is too old to know what became of it",
                f"event {self.floor + 1} or later",
                "number events from 1 upwards, each once",
            )
        return known.answer if known is not None else None

    def begin(self, event: ClientEvent) -> EventAnswer:
        """Records a new event as pending, and returns that answer.

        Raises:
            TooManyRequestsError: too many events are pending already.
        """
        if self.pending >= MAX_PENDING:
            raise TooManyRequestsError(
                f"event {event.number} while {MAX_PENDING} are pending",
                f"at most {MAX_PENDING} pending events",
                "wait for their answers",
            )
        return self.keep(answer_of(event.stream, event.number, None), content_of(event))

    def keep(self, answer: EventAnswer, content: str = "") -> EventAnswer:
        """Keeps an answer, replacing an earlier one to the same event; beyond 256, the oldest final one is dropped.

        Args:
            answer: the answer.
            content: `content_of` the event; if left out, the known content is kept.
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
    """The answer to an event; an outcome of None means pending. Texts are truncated, as they may quote the client."""
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
