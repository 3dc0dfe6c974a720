"""What the calibrations of an axis and of a template refuse; the pivot's own is in calibration/errors.py."""

from __future__ import annotations

from calibration.errors import CalibrationRefusedError
from geometry.errors import SurgNavError


class SpinRefusedError(CalibrationRefusedError):
    """Poses from which no trustworthy axis can be computed: too few, hardly turned, or about no single axis."""


class TemplateRefusedError(CalibrationRefusedError):
    """A template and a tool that do not belong together: too few landmarks, or they do not fit."""


class TemplateFileError(SurgNavError):
    """The drawing of a template tool, or its touched landmarks, cannot be read, or are something else."""
