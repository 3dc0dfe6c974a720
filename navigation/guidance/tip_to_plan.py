"""Where a tip is beside a planned trajectory: aside of it, how deep, and by what angle the tool points elsewhere.

In scalars, since it is done for each tool in many frames a second and array code is slow where there are three numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import acos, hypot

from navigation.guidance.plan import Trajectory

Vector = tuple[float, float, float]
# Nearer to a right angle than this, the axis crosses the plane of the entry anywhere: its crossing says nothing.
LEAST_COSINE = 0.5


@dataclass(frozen=True, slots=True)
class TipToPlan:
    """A tip beside a trajectory.

    Attributes:
        lateral_mm: distance of the tip from the trajectory's line.
        depth_mm: how far the tip is past the entry, along the trajectory; negative before it.
        remaining_mm: how far it is to the target, along the trajectory; negative beyond it.
        angle_rad: between the tool's axis, towards its tip, and the trajectory; None where the axis is not known.
        entry_lateral_mm: how far from the planned entry the tool's axis crosses the plane through it, across the
            trajectory; None where the axis is not known, or more than 60 degrees off.
        entry_ct_mm: where that is, in ``ct``.
    """

    lateral_mm: float
    depth_mm: float
    remaining_mm: float
    angle_rad: float | None = None
    entry_lateral_mm: float | None = None
    entry_ct_mm: Vector | None = None


class TrajectoryLine:
    """A trajectory as numbers."""

    def __init__(self, trajectory: Trajectory) -> None:
        self._entry = tuple(trajectory.entry_ct_mm.tolist())
        self._along = tuple(trajectory.direction_ct.tolist())
        self._length_mm = trajectory.length_mm

    def measure(self, tip_ct_mm: Vector, axis_ct: Vector | None) -> TipToPlan:
        """The tip beside this trajectory.

        Args:
            axis_ct: unit vector along the tool towards its tip; None where it is not known.
        """
        depth_mm, lateral_mm = self._beside(tip_ct_mm)
        remaining_mm = self._length_mm - depth_mm
        if axis_ct is None:
            return TipToPlan(lateral_mm, depth_mm, remaining_mm)
        cosine = _dot(axis_ct, self._along)
        angle_rad = acos(min(1.0, max(-1.0, cosine)))
        if cosine < LEAST_COSINE:
            return TipToPlan(lateral_mm, depth_mm, remaining_mm, angle_rad)
        back_mm = depth_mm / cosine
        x, y, z = (tip - back_mm * step for tip, step in zip(tip_ct_mm, axis_ct, strict=True))
        crossing = (x, y, z)
        return TipToPlan(lateral_mm, depth_mm, remaining_mm, angle_rad, self._beside(crossing)[1], crossing)

    def _beside(self, point_ct_mm: Vector) -> tuple[float, float]:
        """How far along the line from the entry a point is, and how far from the line."""
        x, y, z = (p - e for p, e in zip(point_ct_mm, self._entry, strict=True))
        along_x, along_y, along_z = self._along
        depth_mm = x * along_x + y * along_y + z * along_z
        return depth_mm, hypot(x - depth_mm * along_x, y - depth_mm * along_y, z - depth_mm * along_z)


def _dot(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
