"""Guidance and the plan as messages of the wire."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from navigation.guidance.guide import GuidanceState
from navigation.guidance.plan import SurgicalPlan, Trajectory
from unity_bridge.wire import messages as m
from unity_bridge.wire.convention import points_to_unity

_MOST_LETTERS = 250  # of a reason: a text has 1,024 bytes at most, a letter four


def guidance_message(states: Iterable[GuidanceState]) -> m.Guidance:
    return m.Guidance(tools=tuple(map(_tool, states)))


def plan_message(plan: SurgicalPlan, followed: Trajectory | None) -> m.GuidancePlan:
    return m.GuidancePlan(
        trajectories=tuple(map(_trajectory, plan.trajectories)),
        followed="" if followed is None else followed.name,
        at_risk=tuple(name for name, _ in plan.at_risk),
        problem=plan.problem,
    )


def _tool(state: GuidanceState) -> m.ToolGuidance:
    to_plan, screw = state.to_plan, state.screw
    return m.ToolGuidance(
        tool=state.tool,
        validity=state.validity,
        reason=state.reason[:_MOST_LETTERS],
        trajectory=state.trajectory,
        lateral_mm=None if to_plan is None else to_plan.lateral_mm,
        depth_mm=None if to_plan is None else to_plan.depth_mm,
        remaining_mm=None if to_plan is None else to_plan.remaining_mm,
        angle_rad=None if to_plan is None else to_plan.angle_rad,
        entry_lateral_mm=None if to_plan is None else to_plan.entry_lateral_mm,
        error_mm=state.error_mm,
        risks=tuple(
            m.RiskDistance(
                structure=risk.structure, distance_mm=risk.distance_mm, left_mm=risk.left_mm, level=risk.level
            )
            for risk in state.risks
        ),
        screw_grade=None if screw is None else screw.grade,
        screw_breach_mm=None if screw is None or not isfinite(screw.breach_mm) else screw.breach_mm,
    )


def _trajectory(trajectory: Trajectory) -> m.PlannedTrajectory:
    entry_m, target_m = points_to_unity([trajectory.entry_ct_mm, trajectory.target_ct_mm]).tolist()
    screw = trajectory.screw
    return m.PlannedTrajectory(
        name=trajectory.name,
        entry_m=tuple(entry_m),
        target_m=tuple(target_m),
        screw_diameter_mm=None if screw is None else screw.diameter_mm,
        screw_length_mm=None if screw is None else screw.length_mm,
    )
