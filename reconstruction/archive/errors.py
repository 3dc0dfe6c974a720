"""What can go wrong between a case and the archive."""

from __future__ import annotations

from geometry.errors import SurgNavError


class ArchiveError(SurgNavError):
    """A case of which no DICOM object can be made, or not of the kind that was asked for."""
