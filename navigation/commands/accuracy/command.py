"""``surgnav accuracy``: how accurate a tool is on a block of known points today, and was on the days before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from navigation.commands import options
from navigation.commands.calibrate import asked
from navigation.commands.request import takes
from navigation.terminal.reporting import now, reporting

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class AccuracyRequest:
    """What was asked for: a block, and a tool at a room's devices or in recordings."""

    block: Annotated[Path, typer.Argument(help="JSON of the block: format, name, points_mm, limit_mm.")]
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(help="Recorded, as of 'surgnav calibrate pivot': distances, single point, rotation; or one."),
    ] = None
    quick: Annotated[bool, typer.Option("--quick", help="All points once, within a minute; one recording.")] = False
    tool: Annotated[str, typer.Option(help="Name of the tool, as in the room file.")] = "stylus"
    room: asked.RoomFile = None
    relative_to: Annotated[str | None, typer.Option(help="Tool that the block is fixed to; else the camera.")] = None
    rack: asked.Rack = None
    seconds: asked.Seconds = None
    id_in_file: asked.IdInFile = None
    topic: asked.Topic = None
    chart: Annotated[Path | None, typer.Option(help="PNG of this and the days before; in the rack by default.")] = None
    page: Annotated[Path | None, typer.Option(help="HTML of the report; in the rack by default. Not with --quick.")] = (
        None
    )
    json_file: options.JsonFile = None


@takes(AccuracyRequest)
def accuracy_command(request: AccuracyRequest) -> None:
    """A tool on known points: single point, rotation, distances. Exit code 0; 2 outside the limit; 1 on errors."""
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_accuracy(request, now, console)


def run_accuracy(request: AccuracyRequest, now: Callable[[], str], console: Console) -> None:
    """Measures in the form that was asked for, and keeps the record in the rack.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the tool is outside the block's limit.
        SurgNavError: no calibration, no poses, or other points than the block's.
    """
    from navigation.commands.accuracy.full import full_accuracy
    from navigation.commands.accuracy.measuring import Measuring
    from navigation.commands.accuracy.quick import quick_check
    from navigation.terminal.json_files import write_json_file

    measuring = Measuring.of(request, console)
    record = quick_check(measuring, now()) if request.quick else full_accuracy(measuring, now())
    if request.json_file is not None:
        write_json_file(request.json_file, record.model_dump(mode="json"))
    if not record.is_inside:
        raise typer.Exit(2)
