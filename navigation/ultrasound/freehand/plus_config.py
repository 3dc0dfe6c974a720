"""The image map of a configuration file of PLUS."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from geometry.points import Floats
from navigation.errors import DeviceError

_MOST_BYTES = 10_000_000


def read_image_to_probe(path: Path) -> Floats:
    """``ImageToProbe`` of PLUS's ``CoordinateDefinitions``: ``(4, 4)``, pixel (x, y, 0, 1) to mm in the probe.

    Raises:
        DeviceError: no such file, no XML, or not one finite affine matrix from ``Image`` to ``Probe``.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _refused(path, f"{path.stat().st_size} bytes")
        root = ElementTree.fromstring(path.read_bytes())
    except (ElementTree.ParseError, UnicodeError, LookupError) as error:
        raise _refused(path, f"no XML ({error})") from error
    found = [each.get("Matrix", "") for each in root.iter("Transform") if (each.get("From"), each.get("To")) == _WAY]
    if len(found) != 1:
        raise _refused(path, f"{len(found)} transforms From=Image To=Probe")
    try:
        matrix = np.array([float(number) for number in found[0].split()]).reshape(4, 4)
    except ValueError as error:
        raise _refused(path, f"the matrix {found[0][:80]!r}") from error
    if not np.isfinite(matrix).all() or not np.array_equal(matrix[3], (0.0, 0.0, 0.0, 1.0)):
        raise _refused(path, f"the matrix {matrix.tolist()}")
    return matrix


_WAY = ("Image", "Probe")


def _refused(path: Path, came: str) -> DeviceError:
    allowed = "a configuration of PLUS with one CoordinateDefinitions/Transform From=Image To=Probe of 16 numbers"
    return DeviceError(f"{path.name} with {came}", allowed, "calibrate the probe with PLUS (fCal), or give --room")
