"""What the calibration of an ultrasound probe refuses."""

from __future__ import annotations

from calibration.errors import CalibrationRefusedError
from geometry.errors import SurgNavError


class ProbeInputError(SurgNavError):
    """Samples, a phantom or settings that no calibration can be made of: shapes, units, frames, names."""


class ProbeRefusedError(CalibrationRefusedError):
    """Samples in order, of which no calibration comes: too few of them, or motion that leaves it open."""
