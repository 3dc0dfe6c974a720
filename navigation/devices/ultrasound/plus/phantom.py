"""The N-wire phantom in a configuration of PLUS, and where it was registered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from calibration.ultrasound_probe.wires.phantom import NWirePhantom, Wire, n_wire_phantom
from geometry import Transform
from geometry.points import Floats
from navigation.devices.ultrasound.plus.poses import MOST_OFF_ORTHONORMAL, snake_case
from navigation.errors import DeviceError

_LARGEST_BYTES = 5_000_000
_ALLOWED = "a device set configuration of PLUS with a PhantomDefinition"
_ACTION = "name the configuration that fCal was run with"


@dataclass(frozen=True, eq=False)
class PlusPhantom:
    """What a configuration says of a phantom.

    Attributes:
        wires: three for each N, in the phantom's frame.
        T_fixed_phantom: where it was registered, ``T_reference_phantom`` as a rule; None where the file has none.
        spacing_mm: the pixel's size, roughly, that PLUS's own segmentation is told; None where it is not stated.
    """

    wires: NWirePhantom
    T_fixed_phantom: Transform | None
    spacing_mm: float | None


def read_plus_phantom(path: Path) -> PlusPhantom:
    """Reads the wires, the registration and the size of a pixel from a configuration of PLUS (``.xml``).

    Raises:
        DeviceError: no such file, no such configuration, or a registration that is not rigid.
        ProbeInputError: wires that are no N-wires.
    """
    root = _root(path)
    patterns = [
        [_wire(path, wire) for wire in pattern.findall("Wire")]
        for pattern in root.iter("Pattern")
        if pattern.get("Type") == "NWire"
    ]
    if not patterns:
        raise DeviceError(f"{path.name} without an N-wire pattern", _ALLOWED, _ACTION)
    placed = [each for each in root.iter("Transform") if each.get("From") == "Phantom"]
    spacing = next((each.get("ApproximateSpacingMmPerPixel") for each in root.iter("Segmentation")), None)
    return PlusPhantom(
        n_wire_phantom(patterns),
        _transform(path, placed[0]) if placed else None,
        None if spacing is None else float(_numbers(path, spacing, 1)[0]),
    )


def _root(path: Path) -> ElementTree.Element:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise DeviceError(f"{path.name} of more than {_LARGEST_BYTES:,} bytes", _ALLOWED, _ACTION)
        text = path.read_bytes()
    except OSError as error:
        raise DeviceError(f"{path}: {(error.strerror or str(error)).lower()}", _ALLOWED, _ACTION) from error
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:  # entities can make a small file fill the memory
        raise DeviceError(f"{path.name} with a document type of its own", _ALLOWED, _ACTION)
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DeviceError(f"{path.name}, which is no XML ({error})", _ALLOWED, _ACTION) from error


def _wire(path: Path, wire: ElementTree.Element) -> Wire:
    front, back = (_numbers(path, wire.get(end, ""), 3).tolist() for end in ("EndPointFront", "EndPointBack"))
    return Wire(wire.get("Name", ""), (front[0], front[1], front[2]), (back[0], back[1], back[2]))


def _transform(path: Path, element: ElementTree.Element) -> Transform:
    matrix = _numbers(path, element.get("Matrix", ""), 16).reshape(4, 4)
    u, _, vt = np.linalg.svd(matrix[:3, :3])
    if np.abs(u @ vt - matrix[:3, :3]).max() > MOST_OFF_ORTHONORMAL:
        came = f"{path.name} with a phantom whose transform has a scale or a shear"
        raise DeviceError(came, "a rigid transform", "register the phantom again")
    matrix[:3, :3] = u @ vt  # six printed digits are no rotation to the last
    return Transform(matrix, snake_case(element.get("To", "")), "phantom")


def _numbers(path: Path, text: str, count: int) -> Floats:
    try:
        numbers = np.array(text.split(), np.float64)
    except ValueError:
        numbers = np.empty(0)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise DeviceError(f"{path.name} with {text[:60]!r}", f"{count} numbers", "correct the configuration")
    return numbers
