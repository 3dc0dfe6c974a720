"""What can go wrong between a folder of files and a case, one class per decision that a caller can make."""

from __future__ import annotations

from geometry.errors import SurgNavError


class LabelsError(SurgNavError):
    """A segmentation that is not whole, or that cannot be placed on this CT."""


class IdentityError(SurgNavError):
    """The patient's identity would have got into a case that must not have it."""


class MarkerSearchError(SurgNavError):
    """A search for skin markers that was asked for balls it cannot tell from other things."""
