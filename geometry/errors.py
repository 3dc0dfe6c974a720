"""One error base for the whole house, and the broken contracts of geometry itself.

Every message answers three questions: what came, what is allowed, what to do. A caller decides by class, a person by
the text. Expected outcomes (a lost tool, a registration that did not converge) are values, never exceptions.
"""

from __future__ import annotations


class SurgNavError(Exception):
    """Base of every error this program raises on purpose.

    Args:
        came: what was received, with its value.
        allowed: what would have been accepted.
        action: what the reader should do now.
    """

    def __init__(self, came: str, allowed: str, action: str) -> None:
        self.came = came
        self.allowed = allowed
        self.action = action
        super().__init__(came, allowed, action)

    def __str__(self) -> str:
        return f"Got {self.came}; expected {self.allowed}. Fix: {self.action}."


class FrameMismatchError(SurgNavError):
    """Two quantities were combined although their frames do not meet."""


class InvalidFrameError(SurgNavError):
    """A frame name that could not be one."""


class InvalidTransformError(SurgNavError):
    """A matrix that is not a finite, right-handed rigid transform."""


class InvalidPointsError(SurgNavError):
    """Points that are not a finite ``(n, 3)`` or ``(3,)`` array."""


class InvalidVolumeError(SurgNavError):
    """Voxels or an affine that do not describe a regular right-handed grid."""


class InvalidSurfaceError(SurgNavError):
    """Vertices or triangles that do not describe a triangle surface."""
