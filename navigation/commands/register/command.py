"""The command ``surgnav register`` and its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from navigation.commands import options
from navigation.commands.request import takes
from navigation.terminal.reporting import now, reporting


@dataclass(frozen=True, kw_only=True)
class RegisterRequest:
    """What was asked for: recorded points, or else a live session at a tracker."""

    case: Annotated[Path, typer.Argument(help="Case folder.")]
    person: Annotated[str, typer.Option(help="Who registers and decides, by name.")]
    surface: Annotated[str | None, typer.Option(help="Approved surface that is swept; the skin by default.")] = None
    landmarks: Annotated[
        Path | None, typer.Option(help="Planned landmarks in the CT: .mrk.json or JSON; the case's own by default.")
    ] = None
    targets: Annotated[Path | None, typer.Option(help="Planned targets; the case's own by default.")] = None
    touched: Annotated[Path | None, typer.Option(help="Recorded: JSON of touched landmarks in 'reference'.")] = None
    sweep: Annotated[Path | None, typer.Option(help="Recorded: CSV or PLY of swept points in 'reference'.")] = None
    ultrasound: Annotated[
        Path | None,
        typer.Option(
            help="Bone by tracked ultrasound, from the registration in force or --touched: a sequence of PLUS, with "
            "--room for the probe's calibrations; or the room file alone, live."
        ),
    ] = None
    landmark_kind: Annotated[
        Literal["bone", "skin_marker", "bare_skin"] | None,
        typer.Option(help="What landmarks are, where the plan does not say it; on the skin, bare_skin by default."),
    ] = None
    room: Annotated[Path | None, typer.Option(help="Live: room file of the devices and tools that you have.")] = None
    tracker: Annotated[str | None, typer.Option(help="Live: 'simulated', the room that rehearses it.")] = None
    stylus: Annotated[str | None, typer.Option(help="Which one, where the room has several.")] = None
    seed: Annotated[
        int | None, typer.Option(help="Decides the simulated pose, noise and hand; 1, or as the room file says.")
    ] = None
    accept_if: Annotated[
        Literal["accept", "check"] | None,
        typer.Option(help="Recorded: put it in force if the verdict is this; 'check' means that you consent to it."),
    ] = None
    json_file: options.JsonFile = None


@takes(RegisterRequest)
def register_command(request: RegisterRequest) -> None:
    """CT to patient, live or from recorded points. Exit code 0; 3 if refused or nothing is in force; 1 on errors."""
    with reporting(live=False, case=request.case, json_file=request.json_file) as (console, _):
        from navigation.commands.register.keyboard import open_keys

        if request.ultrasound is not None:
            from navigation.commands.register.by_ultrasound import run_by_ultrasound

            registered = run_by_ultrasound(request, now, console, open_keys)
        else:
            from navigation.commands.register.run import run_register

            registered = run_register(request, now, console, open_keys)
    if not registered:
        raise typer.Exit(3)
