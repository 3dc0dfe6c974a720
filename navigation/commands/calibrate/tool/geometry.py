"""``surgnav calibrate geometry``: where the spheres of a tool are, from what a tracker saw of them."""

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

    from calibration.result import InputFile
    from calibration.tool_geometry.layout import Layout, LayoutSettings
    from geometry.points import Floats
    from navigation.room.room import Room


@dataclass(frozen=True, kw_only=True)
class GeometryRequest:
    """What was asked for."""

    points: Annotated[
        Path | None,
        typer.Argument(help="CSV with the columns frame, x_mm, y_mm and z_mm: what was seen in each frame."),
    ] = None
    tool: Annotated[str, typer.Option(help="Name of the tool; live, one that the tracker does not know yet.")]
    room: asked.RoomFile = None
    design: Annotated[
        Path | None, typer.Option(help="Its designed geometry (.rom): the layout is laid over it, and gets its frame.")
    ] = None
    beside: Annotated[
        list[Path] | None, typer.Option(help="Geometry (.rom) of another tool of the room, which it must not be like.")
    ] = None
    rom: Annotated[Path | None, typer.Option(help="Write the measured geometry as an NDI file (.rom).")] = None
    part: Annotated[str | None, typer.Option(help="Part number in that file; by default the tool's name.")] = None
    tolerance_mm: Annotated[
        float, typer.Option(min=0.01, help="How far a point may lie from its sphere: 3 to 4 times the tracker's noise.")
    ] = 1.0
    rack: asked.Rack = None
    seconds: asked.Seconds = None
    json_file: options.JsonFile = None


@takes(GeometryRequest)
def geometry_command(request: GeometryRequest) -> None:
    """Where the spheres of a tool are, from points in any order. Exit code 0; 2 if refused; 1 on errors."""
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_geometry(request, now, console)


def run_geometry(request: GeometryRequest, now: Callable[[], str], console: Console) -> None:
    """Collects or reads the points, solves the layout, compares it, writes its .rom, and keeps the result.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the result is refused.
        SurgNavError: files that are none.
    """
    from calibration.result import CalibrationResult
    from calibration.tool_geometry.layout import LayoutSettings, solve_layout
    from calibration.tool_geometry.results import METHOD, layout_result
    from calibration.tool_geometry.rom import read_rom, rom_of_spheres
    from case.atomic import atomic_write
    from navigation.acquisition.recordings import input_of
    from navigation.commands.calibrate.conclusion import conclude
    from navigation.commands.calibrate.source import rack_of, recordings_or_room

    source = recordings_or_room([request.points], request.room)
    settings = LayoutSettings(tolerance_mm=request.tolerance_mm)
    others = {path.name: read_rom(path).markers_array_mm for path in request.beside or ()}
    design = None if request.design is None else read_rom(request.design).markers_array_mm
    frames, collected = _points(request, source, settings, console)
    inputs = [collected, *(input_of(path) for path in (request.design, *(request.beside or ())) if path)]
    found: list[Layout] = []

    def calibrate() -> CalibrationResult:
        layout = solve_layout(frames, settings)
        layout = layout if design is None else layout.laid_over(design, request.tolerance_mm)
        found.append(layout)
        return layout_result(layout, request.tool, now(), inputs, _alike(layout, others, request.tolerance_mm))

    result = CalibrationResult.or_refused(
        calibrate,
        kind="tool_geometry",
        subject=request.tool,
        made=now(),
        method=METHOD,
        n_used=len(frames),
        inputs=inputs,
    )
    if request.rom is not None and found:
        atomic_write(request.rom, rom_of_spheres(found[0].spheres_tool_mm, request.part or request.tool).content)
        console.print(f"written: {request.rom}", highlight=False, markup=False)
    conclude(result, rack_of(request.rack, source), request.json_file, console)


def _points(
    request: GeometryRequest, source: tuple[Path, ...] | Room, settings: LayoutSettings, console: Console
) -> tuple[list[Floats], InputFile]:
    """The points of each frame, from the table or at the room's devices, and what a result says of them."""
    from calibration.tool_geometry.points_file import read_points
    from navigation.acquisition.loose_markers import LayoutCollecting, LiveMarkers
    from navigation.acquisition.recordings import input_of
    from navigation.commands.calibrate.live import collect_live, opened

    if isinstance(source, tuple):
        return read_points(source[0]), input_of(source[0])
    collecting = LayoutCollecting(settings)
    with opened(source) as running:
        markers = LiveMarkers(running.tracker)
        title = f"geometry of {request.tool}"
        collect_live(
            collecting, markers.next, running, console, title=title, seconds=request.seconds, note=lambda: markers.why
        )
    return collecting.frames_mm, collecting.inputs(source.name)


def _alike(layout: Layout, others: dict[str, Floats], tolerance_mm: float) -> list[str]:
    """What of the layout can be taken for itself in another order or for another tool: the worst of each."""
    from calibration.tool_geometry.confusion import confusions

    sentences = []
    for name, other in ((None, None), *others.items()):
        for worst in confusions(layout.spheres_tool_mm, other, tolerance_mm)[:1]:
            whom = "itself in another order" if name is None else name
            sentences.append(f"it can be taken for {whom} where only these are seen: {worst}")
    return sentences
