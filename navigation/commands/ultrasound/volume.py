"""The work of ``surgnav ultrasound volume``: a recorded sweep as a volume, and a surface of it."""

from __future__ import annotations

from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from case.case import Case, MadeBy
from case.mesh_files import write_surface
from case.nifti_files import write_nifti
from geometry.extras import require_extras
from geometry.points import Bools
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.commands.ultrasound.command import VolumeRequest
from navigation.devices.driver import Role
from navigation.devices.ultrasound.opening import open_recording
from navigation.errors import DeviceError
from navigation.room.read_room import read_room
from navigation.room.room import Room
from navigation.terminal.json_files import write_json_file
from navigation.terminal.stopping import stop_requested
from navigation.ultrasound.freehand.files import check_volume_path, write_volume
from navigation.ultrasound.freehand.live_frames import sweep_now
from navigation.ultrasound.freehand.pictures import save_slices
from navigation.ultrasound.freehand.plus_config import read_image_to_probe
from navigation.ultrasound.freehand.report import SweepReport
from navigation.ultrasound.freehand.structures import StructureSettings, open_pipeline, structure_surfaces
from navigation.ultrasound.freehand.sweep import RecordedSweep, crop_mask, placed_by_calibration, placed_by_map
from navigation.ultrasound.placing import ProbeInForce, placing_of
from reconstruction.freehand.compounding import Compounder
from reconstruction.freehand.grid import grid_around
from reconstruction.freehand.holes import Filled, fill_holes
from reconstruction.freehand.settings import CompoundingSettings
from reconstruction.surfaces.extract import ExtractedSurface, SurfaceSettings, extract_surface
from registration.record.in_force import in_force

if TYPE_CHECKING:
    from rich.console import Console

    from navigation.terminal.progress import ProgressLine

VOLUME_ID = "ultrasound/volume.nii.gz"


def make_volume(request: VolumeRequest, console: Console, progress: ProgressLine) -> None:
    """Compounds the sweep, writes volume, pictures and report, and a surface where a level is given.

    Raises:
        SurgNavError: no calibration, no registration where a case is named, frames that cannot be placed, a grid that
            is too large, or nothing that reaches the level.
    """
    require_extras("reconstruction", "pictures", *(("ultrasound",) if request.model else ()))
    _check(request)
    case = None if request.case is None else Case.open(request.case)
    sweep, mask = _sweep(request, progress)
    registration = None
    if case is not None:
        registration = in_force(case)
        if registration is None:
            came = f"the case {case.name} without a registration in force"
            raise DeviceError(came, "a patient that is registered", "surgnav register, or leave --case out")
        sweep = sweep.in_ct(registration.T_reference_ct)
    filled, seconds = _compounded(request, sweep, mask, progress)
    surfaces = _surfaces(request, sweep, mask, filled, progress)
    progress("looking for gaps and ghosts", 0.9)
    report = SweepReport.of(sweep, mask, filled)
    write_volume(request.out, filled.compounded.volume)
    stem = request.out.parent / request.out.name.split(".")[0]
    save_slices(stem.with_suffix(".png"), filled, report.coverage)
    numbers = _numbers(request, sweep, filled, seconds) | report.numbers()
    for name, surface in surfaces.items():
        write_surface(request.out.parent / f"{stem.name}_{name}.stl", surface.surface)
    numbers["surfaces_ml"] = {name: round(each.surface.volume_ml, 3) for name, each in surfaces.items()}
    if case is not None and registration is not None:
        _keep(case, request, filled, surfaces, registration.registration_id)
    write_json_file(stem.with_suffix(".json"), numbers)
    if request.json_file is not None:
        write_json_file(request.json_file, numbers)
    _say(console, request, sweep, numbers, report)


def _check(request: VolumeRequest) -> None:
    check_volume_path(request.out)
    if request.source is None and (request.room is None or request.probe_map is not None):
        came = "no recording, and --probe-map" if request.probe_map else "neither a recording nor --room"
        raise DeviceError(came, "a recording, or --room alone for its live images", "name one of the two")
    if request.source is not None and request.seconds is not None:
        raise DeviceError("--seconds with a recording", "it with live images only", "leave it out")
    if (request.room is None) == (request.probe_map is None):
        came = "neither --room nor --probe-map" if request.room is None else "both --room and --probe-map"
        raise DeviceError(came, "one of the two", "say by which calibration the frames are placed")


def _sweep(request: VolumeRequest, progress: ProgressLine) -> tuple[RecordedSweep, Bools]:
    """The frames with their places, and the pixels that are used: those that the probe scans, within the crop."""
    geometry = None
    if request.room is not None:
        room = read_room(request.room)
        geometry = ScanGeometry.of_numbers(ProbeInForce.of(room.the_tool(Role.PROBE)).spatial.numbers)
        if request.source is None:
            sweep = _swept_now(request, room, progress)
        else:
            placing = placing_of(room, request.source, open_recording(request.source, None))
            sweep = placed_by_calibration(request.source, placing)
    elif request.probe_map is not None and request.source is not None:
        sweep = placed_by_map(request.source, read_image_to_probe(request.probe_map))
    mask = np.ones(sweep.shape, bool) if geometry is None else geometry.mask
    return sweep, mask if request.crop is None else mask & crop_mask(sweep.shape, *request.crop)


def _swept_now(request: VolumeRequest, room: Room, progress: ProgressLine) -> RecordedSweep:
    """Until `--seconds` are over, or Ctrl-C."""
    clock = MonotonicClock()
    end_ns = None if request.seconds is None else clock.now_ns() + round(request.seconds * NS_PER_S)
    with stop_requested() as should_stop:
        return sweep_now(
            room,
            lambda: should_stop() or (end_ns is not None and clock.now_ns() >= end_ns),
            lambda line: progress(f"sweep over it, Ctrl-C ends: {line}", 0.0),
        )


def _compounded(
    request: VolumeRequest, sweep: RecordedSweep, mask: Bools, progress: ProgressLine
) -> tuple[Filled, float]:
    """The volume with its small holes filled, and the seconds that the frames took."""
    grid = grid_around(mask, sweep.T_frame_image_px, request.spacing, sweep.frame)
    volume = Compounder(grid, mask, CompoundingSettings(request.interpolation, request.compounding))
    start, count = perf_counter(), len(sweep.pixels)
    for number, (pixels, T_frame_image_px) in enumerate(zip(sweep.pixels, sweep.T_frame_image_px, strict=True)):
        progress(f"frame {number + 1} of {count}", 0.8 * number / count)
        volume.add(pixels, T_frame_image_px)
    seconds = perf_counter() - start
    compounded = volume.read()
    if request.stick == 0:
        return Filled(compounded, np.zeros_like(compounded.seen)), seconds
    progress("filling holes", 0.8)
    return fill_holes(compounded, request.stick), seconds


def _surfaces(
    request: VolumeRequest, sweep: RecordedSweep, mask: Bools, filled: Filled, progress: ProgressLine
) -> dict[str, ExtractedSurface]:
    """The surface at a grey level, and those of the structures that a model finds.

    What is empty is below the level, so a surface ends where nothing was seen.
    """
    surfaces: dict[str, ExtractedSurface] = {}
    if request.level is not None:
        settings = SurfaceSettings(level=request.level - 0.5, max_triangles=request.max_triangles)
        surfaces[request.name] = extract_surface(filled.compounded.volume, request.name, settings)
    if request.model is not None:
        pipeline = open_pipeline(request.model, sweep)
        how = StructureSettings(max_triangles=request.max_triangles, stick=request.stick)
        grid = filled.compounded.grid
        surfaces |= structure_surfaces(
            sweep, grid, mask, pipeline, how, lambda share: progress(f"looking for {request.model}", share)
        )
        if not surfaces:
            came = f"{_named(request)}, in which {request.model} finds nothing that has a surface"
            raise DeviceError(came, "a sweep over what the model knows", "look at its frames: surgnav ultrasound run")
    return surfaces


def _keep(
    case: Case, request: VolumeRequest, filled: Filled, surfaces: dict[str, ExtractedSurface], registration_id: str
) -> None:
    """Volume and surface in the case, made from the registration: they are stale where it is made again."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    parameters = {"interpolation": request.interpolation, "compounding": request.compounding, "stick": request.stick}
    made_by = MadeBy.surgnav(time, parameters | {"level": request.level, "model": request.model})
    volume = filled.compounded.volume
    case.add(
        "ultrasound_volume",
        VOLUME_ID,
        lambda path: write_nifti(path, volume),
        made_by,
        (f"registration/{registration_id}.json",),
    )
    for surface in surfaces.values():
        case.add_surface(surface.surface, made_by, (VOLUME_ID,), details=surface.simplified())


def _named(request: VolumeRequest) -> str:
    return "a live sweep" if request.source is None else request.source.name


def _numbers(request: VolumeRequest, sweep: RecordedSweep, filled: Filled, seconds: float) -> dict[str, Any]:
    grid = filled.compounded.grid
    return {
        "source": "live" if request.source is None else str(request.source),
        "frame": grid.frame,
        "frames": len(sweep.pixels),
        "left_out": sweep.left_out,
        "interpolation": request.interpolation,
        "compounding": request.compounding,
        "stick_voxels": request.stick,
        "spacing_mm": grid.spacing_mm.tolist(),
        "origin_mm": grid.origin_mm.round(4).tolist(),
        "shape_ijk": list(grid.shape_ijk),
        "ms_per_frame": round(1e3 * seconds / len(sweep.pixels), 3),
        "recorded_hz": None if len(sweep.pixels) < 2 else round(sweep.rate_hz, 3),
    }


def _say(
    console: Console, request: VolumeRequest, sweep: RecordedSweep, numbers: dict[str, Any], report: SweepReport
) -> None:
    i, j, k = numbers["shape_ijk"]
    lines = [
        f"{request.out}: {i} x {j} x {k} voxels of {request.spacing:g} mm in {sweep.frame}, "
        f"{numbers['frames']} frames, {numbers['ms_per_frame']:.1f} ms each"
        + (f" (recorded at {numbers['recorded_hz']:.1f} a second)" if numbers["recorded_hz"] else ""),
        *(f"{count} frames left out: {reason}" for reason, count in sweep.left_out.items()),
        *report.lines(),
    ]
    lines += [f"surface of {name}: {size_ml:.1f} ml" for name, size_ml in numbers["surfaces_ml"].items()]
    if request.case is not None:
        lines.append(f"in the case {request.case} as a suggestion: surgnav review")
    for line in lines:
        console.print(line, highlight=False, markup=False)
