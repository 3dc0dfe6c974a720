"""Recognises coordinates in another unit than mm from the ratio of their extent to the expected one.

Anatomy does not vary by a factor of ten: a ratio near one of these factors indicates a unit. Nothing is converted.
"""

from __future__ import annotations

import math

IN_MM = {"centimetres": 10.0, "inches": 25.4, "metres": 1000.0}
# Paired points have equal extents on both sides, apart from the effect of a misplaced landmark: up to a third.
TOLERANCE = 1.33
# The factor of metres is so large that a wider tolerance is safe.
TOLERANCE_METRES = 2.0


def unit_of(ratio: float) -> str | None:
    """The unit of numbers that must be multiplied by about `ratio` to give mm; None if no known unit is near."""
    if not ratio > 0.0:
        return None
    name = min(IN_MM, key=lambda unit: abs(math.log(ratio / IN_MM[unit])))
    tolerance = TOLERANCE_METRES if name == "metres" else TOLERANCE
    return name if 1.0 / tolerance < ratio / IN_MM[name] < tolerance else None
