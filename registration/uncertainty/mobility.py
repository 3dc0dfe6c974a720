"""How far what was touched may have moved since the CT, by what it is: a prior, stated, never measured here.

Literature: landmarks of the face such as nasion and canthi are found again within 3 to 5 mm at best, and skin markers
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
    """RMS lengths in mm, on top of the error of picking and touching.

    Attributes:
        own_mm: each landmark by itself. slide_mm: all of them together, against the swept surface.
    """

    own_mm: float
    slide_mm: float


# Together with 1.5 mm of the skin as a whole: 0, 2.1 and 3.7 mm.
BONE = Mobility(0.0, 0.0)
SKIN_MARKER = Mobility(1.0, 1.0)
BARE_SKIN = Mobility(2.5, 2.0)
