"""The command ``surgnav review`` and its options."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from navigation.commands.request import takes
from navigation.terminal.reporting import now, reporting


@dataclass(frozen=True, kw_only=True)
class ReviewRequest:
    """What was asked for. Without a decision the case is only shown."""

    case: Annotated[Path, typer.Argument(help="Case folder.")]
    structure: Annotated[str | None, typer.Option(help="Structure to decide on; without it, the list is shown.")] = None
    decision: Annotated[str | None, typer.Option(help="approved, edited or rejected.")] = None
    person: Annotated[str | None, typer.Option(help="Who decides, by name.")] = None
    reason: Annotated[str, typer.Option(help="Why, for the record: what is wrong, or was corrected.")] = ""
    pictures: Annotated[bool, typer.Option("--pictures", help="Draw slices of --structure, or of all.")] = False
    looked_at: Annotated[
        bool | None,
        typer.Option("--looked-at/--not-looked-at", help="Whether you looked at the pictures; asked for if left out."),
    ] = None


@takes(ReviewRequest)
def review_command(request: ReviewRequest) -> None:
    """Shows what was suggested and decided; records a named person's decision on a structure."""
    with reporting(live=False, case=request.case) as (console, _):
        from navigation.commands.review.run import review

        review(request, now(), console, typer.confirm if sys.stdin.isatty() else None)
