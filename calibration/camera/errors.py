"""What the calibration of a camera refuses."""

from __future__ import annotations

from calibration.errors import CalibrationRefusedError
from geometry.errors import SurgNavError


class BoardViewError(SurgNavError):
    """One picture's corners are none of the board: too few, mirrored, in another unit, or in one line."""


class CameraRefusedError(CalibrationRefusedError):
    """Pictures from which no calibration can be computed at all: none, of several sizes, or of no common board."""
