"""Which events of one client were there already, and what was answered: exact, in bounded memory.

A window over numbers, as IPsec keeps one against replay (RFC 4303, section 3.4.3): an event within it is known by its
number, whatever is below it is refused, because nobody can tell any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geometry.errors import SurgNavError
from unity_bridge.errors import ForgottenEventError, TooManyRequestsError
from unity_bridge.generated.constants import EventOutcome
from unity_bridge.messages import ClientEvent, EventAnswer

MAX_ANSWERS = 256
MAX_PENDING = 16
_TEXT_LIMIT = 200


@dataclass(frozen=True)
class Outcome:
    """What became of an event: done, with a note for the person; or refused, with the error that says why."""

    note: str = ""
    error: SurgNavError | None = None


class EventWindow:
    """The newest 256 answers of one stream of events.

    Attributes:
        floor: events up to this number are forgotten: whether they were done is not known any more.
    """

    def __init__(self) -> None:
        self._answers: dict[int, EventAnswer] = {}
        self.floor = 0

    @property
    def pending(self) -> int:
        """Events that were begun and have no final answer."""
        return sum(answer.outcome is EventOutcome.PENDING for answer in self._answers.values())

    def find(self, number: int) -> EventAnswer | None:
        """The answer to the event if it was there before; None if it is new.

        Raises:
            ForgottenEventError: a number so old that nobody knows any more.
        """
        answer = self._answers.get(number)
        if answer is None and number <= self.floor:
            raise ForgottenEventError(
                f"event {number}",
                f"{self.floor + 1} or later: earlier ones were done or refused long ago",
                "number events from 1 upwards, each once",
            )
        return answer

    def begin(self, event: ClientEvent) -> EventAnswer:
        """Takes in a new event as pending.

        Raises:
            TooManyRequestsError: too many are pending already.
        """
        if self.pending >= MAX_PENDING:
            raise TooManyRequestsError(
                f"event {event.number} while {MAX_PENDING} have no answer", f"{MAX_PENDING} at a time", "wait for them"
            )
        return self.keep(answer_of(event.stream, event.number, None))

    def keep(self, answer: EventAnswer) -> EventAnswer:
        """Remembers an answer, in place of an earlier one to the same event; the oldest final one makes room."""
        self._answers[answer.number] = answer
        if len(self._answers) > MAX_ANSWERS:
            settled = (n for n, kept in self._answers.items() if kept.outcome is not EventOutcome.PENDING)
            oldest = min(settled)
            del self._answers[oldest]
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
