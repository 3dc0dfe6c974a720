"""A named person's decision on what the network suggested: ``surgnav review``."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from rich.console import Console

from navigation.errors import ReviewError
from navigation.registering.history import history
from navigation.registering.screens import show_history
from navigation.summaries import render_case
from reconstruction.case import Case
from reconstruction.case_manifest import DecisionState


def review(
    case_path: Path, structure: str | None, decision: str | None, person: str | None, time: str, console: Console
) -> None:
    """Records a decision if one is given whole, then shows the case and its registrations.

    Args:
        time: ISO 8601 with a time zone.

    Raises:
        ReviewError: a decision without structure or person, or one that is none.
        CaseError: no such case or structure; a surface that is stale cannot be approved.
    """
    case = Case.open(case_path)
    if structure or decision or person:
        allowed: dict[str | None, DecisionState] = {s: s for s in get_args(DecisionState) if s != "suggested"}
        state = allowed.get(decision)
        if not (structure and person and state):
            raise ReviewError(
                f"structure {structure!r}, decision {decision!r}, person {person!r}",
                f"all three, the decision one of {', '.join(filter(None, allowed))}",
                "pass --structure, --decision and --person together",
            )
        case.decide(structure, state, person, time)
    render_case(case, console)
    registrations = history(case)
    if registrations:
        show_history(registrations, console)
