"""How far a landmark may have moved since the CT, by its kind: stated priors from the literature.

Sources: landmarks of the face such as nasion and canthi are found again within 3 to 5 mm at best, and skin markers
give 2 to 4 mm when used with great care (P. Edwards, "Registration", UCL); a marker stuck on the scalp was 2.5 mm off
in the mean of eleven patients registered by others like it, 5.4 mm when registered by the surface (Mongen and Willems,
Acta Neurochirurgica 161, 2019); markers in bone are good to under a millimetre (Maurer et al., IEEE TMI 16(4), 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

LandmarkKind = Literal["bone", "skin_marker", "bare_skin"]
KINDS: tuple[str, ...] = get_args(LandmarkKind)
KIND_WORDS = {"bone": "in bone", "skin_marker": "stuck on the skin", "bare_skin": "on bare skin"}


@dataclass(frozen=True)
class Mobility:
    """RMS motion since the CT, in mm, in addition to the error of picking and touching.

    Attributes:
        own_mm: of each landmark independently.
        slide_mm: of all landmarks on the skin together, along the swept surface.
    """

    own_mm: float
    slide_mm: float


# Together with 1.5 mm of the whole skin's motion, the totals are 0, 2.1 and 3.5 mm.
BONE = Mobility(0.0, 0.0)
SKIN_MARKER = Mobility(1.0, 1.0)
BARE_SKIN = Mobility(2.5, 2.0)
