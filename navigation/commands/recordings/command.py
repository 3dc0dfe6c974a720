"""The commands ``surgnav replay`` and ``surgnav export``, and their options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from navigation.commands.request import takes
from navigation.terminal.reporting import reporting

Recording = Annotated[Path, typer.Argument(help="A recording (.mcap) of surgnav serve.")]


@dataclass(frozen=True, kw_only=True)
class ReplayRequest:
    """What was asked of ``replay``."""

    recording: Recording
    rate: Annotated[float, typer.Option(help="2 plays twice as fast.")] = 1.0
    bind: Annotated[str, typer.Option(help="Address to bind; '*' for all. Other than loopback: with keys.")] = (
        "127.0.0.1"
    )
    ports: Annotated[tuple[int, int, int], typer.Option(help="Poses, surfaces, control; 0: a free one.")] = (
        5570,
        5571,
        5572,
    )
    keys: Annotated[Path | None, typer.Option(help="Folder of the server's keys ('surgnav keys').")] = None


@takes(ReplayRequest)
def replay_command(request: ReplayRequest) -> None:
    """Plays a recording to clients, bit for bit; space pauses, '.' steps, q ends."""
    from navigation.terminal.stopping import stop_requested

    with reporting(live=False) as (console, _), stop_requested() as should_stop:
        from navigation.commands.recordings.replay import replay

        replay(request, console, should_stop)


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What was asked of ``export``."""

    recording: Recording
    target: Annotated[
        Path,
        typer.Argument(
            help="The new file; its ending chooses: .igs.mha or .igs.nrrd (PLUS), .csv, .mrml (3D Slicer), .html "
            "(a summary of the operation)."
        ),
    ]
    device: Annotated[str | None, typer.Option(help="Whose frames; else those of what saw the reference.")] = None


@takes(ExportRequest)
def export_command(request: ExportRequest) -> None:
    """Makes a file of a recording that other programs, or people, read."""
    with reporting(live=False) as (console, _):
        from navigation.commands.recordings.export import export

        console.print(f"{request.target}: {export(request)}", highlight=False, markup=False)
