"""``surgnav calibrate check``: one line that says whether today's tool still matches its calibration."""

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

    from calibration.streams import PoseStream
    from navigation.room.room import Room

_SECONDS = 6.0


@dataclass(frozen=True, kw_only=True)
class CheckRequest:
    """What was asked for: a tool at a room's devices, or a recording of it, in a divot or at a point."""

    recording: Annotated[Path | None, typer.Argument(help="Recorded: as of 'surgnav calibrate pivot'.")] = None
    tool: Annotated[str, typer.Option(help="Name of the tool, as in the room file.")] = "stylus"
    room: asked.RoomFile = None
    point_mm: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="A known point that the tip is held on, x y z; without it any divot, the tool tilted."),
    ] = None
    relative_to: Annotated[
        str | None, typer.Option(help="Live: the tool whose frame the point is known in, such as reference.")
    ] = None
    rack: asked.Rack = None
    seconds: asked.Seconds = None
    id_in_file: asked.IdInFile = None
    topic: asked.Topic = None
    unit: asked.Unit = "mm"
    rate_hz: asked.RateHz = None
    json_file: options.JsonFile = None


@takes(CheckRequest)
def check_command(request: CheckRequest) -> None:
    """Whether a tool still matches its calibration, in one line. Exit code 0; 2 if it does not; 1 on errors."""
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_check(request, now, console)


def run_check(request: CheckRequest, now: Callable[[], str], console: Console) -> None:
    """Checks the tool against the newest accepted pivot in the rack.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if it does not match.
        SurgNavError: no calibration, no poses, or poses that say nothing about the tool.
    """
    from dataclasses import asdict
    from datetime import datetime

    import numpy as np

    from calibration.accuracy.drift import check_at_point, check_in_divot
    from calibration.rack import age
    from navigation.commands.calibrate.source import (
        calibrated_tip,
        rack_of,
        recorded_poses,
        recordings_or_room,
        subject_of,
    )
    from navigation.room.room import Room
    from navigation.terminal.json_files import write_json_file

    source = recordings_or_room([request.recording], request.room)
    subject = subject_of(source, request.tool) if isinstance(source, Room) else request.tool
    _, result = calibrated_tip(rack_of(request.rack, source), subject)
    stream = recorded_poses(request, source[0]) if isinstance(source, tuple) else _live(request, source, console)
    if request.point_mm is None:
        found = check_in_divot(result, stream)
    else:
        found = check_at_point(result, stream, np.array(request.point_mm))
    line = found.line(request.tool, age(result.made_at, datetime.fromisoformat(now())))
    colour = "green" if found.is_unchanged else "red bold"
    console.print(line, style=colour, highlight=False, markup=False)
    if request.json_file is not None:
        document = {**asdict(found), "is_unchanged": found.is_unchanged, "line": line, "calibrated": result.made}
        write_json_file(request.json_file, document)
    if not found.is_unchanged:
        raise typer.Exit(2)


def _live(request: CheckRequest, room: Room, console: Console) -> PoseStream:
    from navigation.acquisition.pivoting import PivotCollecting, TouchCollecting
    from navigation.commands.calibrate.source import live_poses

    is_pivot = request.point_mm is None
    what = "in a divot, and tilt it" if is_pivot else "on the point, and hold it still"
    return live_poses(
        request.tool,
        room,
        PivotCollecting if is_pivot else TouchCollecting,
        console,
        title=f"check of {request.tool}: put its tip {what}",
        seconds=request.seconds or _SECONDS,
        relative_to=request.relative_to,
    )
