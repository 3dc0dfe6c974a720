"""What is out of place: liver and lung need a trunk. A head or a leg is told by its section, and by its air."""

from __future__ import annotations

import numpy as np

from geometry.points import Bools

TRUNK_SECTION_CM2 = 400.0  # the largest section of an adult's trunk is larger, a head's and a thigh's smaller
CUT_SHARE = 0.2  # of the sides of a scan; a patient who covers more of them is a crop, and may be of a trunk
LUNG_ML = 100.0  # with as much aerated lung it is a trunk, a child's for instance


def largest_section_cm2(patient: Bools, spacing_mm: float) -> float:
    """Of the largest connected part in any slice ``(nj, ni)``: legs and arms lie apart from one another."""
    from scipy import ndimage

    largest = 0
    for section in patient[:: max(1, len(patient) // 64)]:
        parts, count = ndimage.label(section)
        if count:
            largest = max(largest, int(np.bincount(parts.ravel())[1:].max()))
    return largest * spacing_mm**2 / 100.0


def is_no_trunk(patient: Bools, lung: Bools, spacing_mm: float) -> bool:
    """True for a whole head, leg or arm: a small section with air around, and no lungs to speak of."""
    rim = np.concatenate([patient[:, face].ravel() for face in (0, -1)] + [patient[..., f].ravel() for f in (0, -1)])
    small = largest_section_cm2(patient, spacing_mm) < TRUNK_SECTION_CM2
    return bool(small and rim.mean() < CUT_SHARE and lung.sum() * spacing_mm**3 / 1000.0 < LUNG_ML)
