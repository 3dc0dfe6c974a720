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

    from calibration.accuracy.block import Block
    from calibration.accuracy.record import AccuracyRecord
    from calibration.result import CalibrationResult
    from calibration.streams import PoseStream
    from navigation.room.room import Room

QUICK_S = 55.0
CHART = "days.png"


@dataclass(frozen=True, kw_only=True)
class AccuracyRequest:
    """What was asked for: a block, and a tool at a room's devices or in a recording."""

    block: Annotated[Path, typer.Argument(help="JSON of the block: format, name, points_mm, limit_mm.")]
    recording: Annotated[Path | None, typer.Argument(help="Recorded: as of 'surgnav calibrate pivot'.")] = None
    quick: Annotated[bool, typer.Option("--quick", help="Live: within a minute.")] = False
    tool: Annotated[str, typer.Option(help="Name of the tool, as in the room file.")] = "stylus"
    room: asked.RoomFile = None
    relative_to: Annotated[str | None, typer.Option(help="Tool that the block is fixed to; else the camera.")] = None
    rack: asked.Rack = None
    seconds: asked.Seconds = None
    id_in_file: asked.IdInFile = None
    topic: asked.Topic = None
    chart: Annotated[Path | None, typer.Option(help="PNG of this and the days before; in the rack by default.")] = None
    json_file: options.JsonFile = None


@takes(AccuracyRequest)
def accuracy_command(request: AccuracyRequest) -> None:
    """A tool on known points: distances and a single point. Exit code 0; 2 outside the limit; 1 on errors."""
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_accuracy(request, now, console)


def run_accuracy(request: AccuracyRequest, now: Callable[[], str], console: Console) -> None:
    """Measures, keeps the record in the rack, and draws the chart.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the tool is outside the block's limit.
        SurgNavError: no calibration, no poses, or other points than the block's.
    """
    from calibration.accuracy.block import read_block
    from calibration.accuracy.quick import quick_accuracy
    from calibration.accuracy.record import keep_record
    from navigation.commands.calibrate.source import calibrated_tip, rack_of, recordings_or_room, subject_of
    from navigation.room.room import Room
    from navigation.terminal.json_files import write_json_file

    block = read_block(request.block)
    source = recordings_or_room([request.recording], request.room)
    subject = subject_of(source, request.tool) if isinstance(source, Room) else request.tool
    rack, result = calibrated_tip(rack_of(request.rack, source), subject)
    if isinstance(source, tuple):
        stream = _recorded(request, source[0])
    else:
        stream = _live(request, source, block, result, console)
    record = quick_accuracy(result, stream, block, now())
    console.print(record.line(), style="green" if record.is_inside else "red bold", highlight=False, markup=False)
    console.print(f"kept as {keep_record(rack, record)}", highlight=False, markup=False)
    _draw(request.chart, rack, record, console)
    if request.json_file is not None:
        write_json_file(request.json_file, record.model_dump(mode="json"))
    if not record.is_inside:
        raise typer.Exit(2)


def _draw(chart: Path | None, rack: Path, record: AccuracyRecord, console: Console) -> None:
    """The chart of all days; without matplotlib it is said that there is none."""
    from calibration.accuracy.record import FOLDER, past_records
    from case.atomic import atomic_path
    from geometry.extras import MissingExtraError
    from navigation.pictures.accuracy_days import accuracy_picture

    days = past_records(rack, record.subject, record.block)
    lines = {
        "largest distance error": [day.distance_max_mm for day in days],
        "distance error, RMS": [day.distance_rms_mm for day in days],
        "single point, 95 %": [day.single_point_p95_mm for day in days],
    }
    path = chart or rack / record.subject / FOLDER / CHART
    try:
        with atomic_path(path) as whole:
            accuracy_picture(
                [day.made_at for day in days],
                lines,
                [day.expected_distance_rms_mm for day in days],
                [day.limit_mm for day in days],
                whole,
                title=f"{record.subject} on {record.block}",
            )
    except MissingExtraError as error:
        console.print(f"no chart: {error.action}", style="yellow", highlight=False, markup=False)
        return
    console.print(f"{len(days)} checks so far: {path}", highlight=False, markup=False)


def _recorded(request: AccuracyRequest, recording: Path) -> PoseStream:
    from navigation.acquisition.recordings import read_stream

    return read_stream(
        recording, request.tool, request.id_in_file, topic=request.topic, relative_to=request.relative_to
    )


def _live(
    request: AccuracyRequest, room: Room, block: Block, result: CalibrationResult, console: Console
) -> PoseStream:
    import numpy as np

    from navigation.acquisition.live_poses import LivePoses
    from navigation.acquisition.visiting import BlockCollecting
    from navigation.commands.calibrate.live import collect_live, opened
    from navigation.commands.calibrate.source import tools_of

    room = tools_of(room, request.tool, request.relative_to)
    collecting = BlockCollecting(room.name, block, np.array(result.transforms[0].translation_mm))
    with opened(room) as running:
        poses = LivePoses(running.tracker, request.tool, request.relative_to)
        collect_live(
            collecting,
            poses.next,
            running,
            console,
            title=f"accuracy of {request.tool} on {block.name}",
            seconds=request.seconds or (QUICK_S if request.quick else None),
            note=lambda: poses.why,
        )
    return collecting.stream(poses.n_missing)
