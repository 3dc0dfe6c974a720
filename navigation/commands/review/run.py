"""A named person's decision on what was suggested: ``surgnav review``, with pictures to look at before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from rich.console import Console
from rich.markup import escape

from case.case import Case, MadeBy
from case.manifest import DecisionState
from navigation.commands.reconstruct.screen import render_case
from navigation.commands.register.screens import show_history
from navigation.commands.review.command import ReviewRequest
from navigation.errors import ReviewError
from navigation.pictures.review import draw_structure
from navigation.terminal.doubts import render_doubts
from navigation.terminal.how_sure import render_how_sure
from navigation.terminal.vertebrae import render_vertebrae
from reconstruction.in_case import read_how_sure
from reconstruction.vertebrae.in_case import read_spine
from registration.record.history import history

NEEDS_A_LOOK = ("approved", "edited")
REGIONS_SHOWN = 20


def review(request: ReviewRequest, time: str, console: Console, ask: Callable[[str], bool] | None) -> None:
    """Draws, records a decision if one is given whole, then shows the case, where to look, and its registrations.

    Args:
        time: ISO 8601 with a time zone.
        ask: puts a question to the person; None where nobody is there to answer.

    Raises:
        ReviewError: a decision without structure or person, one that is none, or an approval that does not say whether
            the pictures were looked at.
        CaseError: no such case or structure; a surface that is stale cannot be approved.
    """
    case = Case.open(request.case)
    if request.decision or request.person:
        _decide(case, request, time, console, ask)
    elif request.pictures or request.structure:
        for structure in [request.structure] if request.structure else case.structures():
            _draw(case, structure, time, console)
    render_case(case, console)
    doubts = case.read_doubts()
    if doubts is not None:
        render_doubts(doubts, console)
    spine = read_spine(case)
    if spine is not None:
        render_vertebrae(spine, console)
    sure = read_how_sure(case)
    if sure is not None:
        render_how_sure(sure, console, most=REGIONS_SHOWN)
    registrations = history(case)
    if registrations:
        show_history(registrations, console)


def _decide(case: Case, request: ReviewRequest, time: str, console: Console, ask: Callable[[str], bool] | None) -> None:
    allowed: dict[str | None, DecisionState] = {s: s for s in get_args(DecisionState) if s != "suggested"}
    state = allowed.get(request.decision)
    structure, person = request.structure, request.person
    if not (structure and person and state):
        raise ReviewError(
            f"structure {structure!r}, decision {request.decision!r}, person {person!r}",
            f"all three, the decision one of {', '.join(filter(None, allowed))}",
            "pass --structure, --decision and --person together",
        )
    looked_at = request.looked_at
    if looked_at is None and state in NEEDS_A_LOOK:
        if ask is None:
            raise ReviewError(
                f"'{structure}' to be {state}, without a word on whether its pictures were looked at",
                "--looked-at or --not-looked-at; the record says which",
                f"look first: 'surgnav review {request.case} --structure {structure} --pictures' draws them",
            )
        _draw(case, structure, time, console)
        looked_at = ask(f"Have you looked at the picture of '{structure}'?")
    elif request.pictures:
        _draw(case, structure, time, console)
    case.decide(structure, state, person, time, looked_at=bool(looked_at), reason=request.reason)


def _draw(case: Case, structure: str, time: str, console: Console) -> None:
    made_by = MadeBy.surgnav(time)
    path = draw_structure(case, structure, made_by)
    console.print(f"[green]✓[/] look at {escape(str(path))}", highlight=False, soft_wrap=True)
