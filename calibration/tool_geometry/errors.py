"""What tool geometries refuse."""

from __future__ import annotations

from calibration.errors import CalibrationRefusedError
from geometry.errors import SurgNavError


class RomFileError(SurgNavError):
    """A tool geometry (.rom) that cannot be one, or that NDI's format cannot hold."""


class LayoutRefusedError(CalibrationRefusedError):
    """Observed spheres from which no layout can be told: too few, too little in common, or in more than one order."""


class PointsFileError(SurgNavError):
    """A table of observed points that cannot be read, or holds something else."""
