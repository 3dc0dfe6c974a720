"""The calibrated tip of one tool as a JSON file, in mm in the frame of the tool's marker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.spatial.transform import Rotation

from calibration.errors import TipFileError
from calibration.pivot.pivot import PivotCalibration
from geometry import Transform

FORMAT = "surgnav_tip"
# No tool has its tip so near to the origin of its marker, or so far from it: the numbers are in another unit.
NEAREST_MM, FARTHEST_MM = 2.0, 2000.0


class _TipFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    format: str = Field(pattern=f"^{FORMAT}$")
    tool: str
    tip_mm: tuple[float, float, float]
    expected_error_rms_mm: float = Field(ge=0.0)
    calibrated: str = Field(min_length=1)


@dataclass(frozen=True)
class CalibratedTool:
    """The tip of a tool, as a file has it.

    Attributes:
        tool: name of the tool, whose marker's frame `T_tool_tip` leads to.
        expected_error_rms_mm: expected RMS error of the tip.
        calibrated: when, ISO 8601 with a time zone.
    """

    tool: str
    T_tool_tip: Transform
    expected_error_rms_mm: float
    calibrated: str


def write_tip(path: Path, found: PivotCalibration, time: str) -> None:
    """Writes a pivot calibration; `time` is when it was made, ISO 8601 with a time zone."""
    content = {
        "format": FORMAT,
        "tool": found.marker_frame,
        "tip_mm": [round(float(value), 4) for value in found.tip_stylus_mm],
        "expected_error_rms_mm": round(found.expected_tip_error_rms_mm, 4),
        "calibrated": time,
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_tip(path: Path) -> CalibratedTool:
    """Reads the tip of a tool.

    Raises:
        TipFileError: no such file, no tip, or a tip in another unit than mm.
    """
    try:
        read = _TipFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise TipFileError(
            f"the calibration {path}: {(error.strerror or str(error)).lower()}",
            "a file that can be read",
            "correct the path, or calibrate the tool",
        ) from error
    except ValidationError as error:
        faults = "; ".join(": ".join([*map(str, fault["loc"]), fault["msg"]]) for fault in error.errors())
        raise TipFileError(
            f"the calibration {path.name} with {faults}",
            f"JSON with format = {FORMAT!r}, tool, tip_mm, expected_error_rms_mm and calibrated",
            "calibrate the tool again",
        ) from error
    length_mm = float(np.linalg.norm(read.tip_mm))
    if not NEAREST_MM <= length_mm <= FARTHEST_MM:
        raise TipFileError(
            f"the calibration {path.name} with a tip {length_mm:.4g} mm from its marker",
            f"{NEAREST_MM:g} to {FARTHEST_MM:g} mm",
            "write tip_mm in millimetres",
        )
    tip = Transform.from_rotation(Rotation.identity(), read.tip_mm, read.tool, f"{read.tool}_tip")
    return CalibratedTool(read.tool, tip, read.expected_error_rms_mm, read.calibrated)
