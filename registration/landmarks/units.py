"""Numbers that are no millimetres, recognised by how large they are beside what they should match; never corrected.

Nothing anatomical is ten times another: a ratio near one of these factors is a unit, not a patient.
"""

from __future__ import annotations

import math

IN_MM = {"centimetres": 10.0, "inches": 25.4, "metres": 1000.0}
# Paired points spread equally on both sides, but for a landmark that was touched elsewhere: a third more or less.
TOLERANCE = 1.33
# Metres are beyond any doubt.
TOLERANCE_METRES = 2.0


def unit_of(ratio: float) -> str | None:
    """The unit of numbers that must be multiplied by about `ratio` to be millimetres; None if it is none known here."""
    if not ratio > 0.0:
        return None
    name = min(IN_MM, key=lambda unit: abs(math.log(ratio / IN_MM[unit])))
    tolerance = TOLERANCE_METRES if name == "metres" else TOLERANCE
    return name if 1.0 / tolerance < ratio / IN_MM[name] < tolerance else None
