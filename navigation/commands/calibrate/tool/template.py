"""``surgnav calibrate template``: tip and axis of a tool from its drawing, laid over landmarks touched on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from navigation.commands import options
from navigation.commands.calibrate import asked
from navigation.commands.request import takes
from navigation.terminal.reporting import now, reporting

if TYPE_CHECKING:
    from rich.console import Console

    from calibration.pivot.template import TemplateSettings, TemplateTool
    from calibration.result import InputFile
    from geometry.points import Floats
    from navigation.room.room import Room


@dataclass(frozen=True, kw_only=True)
class TemplateRequest:
    """What was asked for: landmarks that were touched before, or else a room."""

    drawing: Annotated[Path, typer.Argument(help="TOML of the tool's drawing: tip_mm, axis and [landmarks_mm].")]
    touched: Annotated[
        Path | None,
        typer.Argument(help="TOML of the landmarks that were touched, [landmarks_mm], in the marker's frame."),
    ] = None
    tool: Annotated[str, typer.Option(help="Name of the tool, as in the room file.")]
    room: asked.RoomFile = None
    stylus: Annotated[str, typer.Option(help="Live: which one touches; the rack has its tip.")] = "stylus"
    point_error_mm: Annotated[float, typer.Option(min=0.0, help="RMS error of a touched point.")] = 0.5
    rack: asked.Rack = None
    seconds: asked.Seconds = None
    json_file: options.JsonFile = None


@takes(TemplateRequest)
def template_command(request: TemplateRequest) -> None:
    """Tip and axis of a tool that cannot be pivoted. Exit code 0; 2 if refused; 1 on errors."""
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_template(request, now, console)


def run_template(request: TemplateRequest, now: Callable[[], str], console: Console) -> None:
    """Reads the drawing, collects or reads the landmarks, lays one over the others, and keeps the result.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the result is refused.
        SurgNavError: files that are none, or whatever keeps it from beginning.
    """
    from calibration.pivot.results import TEMPLATE_METHOD, template_result
    from calibration.pivot.template import TemplateSettings, calibrate_template
    from calibration.pivot.template_file import read_template, read_touched
    from calibration.result import CalibrationResult
    from navigation.acquisition.recordings import input_of
    from navigation.commands.calibrate.conclusion import conclude
    from navigation.commands.calibrate.source import rack_of, recordings_or_room, subject_of

    source = recordings_or_room([request.touched], request.room)
    rack, drawing = rack_of(request.rack, source), read_template(request.drawing)
    settings = TemplateSettings(point_error_rms_mm=request.point_error_mm)
    if isinstance(source, tuple):
        subject, touched, inputs = request.tool, read_touched(source[0]), input_of(source[0])
    else:
        subject = subject_of(source, request.tool)
        touched, inputs, settings = _live(request, source, rack, drawing, settings, console)
    made, every = now(), [input_of(request.drawing), inputs]
    result = CalibrationResult.or_refused(
        lambda: template_result(calibrate_template(drawing, touched, subject, settings), made, every),
        kind="pivot",
        subject=subject,
        made=made,
        method=TEMPLATE_METHOD,
        n_used=len(touched),
        inputs=every,
    )
    conclude(result, rack, request.json_file, console)


def _live(
    request: TemplateRequest,
    room: Room,
    rack: Path | None,
    drawing: TemplateTool,
    settings: TemplateSettings,
    console: Console,
) -> tuple[Mapping[str, Floats], InputFile, TemplateSettings]:
    """The landmarks as the stylus touched them, and how well a touched point is known with its tip."""
    from navigation.acquisition.landmarks import LandmarkCollecting
    from navigation.acquisition.live_poses import LivePoses
    from navigation.acquisition.recordings import input_of_stream
    from navigation.commands.calibrate.live import collect_live, opened
    from navigation.commands.calibrate.source import calibrated_tip, subject_of, tools_of

    seen = tools_of(room, request.stylus, request.tool)
    stylus = subject_of(room, request.stylus)
    _, pivot = calibrated_tip(rack, stylus)
    if pivot.expected_error is not None:
        settings = replace(settings, point_error_rms_mm=max(request.point_error_mm, pivot.expected_error.value))
    tip_mm = pivot.transform(stylus, f"{stylus}_tip").translation_mm
    collecting = LandmarkCollecting(room.name, drawing, tip_mm, request.tool, settings)
    with opened(seen) as running:
        poses = LivePoses(running.tracker, request.stylus, request.tool)
        title = f"landmarks of {request.tool}"
        collect_live(
            collecting, poses.next, running, console, title=title, seconds=request.seconds, note=lambda: poses.why
        )
    return collecting.touched_mm(), input_of_stream(collecting.stream(poses.n_missing)), settings
