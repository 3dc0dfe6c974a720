"""What ``surgnav calibrate probe`` is given beside images: phantom, tip, lag, axes; and what it collects with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration.tip_file import read_tip
from calibration.ultrasound_probe.flips import ProbeAxes
from geometry import Transform
from navigation.acquisition.probe.frames import ProbeMarkers
from navigation.acquisition.probe.targets import (
    Find,
    TargetCollecting,
    brightest_spot,
    points_of,
    read_image_points,
    wall_line,
)
from navigation.acquisition.probe.wires import WireCollecting, WireScan
from navigation.commands.calibrate.probe.command import ProbeRequest
from navigation.commands.calibrate.source import in_rack
from navigation.devices.ultrasound.plus.phantom import PlusPhantom, read_plus_phantom
from navigation.errors import AcquisitionError

# Options that mean something for some of the methods only.
_OF_METHODS = {
    "phantom": ("nwire",),
    "phantom_error_mm": ("nwire",),
    "validation": ("nwire",),
    "points": ("cross", "stylus"),
    "tip": ("stylus",),
}


def check_options(request: ProbeRequest) -> None:
    """Refuses what cannot belong together.

    Raises:
        AcquisitionError: an option of another method, points for a room, or N-wires without their phantom.
    """
    for name, methods in _OF_METHODS.items():
        if getattr(request, name) is not None and request.method not in methods:
            option = f"--{name.replace('_', '-')}"
            raise AcquisitionError(
                f"{option} with --method {request.method}", f"{option} with {' or '.join(methods)}", "leave it away"
            )
    if request.points is not None and request.room is not None:
        raise AcquisitionError(
            "--points with --room", "points of the frames of a recording", "leave it away: the brightest spot is used"
        )
    if request.method == "nwire" and request.phantom is None:
        raise AcquisitionError(
            "--method nwire without a phantom",
            "the configuration of PLUS that describes its wires",
            "name it with --phantom; or choose a simpler target: --method wall, cross or stylus",
        )


def collecting_of(request: ProbeRequest, names: dict[str, str], rack: Path | None) -> WireCollecting | TargetCollecting:
    """What collects the images, with all that is known beforehand.

    Args:
        names: what the tools are called in the results.
        rack: where the tip of the stylus and the lag are.

    Raises:
        AcquisitionError: no tip of the stylus, or no rough size of a pixel for N-wires.
        SurgNavError: files that are none.
    """
    sides = [None if side is None else np.array(side) for side in (request.marked, request.far)]
    axes, lag_s = ProbeAxes(*sides), _lag_s(request, names[request.tool], rack)
    if request.method == "nwire" and request.phantom is not None:
        phantom = read_plus_phantom(request.phantom)
        scan = WireScan(
            phantom=phantom.wires,
            T_fixed_phantom=_registered(request, phantom),
            spacing_mm=_spacing(request, phantom),
            lag_s=lag_s,
            phantom_error_rms_mm=request.phantom_error_mm,
            axes=axes,
        )
        return WireCollecting(ProbeMarkers(names[request.tool], request.relative_to), scan)
    stylus = names[request.stylus] if request.method == "stylus" else None
    return TargetCollecting(
        "wall" if request.method == "nwire" else request.method,
        ProbeMarkers(names[request.tool], request.relative_to, stylus),
        _find(request),
        axes=axes,
        lag_s=lag_s,
        stated_spacing_mm=request.spacing_mm,
        T_stylus_tip=None if stylus is None else _tip(request, stylus, rack),
    )


def _find(request: ProbeRequest) -> Find:
    if request.method == "wall":
        return wall_line
    return brightest_spot if request.points is None else points_of(read_image_points(request.points))


def _lag_s(request: ProbeRequest, probe: str, rack: Path | None) -> float | None:
    """The lag that was stated, or that of the newest accepted temporal calibration; None if there is none."""
    if request.lag_ms is not None:
        return 1e-3 * request.lag_ms
    result = in_rack(rack, probe, "probe_temporal")
    return None if result is None else 1e-3 * result.numbers["lag_ms"]


def _tip(request: ProbeRequest, stylus: str, rack: Path | None) -> Transform:
    if request.tip is not None:
        tip = read_tip(request.tip).T_tool_tip
        return Transform(tip.matrix, stylus, f"{stylus}_tip")
    result = in_rack(rack, stylus, "pivot")
    if result is None:
        raise AcquisitionError(
            f"no tip of {stylus}",
            "a pivot calibration in force in the rack, or a tip file",
            f"calibrate it first: surgnav calibrate pivot --tool {stylus} --rack rack; or name it with --tip",
        )
    return result.transform(stylus, f"{stylus}_tip")


def _spacing(request: ProbeRequest, phantom: PlusPhantom) -> float:
    spacing_mm = phantom.spacing_mm if request.spacing_mm is None else float(np.mean(request.spacing_mm))
    if spacing_mm is None:
        raise AcquisitionError(
            "a phantom without the size of a pixel",
            "an ApproximateSpacingMmPerPixel, or --spacing-mm",
            "state it roughly: depth of the image in mm by its height in px",
        )
    return spacing_mm


def _registered(request: ProbeRequest, phantom: PlusPhantom) -> Transform:
    placed = phantom.T_fixed_phantom
    if placed is None or placed.to_frame != request.relative_to:
        came = "no registration of the phantom" if placed is None else f"the phantom registered as {placed}"
        raise AcquisitionError(
            came,
            f"T_{request.relative_to}_phantom",
            "register the phantom first, or name what it is registered to with --relative-to",
        )
    return placed
