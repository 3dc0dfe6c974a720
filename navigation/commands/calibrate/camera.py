"""``surgnav calibrate camera``: the lens of a camera, or of two and the pose between them, from pictures of a board."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from navigation.commands import options
from navigation.commands.calibrate import asked
from navigation.commands.request import takes
from navigation.errors import AcquisitionError
from navigation.terminal.reporting import now, reporting

if TYPE_CHECKING:
    from rich.console import Console

    from calibration.camera.boards import CharucoBoard, Chessboard
    from calibration.camera.camera_file import CameraCalibration
    from calibration.result import CalibrationResult
    from navigation.acquisition.boarding import BoardCollecting

_DEFAULT_DICTIONARY = "4x4_50"
_MOST_VIEWS = 60  # that differ most; more of them say little that is new


@dataclass(frozen=True, kw_only=True)
class CameraRequest:
    """What was asked for."""

    sources: Annotated[
        list[str],
        typer.Argument(
            help="Folder of pictures, video file, number of a webcam, or address of a stream; two of them for stereo."
        ),
    ]
    board: Annotated[str, typer.Option(help="Squares across and down, such as 7x9.")]
    square_mm: Annotated[float, typer.Option(min=0.5, max=1000.0, help="Side of a square.")]
    chessboard: Annotated[bool, typer.Option("--chessboard", help="A plain chessboard; else a ChArUco board.")] = False
    dictionary: Annotated[str, typer.Option(help="Of a ChArUco board's markers.")] = _DEFAULT_DICTIONARY
    marker_mm: Annotated[
        float | None, typer.Option(min=0.4, help="Side of its markers, where surgnav did not print it.")
    ] = None
    first_id: Annotated[int, typer.Option(min=0, help="Number of its first marker.")] = 0
    ruler_mm: Annotated[float | None, typer.Option(help="What the ruler of 100 mm on the printed page measures.")] = (
        None
    )
    baseline_mm: Annotated[
        float | None, typer.Option(min=1.0, help="Stereo: the distance between the cameras, where it is known.")
    ] = None
    name: Annotated[str, typer.Option(help="Of the camera, or of the two, in the rack.")] = "camera"
    camera_file: Annotated[
        Path | None, typer.Option(help="Write the lens here, for the room file; of stereo also NAME_2.json.")
    ] = None
    rack: asked.Rack = None
    seconds: asked.Seconds = None
    json_file: options.JsonFile = None


@takes(CameraRequest)
def camera_command(request: CameraRequest) -> None:
    """A camera's lens, or two and the pose between them. Exit code 0; 2 if refused; 1 on errors."""
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_camera(request, now, console)


def run_camera(request: CameraRequest, now: Callable[[], str], console: Console) -> None:
    """Collects or reads the pictures, calibrates, writes the camera file, and keeps the result.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the result is refused.
        SurgNavError: whatever keeps it from beginning.
    """
    from geometry.extras import require_extras
    from navigation.commands.calibrate.conclusion import conclude

    require_extras("markers")
    if len(request.sources) > 2:
        raise AcquisitionError(f"{len(request.sources)} sources", "one, or two for stereo", "calibrate them by pairs")
    collected = _collected(request, _board(request), console)
    for each in collected.not_seen:
        console.print(f"{each.name}: {each.reason}", highlight=False, markup=False)
    result, cameras = _calibrated(request, collected, now())
    if request.camera_file is not None and result.is_accepted:
        _write(request.camera_file, cameras, console)
    conclude(result, request.rack, request.json_file, console)


def _board(request: CameraRequest) -> CharucoBoard | Chessboard:
    from calibration.camera.boards import CharucoBoard, Chessboard, dictionaries
    from calibration.camera.scale import ruler_scale

    found = re.fullmatch(r"(\d{1,2})x(\d{1,2})", request.board)
    if not found or not all(3 <= int(side) <= 50 for side in found.groups()):
        raise AcquisitionError(
            f"a board of {request.board!r}", "squares across and down, 3 to 50 each, such as 7x9", "correct --board"
        )
    columns, rows = map(int, found.groups())
    scale = 1.0 if request.ruler_mm is None else ruler_scale(request.ruler_mm)
    square_mm = request.square_mm * scale
    if request.chessboard:
        return Chessboard(columns=columns, rows=rows, square_mm=square_mm)
    if request.dictionary not in dictionaries():
        raise AcquisitionError(
            f"the dictionary {request.dictionary!r}", f"one of {', '.join(dictionaries())}", "correct --dictionary"
        )
    marker_mm = None if request.marker_mm is None else request.marker_mm * scale
    return CharucoBoard(
        columns=columns,
        rows=rows,
        square_mm=square_mm,
        dictionary=request.dictionary,
        marker_mm=marker_mm,
        first_id=request.first_id,
    )


def _collected(request: CameraRequest, board: CharucoBoard | Chessboard, console: Console) -> BoardCollecting:
    from navigation.acquisition.board_pictures import is_live, recorded_pictures
    from navigation.acquisition.boarding import BoardCollecting

    count = len(request.sources)
    if any(is_live(source) for source in request.sources):
        collecting = BoardCollecting(board, count, every_picture=False)
        _live(request, collecting, console)
        return collecting
    are_folders = all(Path(source).is_dir() for source in request.sources)
    collecting = BoardCollecting(board, count, every_picture=are_folders)
    for pictures in recorded_pictures(request.sources):
        collecting.add(pictures)
    return collecting


def _live(request: CameraRequest, collecting: BoardCollecting, console: Console) -> None:
    from navigation.acquisition.board_pictures import LivePictures
    from navigation.clock import MonotonicClock
    from navigation.commands.calibrate.live import collect_shown

    pictures = LivePictures(request.sources)
    try:
        collect_shown(
            collecting,
            pictures.next,
            MonotonicClock(),
            console,
            title=f"camera {request.name}",
            seconds=request.seconds,
            note=lambda: collecting.why,
        )
    finally:
        pictures.close()


def _calibrated(
    request: CameraRequest, collected: BoardCollecting, made: str
) -> tuple[CalibrationResult, list[CameraCalibration]]:
    """The result, accepted or refused, and the lenses."""
    from calibration.camera.choosing import choose
    from calibration.camera.mono import calibrate_camera
    from calibration.camera.results import METHOD, mono_result, stereo_result
    from calibration.camera.stereo import calibrate_stereo
    from calibration.result import CalibrationResult
    from navigation.acquisition.board_pictures import input_of_pictures

    inputs = [
        input_of_pictures(source, [view.pixels for view in collected.views(camera)])
        for camera, source in enumerate(request.sources)
    ]
    cameras: list[CameraCalibration] = []

    def calibrate() -> CalibrationResult:
        if len(request.sources) == 1:
            found = calibrate_camera(choose(collected.views(0), _MOST_VIEWS), made)
            cameras.append(found.camera)
            return mono_result(found, request.name, inputs, _notes(request))
        both = calibrate_stereo(collected.pairs, made)
        fault = both.size_fault(request.baseline_mm, request.square_mm) if request.baseline_mm else None
        both = both if fault is None else both.refused(fault)
        cameras.extend(both.cameras)
        return stereo_result(both, request.name, inputs, _notes(request))

    result = CalibrationResult.or_refused(
        calibrate,
        kind="camera" if len(request.sources) == 1 else "stereo",
        subject=request.name,
        made=made,
        method=METHOD,
        n_used=len(collected.pairs),
        inputs=inputs,
    )
    why = () if cameras else _why(collected)
    return result.model_copy(update={"reasons": (*result.reasons, *why)}), cameras


def _notes(request: CameraRequest) -> list[str]:
    """What is known of the size of the squares."""
    from calibration.camera.scale import UNCHECKED, ruler_sentence

    if request.ruler_mm is not None:
        return [ruler_sentence(request.ruler_mm, request.square_mm)]
    if request.baseline_mm is not None and len(request.sources) == 2:
        return [f"the size of the squares agrees with the distance of {request.baseline_mm:g} mm between the cameras"]
    return [UNCHECKED]


def _why(collected: BoardCollecting) -> list[str]:
    """The commonest reason why pictures show no board."""
    reasons = [each.reason for each in collected.not_seen]
    if not reasons:
        return [collected.why] if collected.why else []
    commonest = max(set(reasons), key=reasons.count)
    return [f"{reasons.count(commonest)} of {len(reasons) + len(collected.pairs)} pictures: {commonest}"]


def _write(path: Path, cameras: list[CameraCalibration], console: Console) -> None:
    from calibration.camera.camera_file import write_camera

    paths = [path, path.with_stem(f"{path.stem}_2")]
    for each, camera in zip(paths, cameras, strict=False):
        write_camera(each, camera)
        console.print(f"written for the room file: {each}", highlight=False, markup=False)
