"""What hand-eye calibration refuses."""

from __future__ import annotations

from calibration.errors import CalibrationRefusedError


class HandEyeRefusedError(CalibrationRefusedError):
    """Motions from which no trustworthy transform can be computed: too little, not of one body, or not of one time."""
