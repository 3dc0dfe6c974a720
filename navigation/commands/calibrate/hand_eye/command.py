"""``surgnav calibrate hand-eye``: what one device sees against what another device sees on the same body."""

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

_KINDS = "PLUS sequence, MCAP, CSV, a folder of text files with 4x4 matrices, or a table of time, position, quaternion."


@dataclass(frozen=True, kw_only=True)
class HandEyeRequest:
    """What was asked for: the recordings of both bodies, or a room, and the names of their frames."""

    hand_recording: Annotated[
        Path | None, typer.Argument(help=f"Recorded: the hand in its base, such as T_tracker_scope: {_KINDS}")
    ] = None
    eye_recording: Annotated[
        Path | None,
        typer.Argument(help="The eye in its world, such as T_board_camera; the same file if it holds both."),
    ] = None
    room: asked.RoomFile = None
    hand: Annotated[str, typer.Option(help="Name of the hand: the marker that the first device sees.")] = "hand"
    eye: Annotated[str, typer.Option(help="Name of the eye: what the second device sees, or its camera.")] = "eye"
    eye_is_device: Annotated[
        bool,
        typer.Option("--eye-is-device", help="Live: the eye is the device, on the hand; --world is what it sees."),
    ] = False
    base: Annotated[str, typer.Option(help="Name of the frame of the first device.")] = "tracker"
    world: Annotated[str, typer.Option(help="Name of the frame of the second device.")] = "world"
    hand_id: Annotated[str | None, typer.Option(help="What the first file calls the hand.")] = None
    eye_id: Annotated[str | None, typer.Option(help="What the second file calls the eye.")] = None
    rack: asked.Rack = None
    seconds: asked.Seconds = None
    topic: asked.Topic = None
    unit: asked.Unit = "mm"
    rate_hz: asked.RateHz = None
    json_file: options.JsonFile = None


@takes(HandEyeRequest)
def hand_eye_command(request: HandEyeRequest) -> None:
    """Where the eye sits on the hand, and their clocks' offset. Exit code 0; 2 if refused; 1 on errors."""
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_hand_eye(request, now, console)


def run_hand_eye(request: HandEyeRequest, now: Callable[[], str], console: Console) -> None:
    """Collects or reads the poses, calibrates, and keeps the result under the name of the hand.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the result is refused.
        SurgNavError: poses that are none, or whatever keeps it from beginning.
    """
    from navigation.acquisition.recordings import input_of, input_of_stream
    from navigation.commands.calibrate.conclusion import conclude
    from navigation.commands.calibrate.hand_eye.live import poses_of_both
    from navigation.commands.calibrate.source import rack_of, recordings_or_room

    recordings = [request.hand_recording, request.eye_recording]
    source = recordings_or_room(recordings, request.room, placing=True)
    if isinstance(source, tuple):
        hand = _read(request, source[0], request.base, request.hand, request.hand_id)
        eye = _read(request, source[-1], request.world, request.eye, request.eye_id)
        inputs = [input_of(path) for path in dict.fromkeys(source)]
    else:
        hand, eye = poses_of_both(request, source, console)
        inputs = [input_of_stream(stream) for stream in (hand, eye)]
    conclude(calibrated(hand, eye, now(), inputs), rack_of(request.rack, source), request.json_file, console)


def _read(request: HandEyeRequest, path: Path, to_frame: str, tool: str, id_in_file: str | None) -> PoseStream:
    from navigation.acquisition.recordings import read_stream
    from navigation.commands.calibrate.hand_eye.pose_tables import is_pose_table, read_pose_table

    if is_pose_table(path):
        return read_pose_table(path, to_frame, tool, request.unit)
    return read_stream(
        path, tool, id_in_file, topic=request.topic, unit=request.unit, rate_hz=request.rate_hz, to_frame=to_frame
    )


def calibrated(hand: PoseStream, eye: PoseStream, made: str, inputs: list[InputFile]) -> CalibrationResult:
    """The result of a hand-eye calibration, accepted or refused."""
    from calibration.hand_eye.results import METHOD, hand_eye_result
    from calibration.hand_eye.streams import calibrate_hand_eye_streams
    from calibration.result import CalibrationResult

    return CalibrationResult.or_refused(
        lambda: hand_eye_result(calibrate_hand_eye_streams(hand, eye), hand.from_frame, made, inputs),
        kind="hand_eye",
        subject=hand.from_frame,
        made=made,
        method=METHOD,
        n_used=min(len(hand), len(eye)),
        inputs=inputs,
    )
