"""What can go wrong between a folder of files and a case, one class per decision that a caller can make."""

from __future__ import annotations

from geometry.errors import SurgNavError


class LabelsError(SurgNavError):
    """A segmentation that is incomplete, or whose position in this CT is unknown."""


class IdentityError(SurgNavError):
    """The patient's identity would have been written into an anonymous case."""


class MarkerSearchError(SurgNavError):
    """A diameter of skin markers that the search does not support."""


class FrameError(SurgNavError):
    """An ultrasound frame that is no B-mode image as this program takes one."""


class FamiliarityError(SurgNavError):
    """Statistics of familiar ultrasound frames that are missing, damaged, or of another version."""
