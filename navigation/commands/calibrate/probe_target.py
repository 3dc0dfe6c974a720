"""``surgnav calibrate probe-target``: where an ultrasound image lies in its probe, from a wall, a point, a tip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from navigation.commands import options
from navigation.commands.calibrate import asked
from navigation.commands.request import takes
from navigation.terminal.reporting import now, reporting

if TYPE_CHECKING:
    from rich.console import Console

    from calibration.result import CalibrationResult, InputFile
    from calibration.ultrasound_probe.targets.judging import ProbeImage
    from geometry import Transform
    from navigation.acquisition.probe_targets import TargetCollecting, TargetFrames
    from navigation.devices.ultrasound.source import UltrasoundRecording

_THREE = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class TargetRequest:
    """What was asked for."""

    recording: Annotated[Path, typer.Argument(help="Sequence of PLUS: images with the poses of the probe.")]
    method: Annotated[
        Literal["plane", "cross", "stylus"],
        typer.Option(help="plane: a wall, found in the images; cross: one point at rest; stylus: its tracked tip."),
    ]
    points: Annotated[
        Path | None, typer.Option(help="cross, stylus: CSV with frame, x_px, y_px of the target's echo.")
    ] = None
    tool: Annotated[str, typer.Option(help="The probe's marker.")] = "probe"
    fixed: Annotated[str, typer.Option(help="What stands still with the target: a marker, or tracker.")] = "reference"
    stylus: Annotated[str, typer.Option(help="stylus: its marker.")] = "stylus"
    tip: Annotated[
        Path | None, typer.Option(help="stylus: its tip as a JSON file; by default the one in force in the rack.")
    ] = None
    spacing: Annotated[
        tuple[float, float] | None, typer.Option(help="Width and height of a pixel in mm, as the machine states them.")
    ] = None
    marked: Annotated[
        _THREE | None, typer.Option(help="Direction from the transducer's middle to its marked side, in its marker.")
    ] = None
    far: Annotated[_THREE | None, typer.Option(help="Direction from the transducer into the patient.")] = None
    rack: asked.Rack = None
    json_file: options.JsonFile = None


@takes(TargetRequest)
def probe_target_command(request: TargetRequest) -> None:
    """Where an ultrasound image lies in its probe, from a simple target. Exit code 0; 2 if refused; 1 on errors."""
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_probe_target(request, now, console)


def run_probe_target(request: TargetRequest, now: Callable[[], str], console: Console) -> None:
    """Reads the images, calibrates, and keeps the result.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the result is refused.
        SurgNavError: whatever keeps it from beginning.
    """
    from navigation.acquisition.probe_targets import TargetCollecting, check_poses
    from navigation.acquisition.recordings import input_of
    from navigation.commands.calibrate.conclusion import conclude
    from navigation.devices.ultrasound.opening import open_recording

    frames = _frames(request)
    recording = open_recording(request.recording)
    first = recording.frame(0)
    check_poses(first, request.fixed, [request.tool, *([request.stylus] if request.method == "stylus" else [])])
    collecting = TargetCollecting(request.method, _image(request, recording))
    for index in range(len(recording)):
        sample = frames.sample(recording.frame(index))
        if sample is not None:
            collecting.add(sample)
    console.print(
        f"{len(collecting)} images with the target; {frames.n_without_target} without it, {frames.n_without_pose} "
        "without a pose",
        highlight=False,
    )
    named = [path for path in (request.recording, request.points, request.tip) if path is not None]
    result = _calibrated(request, collecting, now(), [input_of(path) for path in named])
    conclude(result, request.rack, request.json_file, console)


def _frames(request: TargetRequest) -> TargetFrames:
    from navigation.acquisition.probe_targets import TargetFrames, read_image_points
    from navigation.errors import AcquisitionError

    if (request.points is None) != (request.method == "plane"):
        raise AcquisitionError(
            f"--method {request.method} {'with' if request.points else 'without'} --points",
            "image points for cross and stylus, none for plane, whose line is found in the images",
            "name the CSV with --points, or leave it away",
        )
    points = None if request.points is None else read_image_points(request.points)
    if request.method != "stylus":
        return TargetFrames(request.tool, request.fixed, points)
    return TargetFrames(request.tool, request.fixed, points, request.stylus, _tip(request))


def _tip(request: TargetRequest) -> Transform:
    from calibration.rack import in_force
    from calibration.tip_file import read_tip
    from navigation.errors import AcquisitionError

    if request.tip is not None:
        return read_tip(request.tip).T_tool_tip
    result = None if request.rack is None else in_force(request.rack, request.stylus, "pivot")
    if result is None:
        raise AcquisitionError(
            f"no tip of {request.stylus}",
            "a pivot calibration in force in the rack, or a tip file",
            f"calibrate it first: surgnav calibrate pivot --tool {request.stylus} --rack rack; or name it with --tip",
        )
    return result.transform(request.stylus, f"{request.stylus}_tip")


def _image(request: TargetRequest, recording: UltrasoundRecording) -> ProbeImage:
    import numpy as np

    from calibration.ultrasound_probe.flips import ProbeAxes
    from calibration.ultrasound_probe.targets.judging import ProbeImage
    from navigation.errors import AcquisitionError

    seen = (recording.frame(index) for index in range(len(recording)))
    frame = next((each for each in seen if each.pixels is not None), None)
    if frame is None or frame.pixels is None:
        raise AcquisitionError(f"{recording.name} without a valid image", "ultrasound images", "record them with poses")
    height, width = frame.pixels.shape
    stated = request.spacing
    if stated is None and frame.pixel_mm is not None:
        stated = frame.pixel_mm[1], frame.pixel_mm[0]
    sides = [None if side is None else np.array(side) for side in (request.marked, request.far)]
    return ProbeImage(size_px=(width, height), axes=ProbeAxes(*sides), stated_spacing_mm=stated)


def _calibrated(
    request: TargetRequest, collecting: TargetCollecting, made: str, inputs: list[InputFile]
) -> CalibrationResult:
    from calibration.result import CalibrationResult
    from calibration.ultrasound_probe.errors import ProbeRefusedError
    from calibration.ultrasound_probe.results import probe_spatial_result
    from calibration.ultrasound_probe.targets.calibrate import METHODS

    try:
        return probe_spatial_result(collecting.calibration(), made, METHODS[request.method], inputs)
    except ProbeRefusedError as error:
        return CalibrationResult.refused(
            kind="probe_spatial",
            subject=request.tool,
            made=made,
            method=METHODS[request.method],
            error=error,
            n_used=len(collecting),
            inputs=inputs,
        )
