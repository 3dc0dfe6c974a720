"""``surgnav calibrate probe-time``: the lag of ultrasound images against poses, with a probe over a flat bottom."""

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

    from calibration.result import CalibrationResult


@dataclass(frozen=True, kw_only=True)
class ProbeTimeRequest:
    """What was asked for."""

    recording: Annotated[Path, typer.Argument(help="PLUS sequence (.igs.mha) with images and the probe's poses.")]
    tool: Annotated[str, typer.Option(help="Name of the probe, as in the recording.")] = "probe"
    relative_to: Annotated[str, typer.Option(help="Tool that stands still with the tank, such as reference.")] = (
        "tracker"
    )
    rack: asked.Rack = None
    json_file: options.JsonFile = None


@takes(ProbeTimeRequest)
def probe_time_command(request: ProbeTimeRequest) -> None:
    """The lag of ultrasound images against poses, from a probe moved up and down over a flat bottom.

    Exit code 0; 2 if refused; 1 on errors.
    """
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_probe_time(request, now, console)


def run_probe_time(request: ProbeTimeRequest, now: Callable[[], str], console: Console) -> None:
    """Reads the recording, finds the bottom in its images, calibrates, and keeps the result.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the result is refused.
        SurgNavError: no such recording, or one without the probe.
    """
    from navigation.commands.calibrate.conclusion import conclude

    conclude(calibrated(request, now()), request.rack, request.json_file, console)


def calibrated(request: ProbeTimeRequest, made: str) -> CalibrationResult:
    """The result of the recording, accepted or refused."""
    import numpy as np

    from calibration.result import CalibrationResult
    from calibration.ultrasound_probe.bottom_line import find_bottom_line
    from calibration.ultrasound_probe.errors import ProbeRefusedError
    from calibration.ultrasound_probe.results import TEMPORAL_METHOD, probe_temporal_result
    from calibration.ultrasound_probe.temporal import calibrate_probe_time
    from navigation.acquisition.probe_images import ProbeRecording
    from navigation.acquisition.recordings import input_of

    recording = ProbeRecording(request.recording, request.tool, request.relative_to)
    inputs = [input_of(request.recording)]
    found = [(image.time_s, find_bottom_line(image.pixels)) for image in recording.images()]
    time_s = np.array([time_s for time_s, _ in found])
    depth_px = np.array([np.nan if line is None else line.depth_px for _, line in found])
    try:
        result = calibrate_probe_time(time_s, depth_px, recording.motion())
    except ProbeRefusedError as error:
        return CalibrationResult.refused(
            kind="probe_temporal",
            subject=request.tool,
            made=made,
            method=TEMPORAL_METHOD,
            error=error,
            n_used=len(time_s),
            inputs=inputs,
        )
    return probe_temporal_result(result, request.tool, time_s, made, inputs)
