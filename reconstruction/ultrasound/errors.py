"""Errors of reading one ultrasound frame."""

from geometry.errors import SurgNavError


class UltrasoundError(SurgNavError):
    """A frame, or a network for frames, that cannot be used."""
