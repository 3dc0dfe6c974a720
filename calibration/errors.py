"""What calibration refuses."""

from __future__ import annotations

from geometry.errors import SurgNavError


class CalibrationRefusedError(SurgNavError):
    """Samples that can be read, of which no trustworthy calibration comes; every calibration has one of its own."""


class PivotRefusedError(CalibrationRefusedError):
    """Poses from which no trustworthy tip can be computed: too few, too little tilt, or they do not pivot."""


class TipFileError(SurgNavError):
    """The file of a calibrated tip cannot be read, or holds something else."""


class CameraFileError(SurgNavError):
    """The calibration of a camera cannot be read, holds something else, or is for pictures of another size."""


class PoseStreamError(SurgNavError):
    """Recorded poses that no calibration may use: empty, mirrored, in another unit, or with times out of order."""


class CalibrationResultError(SurgNavError):
    """The file of a calibration's result cannot be read, or holds something else."""


class RackError(SurgNavError):
    """The folder of calibrations is not there, or holds a result where another belongs."""
