"""What tools are at the moment, for records of what was measured with them, and whether two records are of one tool."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import numpy as np
from pydantic import BaseModel
from scipy.special import chdtri

from calibration.accuracy.drift import DriftSettings
from geometry import Transform
from geometry.frames import REFERENCE
from navigation.devices.driver import Device, Tool
from registration.record.accepted import Instrument, Instruments


def instruments_of(
    devices: Iterable[Device], stylus: str, tip: Transform | None = None, tip_error_rms_mm: float | None = None
) -> Instruments:
    """The reference of a room and one of its styluses.

    Args:
        stylus: its name.
        tip: the tip that it has now, ``T_<stylus>_<stylus>_tip``; None for the one that the room has for it.
        tip_error_rms_mm: expected RMS error of that tip.
    """
    found: dict[str, Instrument] = {}
    for device in devices:
        for tool in device.tools:
            if tool.name not in (REFERENCE, stylus):
                continue
            its, error_mm = tool.T_tool_tip, tool.tip_error_rms_mm
            if tool.name == stylus and tip is not None:
                its, error_mm = tip, tip_error_rms_mm
            x, y, z = (0.0, 0.0, 0.0) if its is None else its.translation_mm.tolist()
            seen_by = f"{device.name} ({device.driver})"
            found[tool.name] = Instrument(
                tool.name, seen_by, _marker_sha256(device, tool), None if its is None else (x, y, z), error_mm
            )
    return Instruments(found.get(REFERENCE), found.get(stylus))


def why_other_marker(then: Instrument, now: Instrument) -> str:
    """Why what was measured with one marker does not hold for the other, after its name; empty if it does."""
    if then.seen_by != now.seen_by:
        return f"seen by {then.seen_by}, and is seen by {now.seen_by} now"
    if not then.marker_sha256 or then.marker_sha256 != now.marker_sha256:
        return "a marker of another geometry than it has now"
    return ""


def tips_apart_mm(then: Instrument, now: Instrument) -> tuple[float, float] | None:
    """How far two calibrations of a tip are apart, and what all but a hundredth of those of one tip are within.

    Returns:
        None where one of them, or its error, is not known.
    """
    if then.tip_mm is None or now.tip_mm is None or then.tip_error_rms_mm is None or now.tip_error_rms_mm is None:
        return None
    expected = DriftSettings()
    mean_square_mm2 = then.tip_error_rms_mm**2 + now.tip_error_rms_mm**2 + expected.common_rms_mm**2
    limit_mm = float(np.sqrt(chdtri(3, expected.false_alarms) * mean_square_mm2 / 3.0))
    return float(np.linalg.norm(np.subtract(then.tip_mm, now.tip_mm))), limit_mm


def _marker_sha256(device: Device, tool: Tool) -> str:
    """Of the geometry in force, and of what the device is told of the marker: the content of files, not their names."""
    settings = tool.settings.model_dump() if isinstance(tool.settings, BaseModel) else {}
    geometry = [each.to_json() for each in tool.calibrations if each.kind == "tool_geometry"]
    told = {"driver": device.driver, "id": tool.id, "settings": settings, "geometry": geometry}
    try:
        return sha256(json.dumps(told, sort_keys=True, default=_content).encode()).hexdigest()
    except OSError:
        return ""


def _content(value: object) -> str:
    return sha256(value.read_bytes()).hexdigest() if isinstance(value, Path) else repr(value)
