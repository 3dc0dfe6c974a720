"""The command ``surgnav serve`` and its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from navigation.commands.request import takes
from navigation.terminal.reporting import reporting


@dataclass(frozen=True, kw_only=True)
class ServeRequest:
    """What was asked for."""

    case: Annotated[Path, typer.Argument(help="Case folder: what is approved and in force in it is streamed.")]
    room: Annotated[Path | None, typer.Option(help="Room file of the devices and tools that you have.")] = None
    tracker: Annotated[str | None, typer.Option(help="'simulated', the room that rehearses.")] = None
    seed: Annotated[int | None, typer.Option(help="Decides the simulated room; as in 'surgnav register'.")] = None
    bind: Annotated[str, typer.Option(help="Address to bind; '*' for all. Other than loopback: with keys.")] = (
        "127.0.0.1"
    )
    ports: Annotated[tuple[int, int, int], typer.Option(help="Poses, surfaces, control; 0: a free one.")] = (
        5570,
        5571,
        5572,
    )
    openigtlink: Annotated[
        int | None, typer.Option(help="Port of an OpenIGTLink server for 3D Slicer, usually 18944; 0: a free one.")
    ] = None
    openigtlink_bind: Annotated[str, typer.Option(help="Its address; OpenIGTLink has no keys.")] = "127.0.0.1"
    metrics_port: Annotated[
        int | None, typer.Option(help="Port of metrics for Prometheus, on this machine only; 0: a free one.")
    ] = None
    log: Annotated[
        Path | None, typer.Option(help="File for what happens, as JSON lines without who the patient is.")
    ] = None
    keys: Annotated[Path | None, typer.Option(help="Folder of the server's keys ('surgnav keys').")] = None
    decider: Annotated[list[str] | None, typer.Option(help="Who may decide from a headset, by name.")] = None
    operator: Annotated[str | None, typer.Option(help="Whose findings the keys m and p mark in ultrasound.")] = None
    record: Annotated[Path | None, typer.Option(help="Folder of the recordings; else recordings/ in the case.")] = None
    no_record: Annotated[bool, typer.Option("--no-record", help="Record nothing.")] = False
    real_time: Annotated[
        bool, typer.Option("--real-time", help="Ask for a real-time priority and a core of their own for the poses.")
    ] = False
    trajectory: Annotated[
        str | None, typer.Option(help="Trajectory of the plan to be guided along, where it has several.")
    ] = None
    research: Annotated[bool, typer.Option("--research", help="Offer suggested surfaces too, and say so.")] = False


@takes(ServeRequest)
def serve_command(request: ServeRequest) -> None:
    """Streams a case to headsets until Ctrl-C."""
    from navigation.terminal.patience import saying
    from navigation.terminal.stopping import stop_requested

    with reporting(live=False, case=request.case) as (console, _), stop_requested() as should_stop:
        with saying(console.print, "loading the program"):  # on a busy machine half a minute
            from navigation.commands.serve.run import serve
        serve(request, console, should_stop)
