"""The command ``surgnav plan`` and its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from navigation.commands.request import takes
from navigation.terminal.reporting import now, reporting


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What was asked for. Without a line the case's trajectories are only checked and shown."""

    case: Annotated[Path, typer.Argument(help="Case folder.")]
    line: Annotated[
        Path | None, typer.Argument(help="Line of 3D Slicer (.mrk.json) whose points are called entry and target.")
    ] = None
    name: Annotated[str | None, typer.Option(help="Name of the trajectory; without it, that of the file.")] = None
    screw: Annotated[str | None, typer.Option(help="Diameter x length in mm, such as 6.5x45.")] = None
    bone: Annotated[str | None, typer.Option(help="Surface of the bone that the screw lies in.")] = None
    at_risk: Annotated[list[str] | None, typer.Option(help="Surface that must not be touched; may come again.")] = None
    person: Annotated[str | None, typer.Option(help="Who planned it, by name.")] = None


@takes(PlanRequest)
def plan_command(request: PlanRequest) -> None:
    """Keeps a trajectory in the case, and checks all of them. Exit code 0; 3 if one cannot be guided by."""
    with reporting(live=False, case=request.case) as (console, _):
        from navigation.commands.plan.run import plan

        is_fit = plan(request, now(), console)
    if not is_fit:
        raise typer.Exit(3)
