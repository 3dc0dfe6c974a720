"""Parts of messages of the poses socket. Generated from wire_schema.toml by `make wire`: edit that, not this."""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.wire.generated.constants import AlertLevel, ScrewGrade, Validity
from unity_bridge.wire.schema import F64, POSITION, TEXT, choice, tagged


@dataclass(frozen=True, kw_only=True)
class RiskDistance:
    """A tool's tip beside a structure that must not be touched.

    Attributes:
        structure: name of the surface.
        distance_mm: of the tip from the surface; negative inside.
        left_mm: the distance less the tip's 95 % error towards the structure: alerts go by it.
    """

    structure: str = tagged(1, TEXT)
    distance_mm: float = tagged(2, F64)
    left_mm: float = tagged(3, F64)
    level: AlertLevel = tagged(4, choice(AlertLevel))


@dataclass(frozen=True, kw_only=True)
class ToolGuidance:
    """One tool beside the plan. Unless `valid` it has no numbers, but says why.

    Attributes:
        validity: the worse of the tool's and the patient's.
        reason: why there are no numbers; empty if there are.
        trajectory: name of the one that is followed; empty without one: then only the risks are given.
        lateral_mm: distance of the tip from the trajectory's line.
        depth_mm: of the tip past the entry, along the trajectory; negative before it.
        remaining_mm: to the target, along the trajectory; negative beyond it.
        angle_rad: between the tool's axis and the trajectory; absent where the axis was not calibrated.
        entry_lateral_mm: from the planned entry to where the tool's axis passes it.
        error_mm: 95 % of the tip's error beside the patient, in the worst direction.
        risks: every structure at risk of the plan.
        screw_grade: of the planned screw if it were driven in along the tool's axis.
        screw_breach_mm: how far it would come out of the bone; negative for the wall that is left; absent where it
            misses the bone.
    """

    tool: str = tagged(1, TEXT)
    validity: Validity = tagged(2, choice(Validity))
    reason: str = tagged(3, TEXT, default="")
    trajectory: str = tagged(4, TEXT, default="")
    lateral_mm: float | None = tagged(5, F64, default=None)
    depth_mm: float | None = tagged(6, F64, default=None)
    remaining_mm: float | None = tagged(7, F64, default=None)
    angle_rad: float | None = tagged(8, F64, default=None)
    entry_lateral_mm: float | None = tagged(9, F64, default=None)
    error_mm: float | None = tagged(10, F64, default=None)
    risks: tuple[RiskDistance, ...] = tagged(11, RiskDistance, repeated=True)
    screw_grade: ScrewGrade | None = tagged(12, choice(ScrewGrade), default=None)
    screw_breach_mm: float | None = tagged(13, F64, default=None)


@dataclass(frozen=True, kw_only=True)
class PlannedTrajectory:
    """A straight way into the patient, in the frame `ct`, in Unity's convention.

    Attributes:
        screw_diameter_mm: of the screw that is put in, its head at the entry; absent for a way alone.
    """

    name: str = tagged(1, TEXT)
    entry_m: tuple[float, float, float] = tagged(2, POSITION)
    target_m: tuple[float, float, float] = tagged(3, POSITION)
    screw_diameter_mm: float | None = tagged(4, F64, default=None)
    screw_length_mm: float | None = tagged(5, F64, default=None)
