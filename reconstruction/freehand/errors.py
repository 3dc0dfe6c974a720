"""Errors of freehand 3D ultrasound."""

from geometry.errors import SurgNavError


class FreehandError(SurgNavError):
    """Frames, poses or a grid of which no volume can be made."""
