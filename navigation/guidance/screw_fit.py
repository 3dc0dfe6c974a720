"""How a screw lies in the bone: how far its cylinder comes out of it, as a grade of Gertzbein and Robbins.

Gertzbein and Robbins, Spine 15(1), 1990, 11-14: the breach of the pedicle's cortex in steps of 2 mm; A is a screw
within it, B a breach under 2 mm, C under 4, D under 6, E the rest. A and B count as acceptable. Here the breach is that
of the screw's cylinder beyond the bone's surface, anywhere from one diameter below the entry to the screw's tip: on the
first diameter every screw is partly outside, on whatever slope it enters.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np

from geometry.points import Floats
from navigation.guidance.plan import Screw
from registration.distance.closest_point import DistanceField
from unity_bridge.wire.generated.constants import ScrewGrade

STEP_MM, AROUND = 1.0, 24
_LIMITS_MM = ((0.0, ScrewGrade.A), (2.0, ScrewGrade.B), (4.0, ScrewGrade.C), (6.0, ScrewGrade.D))


@dataclass(frozen=True)
class ScrewFit:
    """How a screw lies.

    Attributes:
        grade: of Gertzbein and Robbins.
        breach_mm: the farthest that its cylinder comes out of the bone; negative for the least wall that is left around
            it, infinite for a screw that does not enter the bone.
        deepest_mm: where along the screw that is, from its head.
    """

    grade: ScrewGrade
    breach_mm: float
    deepest_mm: float


def grade_of(breach_mm: float) -> ScrewGrade:
    """The grade of a breach; 2.0 mm itself is a C."""
    for limit_mm, grade in _LIMITS_MM:
        if breach_mm < limit_mm or breach_mm == limit_mm == 0.0:
            return grade
    return ScrewGrade.E


def fit_screw(
    bone: DistanceField,
    head_ct_mm: Floats,
    direction_ct: Floats,
    screw: Screw,
    *,
    step_mm: float = STEP_MM,
    around: int = AROUND,
) -> ScrewFit:
    """Measures a screw whose head ``(3,)`` is there and which points along a unit vector ``(3,)``.

    Args:
        bone: signed distance to the bone's surface, in the frame of the other two.
        step_mm: between the rings of points on the cylinder.
        around: points in a ring: with 24 the farthest one is missed by 1 % of the radius.
    """
    along_mm = np.arange(0.0, screw.length_mm + step_mm / 2.0, step_mm)
    axis_mm = head_ct_mm + along_mm[:, None] * direction_ct
    inside = np.flatnonzero(bone.distance(axis_mm).signed_mm < 0.0)
    if not len(inside) or not (counted := along_mm >= along_mm[inside[0]] + screw.diameter_mm).any():
        return ScrewFit(ScrewGrade.E, inf, 0.0)
    ring = _ring(direction_ct, screw.diameter_mm / 2.0, around)
    points_mm = (axis_mm[counted][:, None] + ring).reshape(-1, 3)
    out_mm = bone.distance(points_mm).signed_mm.reshape(-1, around).max(axis=1)
    worst = int(np.argmax(out_mm))
    return ScrewFit(grade_of(float(out_mm[worst])), float(out_mm[worst]), float(along_mm[counted][worst]))


def _ring(direction_ct: Floats, radius_mm: float, around: int) -> Floats:
    """Points ``(around, 3)`` on a circle about the origin, across the direction."""
    across = np.cross(direction_ct, np.eye(3)[np.argmin(np.abs(direction_ct))])
    across /= np.linalg.norm(across)
    angles = 2.0 * np.pi * np.arange(around) / around
    other = np.cross(direction_ct, across)
    ring: Floats = radius_mm * (np.cos(angles)[:, None] * across + np.sin(angles)[:, None] * other)
    return ring
