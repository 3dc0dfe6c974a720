"""What hand-eye calibration refuses."""

from __future__ import annotations

from geometry.errors import SurgNavError


class HandEyeRefusedError(SurgNavError):
    """Motions from which no trustworthy transform can be computed: too little, not of one body, or not of one time."""
