"""``surgnav calibrate probe``: where the pixels of an image lie in the probe's frame, by one of four targets."""

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

_THREE = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class ProbeRequest:
    """What was asked for: a recording, or else a room; the target; and what is known beforehand."""

    recording: Annotated[
        Path | None, typer.Argument(help="Recorded: sequence of PLUS (.igs.mha) with images and the probe's poses.")
    ] = None
    method: Annotated[
        Literal["nwire", "stylus", "cross", "wall"],
        typer.Option(help="nwire: a phantom of N-wires; stylus: its tip; cross: one point; wall: a plane; at rest."),
    ] = "nwire"
    room: asked.RoomFile = None
    tool: Annotated[str, typer.Option(help="Name of the probe, as in the recording or the room file.")] = "probe"
    relative_to: Annotated[
        str, typer.Option(help="What stands still with the target, and a phantom is registered to; or tracker.")
    ] = "reference"
    phantom: Annotated[
        Path | None, typer.Option(help="nwire: configuration of PLUS with the phantom's wires and registration.")
    ] = None
    phantom_error_mm: Annotated[
        float | None, typer.Option(min=0.0, help="nwire: RMS error of the phantom's registration.")
    ] = None
    points: Annotated[
        Path | None,
        typer.Option(help="Recorded, cross and stylus: CSV with frame, x_px, y_px; without it the brightest spot."),
    ] = None
    stylus: Annotated[str, typer.Option(help="stylus: its marker.")] = "stylus"
    tip: Annotated[
        Path | None, typer.Option(help="stylus: its tip as a JSON file; by default the one in force in the rack.")
    ] = None
    spacing_mm: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Width and height of a pixel, as the machine states them; for nwire roughly is enough."),
    ] = None
    marked: Annotated[
        _THREE | None, typer.Option(help="Direction from the transducer's middle to its marked side, in its marker.")
    ] = None
    far: Annotated[_THREE | None, typer.Option(help="Direction from the transducer into the patient.")] = None
    lag_ms: Annotated[
        float | None,
        typer.Option(help="Of images against poses; by default that of probe-time in the rack, or, nwire, estimated."),
    ] = None
    validation: Annotated[Path | None, typer.Option(help="nwire: a second sequence, to see the error on.")] = None
    rack: asked.Rack = None
    seconds: asked.Seconds = None
    json_file: options.JsonFile = None


@takes(ProbeRequest)
def probe_command(request: ProbeRequest) -> None:
    """Spacing, place and rotation of an ultrasound image in its probe. Exit code 0; 2 if refused; 1 on errors."""
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_probe(request, now, console)


def run_probe(request: ProbeRequest, now: Callable[[], str], console: Console) -> None:
    """Collects or reads the images, finds the target in them, calibrates, and keeps the result.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the result is refused.
        SurgNavError: no such recording, room or phantom, or none that can be used.
    """
    from navigation.acquisition.recordings import input_of
    from navigation.commands.calibrate.conclusion import conclude
    from navigation.commands.calibrate.probe.frames import fill_from_recording, fill_live, names_of
    from navigation.commands.calibrate.probe.given import check_options, collecting_of
    from navigation.commands.calibrate.probe.validation import validated
    from navigation.commands.calibrate.source import rack_of, recordings_or_room

    source = recordings_or_room([request.recording], request.room)
    check_options(request)
    rack = rack_of(request.rack, source)
    names = names_of(source, request.tool, request.relative_to, request.stylus if request.method == "stylus" else None)
    collecting = collecting_of(request, names, rack)
    if isinstance(source, tuple):
        inputs = [fill_from_recording(collecting, source[0])]
        console.print(collecting.said, highlight=False)
    else:
        title = f"probe {request.tool} by {request.method}"
        inputs = [fill_live(collecting, source, names, console, title=title, seconds=request.seconds)]
    inputs += [input_of(path) for path in (request.phantom, request.points, request.tip) if path is not None]
    result = collecting.result(now(), inputs)
    if request.validation is not None:
        result = validated(result, collecting, request.validation)
    conclude(result, rack, request.json_file, console)
