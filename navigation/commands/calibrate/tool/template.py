"""``surgnav calibrate template``: tip and axis of a tool from its drawing, laid over landmarks touched on it."""

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
class TemplateRequest:
    """What was asked for."""

    drawing: Annotated[Path, typer.Argument(help="TOML of the tool's drawing: tip_mm, axis and [landmarks_mm].")]
    touched: Annotated[
        Path, typer.Argument(help="TOML of the landmarks that were touched, [landmarks_mm], in the marker's frame.")
    ]
    tool: Annotated[str, typer.Option(help="Name of the tool.")]
    point_error_mm: Annotated[float, typer.Option(min=0.0, help="RMS error of a touched point.")] = 0.5
    rack: asked.Rack = None
    json_file: options.JsonFile = None


@takes(TemplateRequest)
def template_command(request: TemplateRequest) -> None:
    """Tip and axis of a tool that cannot be pivoted. Exit code 0; 2 if refused; 1 on errors."""
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_template(request, now, console)


def run_template(request: TemplateRequest, now: Callable[[], str], console: Console) -> None:
    """Reads drawing and landmarks, lays one over the others, and keeps the result.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the result is refused.
        SurgNavError: files that are none.
    """
    from calibration.pivot.results import TEMPLATE_METHOD, template_result
    from calibration.pivot.template import TemplateSettings, calibrate_template
    from calibration.pivot.template_file import read_template, read_touched
    from calibration.result import CalibrationResult
    from navigation.acquisition.recordings import input_of
    from navigation.commands.calibrate.conclusion import conclude

    drawing, touched = read_template(request.drawing), read_touched(request.touched)
    inputs = [input_of(request.drawing), input_of(request.touched)]
    settings = TemplateSettings(point_error_rms_mm=request.point_error_mm)
    result = CalibrationResult.or_refused(
        lambda: template_result(calibrate_template(drawing, touched, request.tool, settings), now(), inputs),
        kind="pivot",
        subject=request.tool,
        made=now(),
        method=TEMPLATE_METHOD,
        n_used=len(touched),
        inputs=inputs,
    )
    conclude(result, request.rack, request.json_file, console)
