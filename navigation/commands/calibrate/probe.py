"""``surgnav calibrate probe``: where the pixels of an ultrasound image lie in the probe's frame, from N-wires."""

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
    from calibration.ultrasound_probe.wires.n_wire import NWireCalibration
    from geometry import Transform
    from navigation.acquisition.probe_images import ProbeRecording
    from navigation.acquisition.probe_wires import WireSweep
    from navigation.devices.ultrasound.plus.phantom import PlusPhantom


@dataclass(frozen=True, kw_only=True)
class ProbeRequest:
    """What was asked for."""

    recording: Annotated[Path, typer.Argument(help="PLUS sequence (.igs.mha) with images and the probe's poses.")]
    phantom: Annotated[Path, typer.Option(help="Configuration of PLUS with the phantom's wires and registration.")]
    tool: Annotated[str, typer.Option(help="Name of the probe, as in the recording.")] = "probe"
    relative_to: Annotated[str, typer.Option(help="Tool that the phantom is registered to.")] = "reference"
    spacing_mm: Annotated[
        float | None, typer.Option(min=0.01, max=2.0, help="Size of a pixel, roughly; by default as the phantom says.")
    ] = None
    lag_ms: Annotated[
        float | None, typer.Option(help="Lag of 'surgnav calibrate probe-time'; by default it is estimated.")
    ] = None
    validation: Annotated[Path | None, typer.Option(help="A second sequence, to see the error on.")] = None
    rack: asked.Rack = None
    json_file: options.JsonFile = None


@takes(ProbeRequest)
def probe_command(request: ProbeRequest) -> None:
    """Spacing, place and rotation of an ultrasound image in its probe, from a sweep over an N-wire phantom.

    Exit code 0; 2 if refused; 1 on errors.
    """
    with reporting(live=False, json_file=request.json_file) as (console, _):
        run_probe(request, now, console)


def run_probe(request: ProbeRequest, now: Callable[[], str], console: Console) -> None:
    """Reads the recording, finds the wires in its images, calibrates, and keeps the result.

    Args:
        now: tells the time, ISO 8601 with a time zone.

    Raises:
        typer.Exit: with code 2 if the result is refused.
        SurgNavError: no such recording or phantom, or none that can be used.
    """
    from navigation.commands.calibrate.conclusion import conclude

    conclude(calibrated(request, now()), request.rack, request.json_file, console)


def calibrated(request: ProbeRequest, made: str) -> CalibrationResult:
    """The result of the recording, accepted or refused."""
    from calibration.result import CalibrationResult
    from calibration.ultrasound_probe.errors import ProbeRefusedError
    from calibration.ultrasound_probe.results import N_WIRE_METHOD, n_wire_result
    from navigation.acquisition.probe_images import ProbeRecording
    from navigation.acquisition.probe_wires import wires_of
    from navigation.acquisition.recordings import input_of
    from navigation.devices.ultrasound.plus.phantom import read_plus_phantom

    phantom = read_plus_phantom(request.phantom)
    spacing_mm = _spacing(request, phantom)
    T_fixed_phantom = _registered(request, phantom)
    recording = ProbeRecording(request.recording, request.tool, request.relative_to)
    inputs = [input_of(request.recording), input_of(request.phantom)]
    sweep = wires_of(recording, phantom.wires, spacing_mm)
    try:
        found = _calibrate(request, recording, sweep, phantom, T_fixed_phantom)
    except ProbeRefusedError as error:
        return CalibrationResult.refused(
            kind="probe_spatial",
            subject=request.tool,
            made=made,
            method=N_WIRE_METHOD,
            error=error,
            n_used=len(sweep.samples),
            inputs=inputs,
        )
    said = f"wires were found in {len(sweep.samples)} of {sweep.n_images} images"
    if sweep.n_turned:
        said += f"; {sweep.n_turned} more were left out, whose pattern was seen from the other side"
    result = n_wire_result(found, made, inputs)
    result = result.model_copy(update={"coverage": (said, *result.coverage)})
    if request.validation is None:
        return result
    return _validated(request, request.validation, result, found, phantom, T_fixed_phantom)


def _spacing(request: ProbeRequest, phantom: PlusPhantom) -> float:
    from navigation.errors import RoomError

    spacing_mm = phantom.spacing_mm if request.spacing_mm is None else request.spacing_mm
    if spacing_mm is None:
        raise RoomError(
            f"{request.phantom.name} without the size of a pixel",
            "an ApproximateSpacingMmPerPixel, or --spacing-mm",
            "state it roughly: depth of the image in mm by its height in px",
        )
    return spacing_mm


def _registered(request: ProbeRequest, phantom: PlusPhantom) -> Transform:
    from navigation.errors import RoomError

    placed = phantom.T_fixed_phantom
    if placed is None or placed.to_frame != request.relative_to:
        came = "no registration of the phantom" if placed is None else f"the phantom registered as {placed}"
        raise RoomError(
            f"{request.phantom.name} with {came}",
            f"T_{request.relative_to}_phantom",
            "register the phantom first, or name what it is registered to with --relative-to",
        )
    return placed


def _calibrate(
    request: ProbeRequest,
    recording: ProbeRecording,
    sweep: WireSweep,
    phantom: PlusPhantom,
    T_fixed_phantom: Transform,
) -> NWireCalibration:
    from calibration.ultrasound_probe.errors import ProbeRefusedError
    from calibration.ultrasound_probe.wires.n_wire import calibrate_n_wires
    from navigation.acquisition.probe_wires import with_lag

    motion, samples = recording.motion(), sweep.samples
    known = request.lag_ms is not None
    if request.lag_ms is not None and samples:
        samples = with_lag(samples, motion, 1e-3 * request.lag_ms)
    if not samples:
        raise ProbeRefusedError(
            f"{sweep.n_images} images without wires of the phantom beside a pose of the probe",
            "images with two or more whole Ns",
            "check that the phantom is the one described, and the size of a pixel (--spacing-mm)",
        )
    return calibrate_n_wires(samples, phantom.wires, T_fixed_phantom, sweep.size_px, motion=None if known else motion)


def _validated(
    request: ProbeRequest,
    path: Path,
    result: CalibrationResult,
    found: NWireCalibration,
    phantom: PlusPhantom,
    T_fixed_phantom: Transform,
) -> CalibrationResult:
    """The result with its error on the second sequence."""
    from calibration.ultrasound_probe.wires.validation import n_wire_errors_mm, trimmed_mean
    from navigation.acquisition.probe_images import ProbeRecording
    from navigation.acquisition.probe_wires import wires_of
    from navigation.acquisition.recordings import input_of

    recording = ProbeRecording(path, request.tool, request.relative_to)
    samples = wires_of(recording, phantom.wires, _spacing(request, phantom)).samples
    lag_s = found.lag_s if request.lag_ms is None else 1e-3 * request.lag_ms
    errors_mm = n_wire_errors_mm(
        found.calibration.image_map, samples, phantom.wires, T_fixed_phantom, recording.motion(), lag_s or 0.0
    )
    said = (
        f"on {path.name}: middle wires {errors_mm.mean():.3f} mm off in the mean, {trimmed_mean(errors_mm):.3f} mm "
        f"without the worst 5 %, of {len(errors_mm)} that have a pose"
    )
    numbers = {"validation_mean_mm": float(errors_mm.mean()), "validation_trimmed_mean_mm": trimmed_mean(errors_mm)}
    update = {
        "coverage": (*result.coverage, said),
        "numbers": {**result.numbers, **numbers},
        "inputs": (*result.inputs, input_of(path)),
    }
    return result.model_copy(update=update)
