"""``surgnav calibrate headset``: where the tracker is in the headset's world, and whether that still holds."""

from __future__ import annotations

from collections.abc import Callable
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

    from calibration.headset.alignment import HeadsetToTracker
    from calibration.result import InputFile
    from calibration.streams import PoseStream


@dataclass(frozen=True, kw_only=True)
class HeadsetRequest:
    """What was asked for: recordings of both devices, or points that the headset shows, touched now or before."""

    tracker: Annotated[
        Path | None, typer.Argument(help="Recording of the marker at the tracker: PLUS sequence, MCAP, CSV, folder.")
    ] = None
    headset: Annotated[
        Path | None, typer.Argument(help="Recording of the same minutes at the headset, of the same marker.")
    ] = None
    touches: Annotated[
        Path | None, typer.Option(help="JSON of points that the headset showed, touched with the tracked stylus.")
    ] = None
    room: asked.RoomFile = None
    stylus: Annotated[str, typer.Option(help="Live: which one touches; the room has its tip.")] = "stylus"
    worn: Annotated[
        bool, typer.Option("--worn", help="The marker sits on the headset, whose recording is of its own pose.")
    ] = False
    check: Annotated[
        bool, typer.Option("--check", help="Does the newest calibration in the rack hold at the touched points?")
    ] = False
    name: Annotated[str, typer.Option(help="Name of the headset, as in the room file.")] = "headset"
    anchor: Annotated[
        str | None, typer.Option(help="The headset's name of the place of its world, for recordings of poses.")
    ] = None
    marker: Annotated[str, typer.Option(help="What the recordings call the marker.")] = "marker"
    head: Annotated[str, typer.Option(help="With --worn: what the headset's recording calls itself.")] = "head"
    tip_error_mm: Annotated[
        float, typer.Option(min=0.0, help="With --touches: expected RMS error of the stylus' tip, from its pivot.")
    ] = 0.0
    target: Annotated[
        str | None, typer.Option(help="X,Y,Z in mm in tracker: the point whose expected error is stated.")
    ] = None
    rack: asked.Rack = None
    seconds: asked.Seconds = None
    unit: asked.Unit = "mm"
    rate_hz: asked.RateHz = None
    json_file: options.JsonFile = None


@takes(HeadsetRequest)
def headset_command(request: HeadsetRequest) -> None:
    """Where the tracker is in the headset's world. Exit code 0; 2 if refused or no longer true; 1 on errors."""
    with reporting(live=False, json_file=request.json_file) as (console, _):
        if request.check:
            check_headset(request, console)
        else:
            run_headset(request, now, console)


def run_headset(request: HeadsetRequest, now: Callable[[], str], console: Console) -> None:
    """Reads what was recorded, calibrates, and keeps the result.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the result is refused.
        SurgNavError: input that is none.
    """
    from calibration.headset.outcome import as_result
    from calibration.result import CalibrationResult
    from navigation.commands.calibrate.conclusion import conclude
    from navigation.commands.calibrate.headset.given import point_of

    target_mm = None if request.target is None else point_of(request.target)
    way, n_samples, inputs, align = _asked(request, console)
    made = now()
    result = CalibrationResult.or_refused(
        lambda: as_result(align(), subject=request.name, made=made, inputs=inputs, target_tracker_mm=target_mm),
        kind="headset_to_tracker",
        subject=request.name,
        made=made,
        method=way,
        n_used=n_samples,
        inputs=inputs,
    )
    if result.transforms:
        p95_mm, away_mm = (result.numbers[f"expected_error_p95_{name}"] for name in ("mm", "600mm_away_mm"))
        console.print(
            f"95 of 100 times within {p95_mm:.1f} mm; {away_mm:.1f} mm an arm's length (600 mm) from what was measured",
            highlight=False,
        )
    conclude(result, _rack(request), request.json_file, console)


def _rack(request: HeadsetRequest) -> Path | None:
    """The rack that was named, or else that of the room; None if there is none."""
    from navigation.room.read_room import read_room

    if request.rack is None and request.room is not None:
        return read_room(request.room, calibrating=True).rack
    return request.rack


def check_headset(request: HeadsetRequest, console: Console) -> None:
    """Says of each touched point, in one line, whether the newest accepted calibration holds.

    Raises:
        typer.Exit: with code 2 if it does not.
        RoomError: no touches, or no rack.
        CalibrationResultError: nothing is in force.
    """
    from calibration.headset.outcome import from_result
    from calibration.headset.watch import HeadsetWatch, Holds
    from calibration.rack import in_force
    from navigation.commands.calibrate.headset.given import nothing_in_force, read_touches, without_rack

    if request.touches is None or request.rack is None:
        raise without_rack()
    result = in_force(request.rack, request.name, "headset_to_tracker")
    if result is None:
        raise nothing_in_force(request.name)
    watch = HeadsetWatch(from_result(result))
    for touch in read_touches(request.touches):
        checked = watch.check(touch.shown_headset_mm, touch.tip_tracker_mm, touch.anchor)
        console.print(f"{touch.name}: {checked.line}", highlight=False, markup=False)
    if watch.verdict.holds is not Holds.YES:
        raise typer.Exit(2)
    console.print(f"the calibration of {result.made} holds", highlight=False, markup=False)


def _asked(
    request: HeadsetRequest, console: Console
) -> tuple[str, int, list[InputFile], Callable[[], HeadsetToTracker]]:
    """What is to be calibrated from: in words, how many samples, from which files, and the calibration itself."""
    from calibration.headset.shared_marker import align_by_shared_marker
    from calibration.headset.touches import align_by_touches
    from navigation.acquisition.recordings import input_of
    from navigation.commands.calibrate.headset.given import choice, read_touches, stated_tip

    if request.room is not None:
        from navigation.commands.calibrate.headset.live import touch_live

        collected = touch_live(request.room, request.name, request.stylus, request.seconds, console)
        return "touched points", collected.n_touches, [collected.inputs], collected.align
    anchor = choice(request.touches, request.tracker, request.headset, request.anchor)
    if request.touches is not None:
        touches, tip_mm2 = read_touches(request.touches), stated_tip(request.tip_error_mm)
        inputs = [input_of(request.touches)]
        return "touched points", len(touches), inputs, lambda: align_by_touches(touches, tip_covariance_mm2=tip_mm2)
    tracker, headset = _streams(request)
    inputs = [input_of(path) for path in (request.tracker, request.headset) if path is not None]
    if request.worn:
        from calibration.headset.worn_marker import align_by_worn_marker

        way = "a marker on the headset"
        return way, len(headset), inputs, lambda: align_by_worn_marker(tracker, headset, anchor=anchor)
    way = "a marker that both see"
    return way, len(headset), inputs, lambda: align_by_shared_marker(tracker, headset, anchor=anchor)


def _streams(request: HeadsetRequest) -> tuple[PoseStream, PoseStream]:
    from geometry.frames import HEADSET
    from navigation.acquisition.recordings import read_stream
    from navigation.commands.calibrate.headset.given import neither

    if request.tracker is None or request.headset is None:
        raise neither()
    unit, rate_hz = request.unit, request.rate_hz
    tracker = read_stream(request.tracker, request.marker, unit=unit, rate_hz=rate_hz)
    own = request.head if request.worn else request.marker
    headset = read_stream(request.headset, own, unit=unit, rate_hz=rate_hz)
    return tracker, replace(headset, to_frame=HEADSET)
