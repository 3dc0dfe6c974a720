"""``surgnav calibrate spin``: the axis of a shaft from how the tool was turned about it."""

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

    from calibration.result import CalibrationResult, InputFile
    from calibration.streams import PoseStream
    from navigation.room.room import Room


@dataclass(frozen=True, kw_only=True)
class SpinRequest:
    """What was asked for: a recording, or else a room; and the tip, which says where the axis points."""

    recording: Annotated[
        Path | None,
        typer.Argument(help="Recorded: PLUS sequence, MCAP, CSV, or a folder of text files with 4x4 matrices."),
    ] = None
    tool: Annotated[str, typer.Option(help="Name of the tool, as in the room file.")] = "stylus"
    pivot: Annotated[
        Path | None, typer.Option(help="Result of the tool's pivot; by default the one in force in the rack.")
    ] = None
    room: asked.RoomFile = None
    rack: asked.Rack = None
    seconds: asked.Seconds = None
    id_in_file: asked.IdInFile = None
    topic: asked.Topic = None
    unit: asked.Unit = "mm"
    rate_hz: asked.RateHz = None
    json_file: options.JsonFile = None


@takes(SpinRequest)
def spin_command(request: SpinRequest) -> None:
    """The axis of a shaft from poses while it turned about itself. Exit code 0; 2 if refused; 1 on errors."""
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_spin(request, now, console)


def run_spin(request: SpinRequest, now: Callable[[], str], console: Console) -> None:
    """Finds the tip, collects or reads the poses, calibrates, and keeps the result.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the result is refused.
        SurgNavError: whatever keeps it from beginning, or poses that are none.
    """
    from navigation.commands.calibrate.conclusion import conclude
    from navigation.commands.calibrate.source import rack_of, recordings_or_room, subject_of

    source = recordings_or_room([request.recording], request.room)
    rack = rack_of(request.rack, source)
    subject = request.tool if isinstance(source, tuple) else subject_of(source, request.tool)
    pivot = _pivot(request.pivot, rack, subject)
    stream, inputs = _recorded(request, source[0]) if isinstance(source, tuple) else _live(request, source, console)
    conclude(calibrated(stream, pivot, now(), inputs), rack, request.json_file, console)


def _pivot(named: Path | None, rack: Path | None, subject: str) -> CalibrationResult:
    """The pivot of the tool.

    Raises:
        CalibrationResultError: there is none, or it is no accepted pivot of this tool.
    """
    from calibration.errors import CalibrationResultError
    from calibration.result import read_result
    from navigation.commands.calibrate.source import in_rack

    found = read_result(named) if named else in_rack(rack, subject, "pivot")
    if found is None or (found.kind, found.subject) != ("pivot", subject) or not found.is_accepted:
        came = "no pivot" if found is None else f"a {found.kind} of {found.subject} that is {found.verdict}"
        raise CalibrationResultError(
            f"{came} for the tip of {subject}",
            f"an accepted pivot of {subject}, in the rack or named with --pivot",
            "calibrate it first: surgnav calibrate pivot",
        )
    return found


def _recorded(request: SpinRequest, recording: Path) -> tuple[PoseStream, InputFile]:
    from navigation.acquisition.recordings import input_of
    from navigation.commands.calibrate.source import recorded_poses

    return recorded_poses(request, recording), input_of(recording)


def _live(request: SpinRequest, room: Room, console: Console) -> tuple[PoseStream, InputFile]:
    from navigation.acquisition.pivoting import SpinCollecting
    from navigation.acquisition.recordings import input_of_stream
    from navigation.commands.calibrate.source import live_poses, subject_of

    tool, title = request.tool, f"spin of {request.tool}"
    poses = live_poses(tool, room, SpinCollecting, console, title=title, seconds=request.seconds)
    stream = poses.renamed(from_frame=subject_of(room, tool))
    return stream, input_of_stream(stream)


def calibrated(stream: PoseStream, pivot: CalibrationResult, made: str, inputs: InputFile) -> CalibrationResult:
    """The result of a spin, accepted or refused."""
    from calibration.pivot.results import SPIN_METHOD, spin_result
    from calibration.pivot.spin import calibrate_spin
    from calibration.result import CalibrationResult

    tip = next(each for each in pivot.transforms if each.from_frame == f"{stream.from_frame}_tip")
    return CalibrationResult.or_refused(
        lambda: spin_result(calibrate_spin(stream, tip.transform.translation_mm), tip, stream, made, [inputs]),
        kind="spin",
        subject=stream.from_frame,
        made=made,
        method=SPIN_METHOD,
        n_used=len(stream),
        inputs=[inputs],
    )
