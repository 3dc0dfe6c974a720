"""The commands ``surgnav ultrasound run``, ``volume`` and ``mark``, and their options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from navigation.commands import options
from navigation.commands.request import takes
from reconstruction.freehand.settings import STICK_VOXELS, Compounding, Interpolation

ultrasound_app = typer.Typer(help="Contours of vessel, nerve and bone in ultrasound.", no_args_is_help=True)


@dataclass(frozen=True, kw_only=True)
class UltrasoundRequest:
    """What the command line asks of `surgnav ultrasound run`."""

    source: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of pictures, video file, or PLUS sequence (.igs.mha, .igs.mhd); none: --room's live images."
        ),
    ] = None
    model: Annotated[
        str | None,
        typer.Option(
            help="nerve_vessel (the usual), nerve_vessel_tiny, bone, or a 2D network's JSON; live, the room's."
        ),
    ] = None
    room: Annotated[
        Path | None, typer.Option(help="Room file: contours are placed by the calibrations of its probe.")
    ] = None
    out: Annotated[
        Path | None, typer.Option(help="Folder for record, pictures, video; by default out/ultrasound/ and the time.")
    ] = None
    rate_hz: Annotated[
        float | None,
        typer.Option("--rate", min=0.1, max=1000.0, help="Frames a second of a folder; without it, they are stills."),
    ] = None
    speed: Annotated[float, typer.Option(min=0.01, max=100.0, help="Of the playback; 1 is as recorded.")] = 1.0
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end, until q or --seconds.")] = False
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after this time.")] = None
    every_frame: Annotated[
        bool, typer.Option("--every-frame", help="Not as live: every frame is handled, however long it takes.")
    ] = False
    window: Annotated[
        bool | None, typer.Option("--window/--no-window", help="By default a window where there is a screen.")
    ] = None
    priority: Annotated[
        bool, typer.Option(help="Run before other programs, where this user may (root, or a limit on nice).")
    ] = True
    engine: Annotated[
        str | None, typer.Option(help="openvino, tensorrt, onnxruntime or torch; by default the fastest here.")
    ] = None
    json_file: options.JsonFile = None


@ultrasound_app.command("run")
@takes(UltrasoundRequest)
def run_command(request: UltrasoundRequest) -> None:
    """Finds contours in live images, or in a recording as if it were live; the newest frame wins. Records them."""
    from navigation.terminal.reporting import reporting

    with reporting(json_file=request.json_file) as (console, progress):
        from navigation.commands.ultrasound.run import run

        run(request, console, progress)


@dataclass(frozen=True, kw_only=True)
class VolumeRequest:
    """What the command line asks of `surgnav ultrasound volume`."""

    source: Annotated[
        Path | None,
        typer.Argument(help="PLUS sequence of a tracked sweep (.igs.mha, .igs.mhd); none: --room's live images."),
    ] = None
    out: Annotated[Path, typer.Option(help="The volume: .nrrd, .mha, .nii.gz; picture and report beside it.")]
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Live: ends the sweep; else Ctrl-C does.")] = None
    room: Annotated[Path | None, typer.Option(help="Room file: the calibrations of its probe place the frames.")] = None
    probe_map: Annotated[
        Path | None, typer.Option(help="Instead: a configuration of PLUS whose ImageToProbe places them, without lag.")
    ] = None
    case: Annotated[
        Path | None,
        typer.Option(help="Case with a registration in force: the volume lies in its CT, and is kept there."),
    ] = None
    spacing: Annotated[float, typer.Option(min=0.05, max=10.0, help="Of the voxels, in mm.")] = 0.5
    interpolation: Annotated[Interpolation, typer.Option(help="Which voxels a pixel goes to.")] = Interpolation.LINEAR
    compounding: Annotated[
        Compounding, typer.Option(help="What a voxel of several pixels holds; mean_8_bit rounds as PLUS does.")
    ] = Compounding.MEAN
    stick: Annotated[
        int,
        typer.Option(min=0, max=51, help="Voxels of the longest stick that bridges a hole, ends included; 0: none."),
    ] = STICK_VOXELS
    crop: Annotated[
        tuple[int, int, int, int] | None, typer.Option(help="Pixels that are used: left, top, width, height.")
    ] = None
    level: Annotated[int | None, typer.Option(min=1, max=255, help="Grey value from which on a surface is made.")] = (
        None
    )
    name: Annotated[str, typer.Option(help="Of that surface.")] = "ultrasound"
    model: Annotated[
        str | None, typer.Option(help="Surfaces of what a model finds in the frames: as of surgnav ultrasound run.")
    ] = None
    max_triangles: Annotated[int, typer.Option(min=4, help="Of each surface.")] = 100_000
    json_file: options.JsonFile = None


@ultrasound_app.command("volume")
@takes(VolumeRequest)
def volume_command(request: VolumeRequest) -> None:
    """Compounds a tracked sweep into a volume; says what it covers and whether it shows anything twice."""
    from navigation.terminal.reporting import reporting

    with reporting(case=request.case, json_file=request.json_file) as (console, progress):
        from navigation.commands.ultrasound.volume import make_volume

        make_volume(request, console, progress)


@dataclass(frozen=True, kw_only=True)
class MarkRequest:
    """What the command line asks of `surgnav ultrasound mark`."""

    source: Annotated[
        Path, typer.Argument(help="Recording of surgnav serve (.mcap) or of PLUS (.igs.mha), or a swept volume.")
    ]
    case: Annotated[Path, typer.Option(help="Case that keeps the finding.")]
    person: Annotated[str, typer.Option(help="Whose finding it is.")]
    image: Annotated[int | None, typer.Option(help="Number of the image, as in contours.jsonl.")] = None
    pixel: Annotated[
        tuple[float, float] | None, typer.Option(help="A point: x and y in px. Without, the image's contours.")
    ] = None
    structure: Annotated[str, typer.Option(help="What it is; of contours, only those of it.")] = ""
    level: Annotated[int | None, typer.Option(min=1, max=255, help="Of a volume: grey value of its surface.")] = None
    room: Annotated[Path | None, typer.Option(help="Of PLUS's: room file, whose probe's calibrations place it.")] = None
    model: Annotated[str | None, typer.Option(help="Of PLUS's: what finds contours, as for run.")] = None


@ultrasound_app.command("mark")
@takes(MarkRequest)
def mark_command(request: MarkRequest) -> None:
    """Keeps a point, contours or a volume of a recording in a case, with frame, error and source."""
    from navigation.terminal.reporting import reporting

    with reporting(live=False, case=request.case) as (console, _):
        from navigation.commands.ultrasound.mark import mark

        mark(request, console)
