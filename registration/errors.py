"""What registration refuses. A solution that did not converge is no error but a value with its reason."""

from __future__ import annotations

from geometry.errors import SurgNavError


class LandmarksRefusedError(SurgNavError):
    """Landmarks that cannot determine a pose, or whose pairs cannot belong together."""


class SurfacePointsRefusedError(SurgNavError):
    """Points, a surface or an initial pose from which no refinement can start."""


class InvalidCovarianceError(SurgNavError):
    """A matrix that is not the covariance of a pose, of a point, or of a localisation error."""


class VerificationRefusedError(SurgNavError):
    """A touch that cannot test the registration, since the registration was made from it."""


class AttemptError(SurgNavError):
    """A record of a registration that is damaged, or that contradicts itself."""


class DistanceGridError(SurgNavError):
    """A distance grid that cannot be built, or a file that does not hold one of this surface."""


class RegisteringError(SurgNavError):
    """A registration that cannot be made from what is there, or may not be put in force."""


class PointsFileError(SurgNavError):
    """A file of measured points whose frame, units or content are not certain."""
