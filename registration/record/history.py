"""The history of a case's registrations in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from case.case import Case
from case.manifest import RegistrationEvent
from geometry.errors import SurgNavError
from registration.errors import AttemptError
from registration.record.attempts import KIND, attempt_ids, expected_now, load_attempt, verdict_of, verifications
from registration.record.in_force import in_force


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """One attempt as the history shows it.

    Attributes:
        attempt: its id.
        time, person: when and by whom it was made.
        level: level of the current verdict, with all verification touches.
        worst_p95_mm: expected 95 % TRE at the worst target; None if it is not known.
        steps: the steps since it was computed, each with the person.
        problem: why it can no longer be used; empty if it can.
        in_force: whether it is the one that may be streamed.
    """

    attempt: str
    time: str
    person: str
    level: str
    worst_p95_mm: float | None
    steps: tuple[str, ...]
    problem: str
    in_force: bool


def history(case: Case) -> list[HistoryRow]:
    """All attempts, oldest first; one with a damaged record is listed with that problem."""
    active = _active(case)
    unfit = case.stale() | case.verify()
    rows = []
    for attempt_id in attempt_ids(case):
        events = [event for event in case.manifest.registration_events if event.registration == attempt_id]
        made = case.artefact(f"{KIND}/{attempt_id}.json")
        level, worst_p95_mm, problem = "refuse", None, unfit.get(made.id) or case.rejected_under(attempt_id) or ""
        try:
            attempt = load_attempt(case, attempt_id)
            level = verdict_of(case, attempt).level
            expected = expected_now(attempt, verifications(case, attempt_id)).values()
            worst_p95_mm = max((p95_mm for p95_mm in expected if p95_mm is not None), default=None)
        except AttemptError as error:
            problem = problem or error.came
        rows.append(
            HistoryRow(
                attempt=attempt_id,
                time=made.made_by.time,
                person=str(made.made_by.parameters.get("person", "-")),
                level=level,
                worst_p95_mm=worst_p95_mm,
                steps=_in_words(events),
                problem=problem,
                in_force=attempt_id == active,
            )
        )
    return rows


def _in_words(events: Iterable[RegistrationEvent]) -> tuple[str, ...]:
    """Each step with the person; consecutive equal steps become one, with their number."""
    steps = (f"{event.step} by {event.person}" for event in events if event.step != "computed")
    counted = ((step, sum(1 for _ in same)) for step, same in groupby(steps))
    return tuple(step if count == 1 else f"{step}, {count} times" for step, count in counted)


def _active(case: Case) -> str:
    """Id of the registration that may be streamed now; empty if there is none."""
    try:
        accepted = in_force(case)
    except SurgNavError:  # the row says why
        return ""
    return "" if accepted is None else accepted.registration_id
