"""What can go wrong with a case and the files in it, one class per decision that a caller can make."""

from __future__ import annotations

from geometry.errors import SurgNavError


class CaseError(SurgNavError):
    """A case folder that cannot be made, opened or extended as asked."""


class MeshFileError(SurgNavError):
    """A surface file that cannot be written, or read without guessing its frame or units."""


class MarkupsError(SurgNavError):
    """A markups file that cannot be written, or whose points, frame or units are unknown."""
