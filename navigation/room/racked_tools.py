"""The calibrations that a room file's tools have in its rack."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from calibration.rack import all_in_force
from calibration.result import CalibratedTransform, CalibrationResult
from geometry import Transform
from geometry.errors import SurgNavError
from geometry.points import Floats
from navigation.devices.driver import Role, Tool
from navigation.devices.mistakes import Mistakes, shown
from navigation.devices.small_motion import covariance_at
from navigation.room.room_file import ToolKeys

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class RackedTools:
    """Finds what is in force for each tool; whatever is wrong becomes a mistake of the room file.

    Args:
        path: of the room file, which the rack's path is relative to.
        calibrating: whether a calibration that is not there yet is no mistake.
    """

    def __init__(self, mistakes: Mistakes, path: Path, calibrating: bool) -> None:
        self._mistakes, self._path, self._calibrating = mistakes, path, calibrating
        self._rack: Path | None = None

    def rack(self, top: Mapping[str, Any]) -> Path | None:
        """The rack that the file names, which may not be there before the first calibration."""
        named = top.get("rack")
        if named is None:
            return None
        if not isinstance(named, str) or not named or (self._path.parent / Path(named).expanduser()).is_file():
            allowed = "a folder, relative to the room file"
            self._mistakes.add("the file", f"rack = {shown(named)}", allowed, 'write rack = "rack"')
            return None
        self._rack = self._path.parent / Path(named).expanduser()
        return self._rack

    def calibrated(self, tool: Tool, keys: ToolKeys, where: str) -> Tool:
        """The tool with the calibrations that are in force for it."""
        name = keys.calibration
        if name is None:
            return tool
        tool = replace(tool, rack_name=name)
        came = f"calibration = {shown(name)}"
        if keys.tip is not None:
            self._mistakes.add(where, f"{came} and a tip", "one of the two", "remove the line tip")
        elif self._rack is None:
            self._mistakes.add(where, f"{came}, and no rack in the file", "the rack that has it", 'add rack = "rack"')
        elif not _NAME.fullmatch(name):
            allowed = "a lower-case letter, then ASCII letters, digits and _, 63 at most"
            self._mistakes.add(where, came, allowed, "write the name that it was calibrated under")
        else:
            return self._in_force(tool, name, self._rack, where)
        return tool

    def _in_force(self, tool: Tool, name: str, rack: Path, where: str) -> Tool:
        try:
            found = all_in_force(rack, name) if rack.is_dir() else ()
        except SurgNavError as error:
            self._mistakes.add(where, error.came, error.allowed, error.action)
            return tool
        tip = _tip(found, name)
        if tip is None and (tool.role is Role.STYLUS or not found):
            self._not_there(tool, name, rack, where)
        tool = replace(tool, calibrations=found)
        return tool if tip is None else replace(tool, **tip.of(tool.name))

    def _not_there(self, tool: Tool, name: str, rack: Path, where: str) -> None:
        if self._calibrating:
            return
        subjects = sorted(path.name for path in rack.iterdir() if path.is_dir()) if rack.is_dir() else []
        what = "tip" if tool.role is Role.STYLUS else "calibration"
        there = f"one in {rack.name}, which has {', '.join(subjects) or 'nothing yet'}"
        command = f"surgnav calibrate pivot --room {self._path.name} --tool {tool.name}"
        otherwise = f"calibrate it: {command}" if tool.role is Role.STYLUS else "calibrate it: surgnav calibrate"
        action = otherwise if name in subjects else self._mistakes.nearest(name, subjects, otherwise)
        self._mistakes.add(where, f"calibration = {shown(name)}, without an accepted {what} in the rack", there, action)


@dataclass(frozen=True)
class _Tip:
    """A tip with its error, and when its position was calibrated."""

    transform: Transform
    error_rms_mm: float
    covariance_mm2: Floats | None
    made: str

    def of(self, tool: str) -> dict[str, Any]:
        """The fields of the tool of this name."""
        return {
            "T_tool_tip": Transform(self.transform.matrix, tool, f"{tool}_tip"),
            "tip_error_rms_mm": self.error_rms_mm,
            "tip_covariance_mm2": self.covariance_mm2,
            "tip_calibrated": self.made,
        }


def _tip(found: Sequence[CalibrationResult], name: str) -> _Tip | None:
    """The tip that these results give, the newest last: its position from the newest that states its error in mm, its
    axes from the newest that turns them, such as a spin; None without a position.
    """
    ends = (name, f"{name}_tip")
    tips = [
        (result, each) for result in found for each in result.transforms if (each.to_frame, each.from_frame) == ends
    ]
    placed = [
        _Tip(each.transform, result.expected_error.value, _position_mm2(each), result.made)
        for result, each in tips
        if result.expected_error is not None and result.expected_error.unit == "mm"
    ]
    if not placed:
        return None
    turned = [each.transform for _, each in tips if each.transform.rotation.magnitude() > 0.0]
    rotation = turned[-1].rotation if turned else placed[-1].transform.rotation
    newest = Transform.from_rotation(rotation, placed[-1].transform.translation_mm, *ends)
    return replace(placed[-1], transform=newest)


def _position_mm2(tip: CalibratedTransform) -> Floats | None:
    """Covariance ``(3, 3)`` of a tip, whose error from the left also turns it about the origin of its marker."""
    covariance = tip.covariance_matrix
    return None if covariance is None else covariance_at(covariance, tip.transform.translation_mm)
