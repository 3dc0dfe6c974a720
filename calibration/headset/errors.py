"""What the calibration of a headset refuses."""

from __future__ import annotations

from calibration.errors import CalibrationRefusedError


class HeadsetRefusedError(CalibrationRefusedError):
    """Measurements from which no trustworthy pose of the tracker in the headset's world can be computed."""
