"""``surgnav calibrate pivot``: the tip of a stylus that is rocked about it."""

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

    from calibration.result import InputFile
    from calibration.streams import PoseStream
    from navigation.room.room import Room


@dataclass(frozen=True, kw_only=True)
class PivotRequest:
    """What was asked for: a recording, or else a room."""

    recording: Annotated[
        Path | None,
        typer.Argument(help="Recorded: PLUS sequence, MCAP, CSV, or a folder of text files with 4x4 matrices."),
    ] = None
    tool: Annotated[str, typer.Option(help="Name of the tool, as in the room file.")] = "stylus"
    room: asked.RoomFile = None
    relative_to: Annotated[
        str | None, typer.Option(help="Live: tool that the divot is fixed to, where it moves before the camera.")
    ] = None
    rack: asked.Rack = None
    seconds: asked.Seconds = None
    id_in_file: asked.IdInFile = None
    topic: asked.Topic = None
    unit: asked.Unit = "mm"
    rate_hz: asked.RateHz = None
    json_file: options.JsonFile = None


@takes(PivotRequest)
def pivot_command(request: PivotRequest) -> None:
    """The tip of a stylus from poses while it was tilted about it. Exit code 0; 2 if refused; 1 on errors."""
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_pivot(request, now, console)


def run_pivot(request: PivotRequest, now: Callable[[], str], console: Console) -> None:
    """Collects or reads the poses, calibrates, and keeps the result.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the result is refused.
        SurgNavError: whatever keeps it from beginning, or poses that are none.
    """
    from navigation.acquisition.pivoting import pivot_of
    from navigation.commands.calibrate.conclusion import conclude
    from navigation.commands.calibrate.source import rack_of, recordings_or_room

    source = recordings_or_room([request.recording], request.room)
    stream, inputs = _recorded(request, source[0]) if isinstance(source, tuple) else _live(request, source, console)
    conclude(pivot_of(stream, now(), inputs), rack_of(request.rack, source), request.json_file, console)


def _recorded(request: PivotRequest, recording: Path) -> tuple[PoseStream, InputFile]:
    from navigation.acquisition.recordings import input_of
    from navigation.commands.calibrate.source import recorded_poses

    return recorded_poses(request, recording), input_of(recording)


def _live(request: PivotRequest, room: Room, console: Console) -> tuple[PoseStream, InputFile]:
    from navigation.acquisition.pivoting import PivotCollecting
    from navigation.acquisition.recordings import input_of_stream
    from navigation.commands.calibrate.source import live_poses, subject_of

    tool, title = request.tool, f"pivot of {request.tool}"
    seconds, relative_to = request.seconds, request.relative_to
    poses = live_poses(tool, room, PivotCollecting, console, title=title, seconds=seconds, relative_to=relative_to)
    stream = poses.renamed(from_frame=subject_of(room, tool))
    return stream, input_of_stream(stream)
