"""Messages of the poses socket. Generated from wire_schema.toml by `make wire`: edit that, not this."""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.wire.generated.poses_parts import PlannedTrajectory, ToolGuidance
from unity_bridge.wire.schema import TEXT, tagged


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """Tools beside the plan, at the instant of the header, some 50 times a second. Counted apart from pose batches."""

    tools: tuple[ToolGuidance, ...] = tagged(1, ToolGuidance, repeated=True)


@dataclass(frozen=True, kw_only=True)
class GuidancePlan:
    """What Guidance leads along; once a second, for whoever joins. Counted apart from the other messages.

    Attributes:
        followed: name of the trajectory that Guidance is about; empty without one.
        at_risk: structures whose distance Guidance gives.
        problem: why there is no guidance; empty if there is.
    """

    trajectories: tuple[PlannedTrajectory, ...] = tagged(1, PlannedTrajectory, repeated=True)
    followed: str = tagged(2, TEXT, default="")
    at_risk: tuple[str, ...] = tagged(3, TEXT, repeated=True)
    problem: str = tagged(4, TEXT, default="")
