"""Guidance of all tools at one instant: from the states of a pose batch to numbers and alerts beside the plan.

Fails closed: unless tool and patient are both valid and the tip's error is known, there is a reason and no number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from geometry.frames import CT, REFERENCE
from navigation.guidance.alerts import AlertSettings, BreachAlert
from navigation.guidance.live_error import LiveError
from navigation.guidance.plan import SurgicalPlan, Trajectory
from navigation.guidance.screw_fit import ScrewFit, fit_screw
from navigation.guidance.tip_to_plan import TipToPlan, TrajectoryLine, Vector
from registration.distance.point_distance import PointDistance
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.generated.constants import AlertLevel

NS_PER_MS = 1_000_000
# A coarser cylinder than for a verdict: the farthest point of a ring is missed by 3 % of the radius.
LIVE_STEP_MM, LIVE_AROUND = 2.0, 12


@dataclass(frozen=True, kw_only=True)
class GuideSettings:
    """How guidance works.

    Attributes:
        alerts: distances at which alerts begin.
        screw_within_mm: a screw is judged where the tool's axis passes the planned entry within this.
        screw_every_ms: how often it is judged, by capture times: it takes ten times as long as the rest.
    """

    alerts: AlertSettings = field(default_factory=AlertSettings)
    screw_within_mm: float = 20.0
    screw_every_ms: float = 100.0


@dataclass(frozen=True)
class Risk:
    """A tip beside a structure at risk.

    Attributes:
        structure: name of the structure.
        distance_mm: of the tip from its surface; negative inside.
        left_mm: that, less the tip's 95 % error towards it.
        level: of the alert.
    """

    structure: str
    distance_mm: float
    left_mm: float
    level: AlertLevel


@dataclass(frozen=True, kw_only=True)
class GuidanceState:
    """One tool beside the plan.

    Attributes:
        tool: name of the tool.
        validity: the worse of the tool's and the patient's.
        reason: why there are no numbers; empty if there are.
        trajectory: name of the one that is followed; empty without one.
        to_plan: the tip beside it; None without one.
        error_mm: 95 % of the tip's error beside the patient, in the worst direction.
        risks: every structure at risk.
        screw: how the planned screw would lie, driven in along the tool's axis; None where that cannot be said.
    """

    tool: str
    validity: Validity
    reason: str = ""
    trajectory: str = ""
    to_plan: TipToPlan | None = None
    error_mm: float | None = None
    risks: tuple[Risk, ...] = ()
    screw: ScrewFit | None = None


class Guide:
    """Leads tools along one trajectory of a plan.

    Args:
        plan: the plan; with a problem, every tool has that reason.
        tools: name of each tool to be led -> whether z of its tip's frame is its axis towards the tip, as a spin
            calibration or the tool's drawing makes it. Without, no angle is given.
        settings: distances and rates.

    Attributes:
        followed: the trajectory; None for the risks alone.
    """

    def __init__(self, plan: SurgicalPlan, tools: Mapping[str, bool], settings: GuideSettings | None = None) -> None:
        self._plan, self._tools = plan, dict(tools)
        self._settings = settings or GuideSettings()
        self._at_risk = [(name, PointDistance(grid)) for name, grid in plan.at_risk]
        self._alerts = {(tool, name): BreachAlert(self._settings.alerts) for tool in tools for name, _ in plan.at_risk}
        self._screws: dict[str, tuple[int, ScrewFit | None]] = {}
        self.followed: Trajectory | None = None
        self._line: TrajectoryLine | None = None
        if len(plan.trajectories) == 1:
            self.follow(plan.trajectories[0].name)

    def follow(self, name: str) -> None:
        """Follows the trajectory of this name from now on; none, where the plan has no such one."""
        self.followed = next((each for each in self._plan.trajectories if each.name == name), None)
        self._line = None if self.followed is None else TrajectoryLine(self.followed)
        self._screws.clear()

    def guide(self, states: Sequence[ToolState], capture_ns: int) -> tuple[GuidanceState, ...]:
        """The guidance of every tool that is led and is among these states of one batch, at its capture time."""
        patient = next((state for state in states if (state.to_frame, state.from_frame) == (REFERENCE, CT)), None)
        return tuple(self._one(state, patient, capture_ns) for state in states if state.tool in self._tools)

    def _one(self, tool: ToolState, patient: ToolState | None, capture_ns: int) -> GuidanceState:
        if self._plan.problem:
            return GuidanceState(tool=tool.tool, validity=Validity.LOST, reason=self._plan.problem)
        if patient is None:
            return GuidanceState(tool=tool.tool, validity=Validity.LOST, reason="the patient is not in the batch")
        for state in (tool, patient):
            if state.validity is not Validity.VALID or state.T_to_from is None:
                reason = f"{state.tool} {state.validity.value}: {state.reason}"
                return GuidanceState(tool=tool.tool, validity=_worse(tool.validity, patient.validity), reason=reason)
        error = LiveError(tool, patient)
        if error.unknown:
            return GuidanceState(tool=tool.tool, validity=Validity.SUSPECT, reason=error.unknown)
        return self._measured(tool, patient, error, capture_ns)

    def _measured(self, tool: ToolState, patient: ToolState, error: LiveError, capture_ns: int) -> GuidanceState:
        if tool.T_to_from is None or patient.T_to_from is None or tool.to_frame != REFERENCE:
            return GuidanceState(tool=tool.tool, validity=Validity.LOST, reason="its pose is not in 'reference'")
        T_ct_tip = (patient.T_to_from.inverse() @ tool.T_to_from).matrix.tolist()
        (_, _, ax, x), (_, _, ay, y), (_, _, az, z), _ = T_ct_tip
        tip_ct_mm, axis_ct = (x, y, z), (ax, ay, az) if self._tools[tool.tool] else None
        to_plan = None if self._line is None else self._line.measure(tip_ct_mm, axis_ct)
        return GuidanceState(
            tool=tool.tool,
            validity=Validity.VALID,
            trajectory="" if self.followed is None else self.followed.name,
            to_plan=to_plan,
            error_mm=error.largest_mm,
            risks=tuple(self._risks(tool.tool, tip_ct_mm, error)),
            screw=None if to_plan is None else self._screw(tool.tool, to_plan, axis_ct, capture_ns),
        )

    def _risks(self, tool: str, tip_ct_mm: Vector, error: LiveError) -> Iterable[Risk]:
        for name, distance in self._at_risk:
            found = distance.at(tip_ct_mm)
            left_mm = found.signed_mm - error.along_mm(found.gradient)
            yield Risk(name, found.signed_mm, left_mm, self._alerts[tool, name].level(left_mm))

    def _screw(self, tool: str, to_plan: TipToPlan, axis_ct: Vector | None, capture_ns: int) -> ScrewFit | None:
        """The planned screw with its head where the tool's axis passes the planned entry."""
        screw, bone = None if self.followed is None else self.followed.screw, self._plan.bone
        entry_mm = to_plan.entry_lateral_mm
        if screw is None or bone is None or axis_ct is None or to_plan.entry_ct_mm is None or entry_mm is None:
            return None
        if entry_mm > self._settings.screw_within_mm:
            return None
        then_ns, fit = self._screws.get(tool, (None, None))
        if then_ns is None or not 0 <= capture_ns - then_ns < self._settings.screw_every_ms * NS_PER_MS:
            head, axis = np.array(to_plan.entry_ct_mm), np.array(axis_ct)
            fit = fit_screw(bone, head, axis, screw, step_mm=LIVE_STEP_MM, around=LIVE_AROUND)
            self._screws[tool] = (capture_ns, fit)
        return fit


def _worse(one: Validity, other: Validity) -> Validity:
    order = (Validity.VALID, Validity.SUSPECT, Validity.STALE, Validity.LOST)
    return max(one, other, key=order.index)
