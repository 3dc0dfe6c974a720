"""What ``surgnav calibrate headset`` is given: a file of touches, a point, an anchor; and what it says without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from calibration.errors import CalibrationResultError
from calibration.headset.touches import TargetTouch
from geometry.points import Floats
from navigation.errors import RoomError

FORMAT = "surgnav_target_touches"
_Point = tuple[float, float, float]


class _Touch(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1)
    shown_headset_mm: _Point
    tip_tracker_mm: _Point
    anchor: str = Field(min_length=1)
    eyes_headset_mm: _Point | None = None


class _TouchFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str = Field(pattern=f"^{FORMAT}$")
    touches: tuple[_Touch, ...]


def read_touches(path: Path) -> list[TargetTouch]:
    """Reads the touches that a session kept.

    Raises:
        RoomError: no such file, or it holds something else.
    """
    try:
        read = _TouchFile.model_validate_json(path.read_bytes())
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise RoomError(f"the touches {path}: {why}", "a file that can be read", "correct the path") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:3])
        allowed = f"JSON with format = {FORMAT!r} and touches, each with {', '.join(_Touch.model_fields)}"
        raise RoomError(f"the touches {path.name} with {faults}", allowed, "correct the file") from error
    return [
        TargetTouch(
            each.name,
            np.array(each.shown_headset_mm),
            np.array(each.tip_tracker_mm),
            each.anchor,
            None if each.eyes_headset_mm is None else np.array(each.eyes_headset_mm),
        )
        for each in read.touches
    ]


def point_of(text: str) -> Floats:
    """A point ``(3,)`` from "x,y,z".

    Raises:
        RoomError: not three finite numbers.
    """
    try:
        point = np.array([float(number) for number in text.split(",")])
    except ValueError:
        point = np.empty(0)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise RoomError(f"the point {text!r}", "three numbers x,y,z in mm", "write --target=10,-20,1500")
    return point


def stated_tip(error_rms_mm: float) -> Floats | None:
    """Covariance ``(3, 3)`` of a tip whose RMS error alone is known; None for a tip that is exact."""
    return error_rms_mm**2 / 3.0 * np.eye(3) if error_rms_mm > 0.0 else None


def choice(touches: Path | None, tracker: Path | None, headset: Path | None, anchor: str | None) -> str:
    """The anchor of recordings; empty for touches, each of which has its own.

    Raises:
        RoomError: both ways, neither, or recordings without the anchor under which the headset made its own.
    """
    if (touches is None) == (tracker is None) or (touches is not None and headset is not None):
        raise neither()
    if touches is not None:
        return ""
    if not anchor:
        raise RoomError(
            "recordings without the headset's anchor",
            "the name of the place where its world was",
            "say --anchor NAME, as the headset's program shows it: the calibration holds for that place only",
        )
    return anchor


def neither() -> RoomError:
    """Not one way, or both."""
    return RoomError(
        "not one of two ways to calibrate",
        "two recordings (tracker, headset), or --touches FILE",
        "name the recordings of both devices, or the file of touches",
    )


def without_rack() -> RoomError:
    """A check of nothing."""
    return RoomError(
        "--check without --touches or --rack",
        "touched points, and the rack that holds the calibration",
        "say --touches FILE --rack FOLDER",
    )


def nothing_in_force(name: str) -> CalibrationResultError:
    """The rack has no accepted calibration."""
    return CalibrationResultError(
        f"no accepted calibration of the headset '{name}' in the rack",
        "one that is in force",
        "calibrate the headset first",
    )
