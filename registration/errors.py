"""Exceptions of registration. A fit that does not converge is not an exception: the result says so, with the reason."""

from __future__ import annotations

from geometry.errors import SurgNavError


class LandmarksRefusedError(SurgNavError):
    """The landmarks cannot determine a pose, or their pairs contradict one another."""


class SurfacePointsRefusedError(SurgNavError):
    """The swept points, the surface or the initial pose do not allow a refinement."""


class InvalidCovarianceError(SurgNavError):
    """A matrix is not a covariance of a pose, a point or a localisation error."""


class VerificationRefusedError(SurgNavError):
    """A touch cannot verify the registration, since the registration was made from the same landmark."""


class AttemptError(SurgNavError):
    """The record of a registration is damaged, or contradicts itself."""


class DistanceGridError(SurgNavError):
    """A distance grid cannot be built, or a file does not hold the grid of this surface."""


class RegisteringError(SurgNavError):
    """A registration cannot be computed from the measurements, or may not be put in force."""


class PointsFileError(SurgNavError):
    """A file of points does not state its frame and units, or has no valid content."""
