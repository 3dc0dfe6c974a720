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


@dataclass(frozen=True, kw_only=True)
class ProbeTimeRequest:
    """What was asked for: a recording, or else a room."""

    recording: Annotated[
        Path | None, typer.Argument(help="Recorded: sequence of PLUS (.igs.mha) with images and the probe's poses.")
    ] = None
    tool: Annotated[str, typer.Option(help="Name of the probe, as in the recording or the room file.")] = "probe"
    relative_to: Annotated[str, typer.Option(help="Tool that stands still with the tank, such as reference.")] = (
        "tracker"
    )
    room: asked.RoomFile = None
    rack: asked.Rack = None
    seconds: asked.Seconds = None
    json_file: options.JsonFile = None


@takes(ProbeTimeRequest)
def probe_time_command(request: ProbeTimeRequest) -> None:
    """The lag of ultrasound images against poses, from a probe moved up and down over a flat bottom.

    Exit code 0; 2 if refused; 1 on errors.
    """
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_probe_time(request, now, console)


def run_probe_time(request: ProbeTimeRequest, now: Callable[[], str], console: Console) -> None:
    """Collects or reads the images, finds the bottom in them, calibrates, and keeps the result.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the result is refused.
        SurgNavError: no such recording or room, or one without the probe.
    """
    from navigation.acquisition.probe.bottom import BottomCollecting
    from navigation.acquisition.probe.frames import ProbeMarkers
    from navigation.commands.calibrate.conclusion import conclude
    from navigation.commands.calibrate.probe.frames import fill_from_recording, fill_live, names_of
    from navigation.commands.calibrate.source import rack_of, recordings_or_room

    source = recordings_or_room([request.recording], request.room)
    names = names_of(source, request.tool, request.relative_to)
    collecting = BottomCollecting(ProbeMarkers(names[request.tool], request.relative_to))
    if isinstance(source, tuple):
        inputs = fill_from_recording(collecting, source[0])
    else:
        title = f"time of {request.tool}"
        inputs = fill_live(collecting, source, names, console, title=title, seconds=request.seconds)
    conclude(collecting.result(now(), [inputs]), rack_of(request.rack, source), request.json_file, console)
