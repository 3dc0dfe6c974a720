"""The guidance of ``surgnav serve``: the case's plan at the start, and what the operator is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from case.case import Case, MadeBy
from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S
from navigation.commands.serve.command import ServeRequest
from navigation.errors import PlanError
from navigation.guidance.case_plans import open_surgical_plan, plan_fingerprint
from navigation.guidance.news import described
from navigation.guidance.plan import SurgicalPlan
from navigation.guidance.publish import GuidanceSetup
from navigation.live.offers.case_view import CaseView
from navigation.live.pose_graph import CalibratedTip
from navigation.live.service import NavigationService
from navigation.operator_screen.screen import PLAIN, WARNING, OperatorScreen

NUMBERS_EVERY_NS = 10 * NS_PER_S


@dataclass(frozen=True)
class GuidedCase:
    """The case's plan when the service began.

    Attributes:
        setup: what the pose process guides by; None without a plan.
        fingerprint: `plan_fingerprint` at that moment.
    """

    setup: GuidanceSetup | None
    fingerprint: str


def open_guidance(
    request: ServeRequest, tips: Mapping[str, CalibratedTip], time: str, say: Callable[[str], None]
) -> GuidedCase:
    """The case's plan, for tools with a calibrated tip; a plan that cannot be used is one with a problem.

    Args:
        request: what was asked for.
        tips: tool -> tip; one whose frame is turned has its z along the tool's axis, as a spin calibration leaves it.
        time: ISO 8601 with a time zone.
        say: told what takes its time.

    Raises:
        PlanError: a trajectory that the plan does not have.
    """
    case, trajectory = Case.open(request.case), request.trajectory
    fingerprint = plan_fingerprint(case)
    try:
        plan = open_surgical_plan(case, MadeBy.surgnav(time, {}), research=request.research, say=say)
    except SurgNavError as error:
        plan = SurgicalPlan(problem=error.came)
    names = () if plan is None else tuple(each.name for each in plan.trajectories)
    if trajectory is not None and trajectory not in names:
        problem = plan.problem if plan is not None and plan.problem else ", ".join(names) or "none is planned"
        raise PlanError(f"the trajectory '{trajectory}'", f"one of the case's: {problem}", "see 'surgnav plan CASE'")
    if plan is None:
        return GuidedCase(None, fingerprint)
    tools = {name: tip.T_tool_tip.rotation.magnitude() > 0.0 for name, tip in tips.items()}
    return GuidedCase(GuidanceSetup(plan=plan, tools=tools, followed=trajectory or ""), fingerprint)


class GuidanceSide:
    """Tells the operator of the guidance, and ends it when the case's plan is no longer the one that it began with."""

    def __init__(self, guided: GuidedCase, service: NavigationService, screen: OperatorScreen) -> None:
        self._guided, self._service, self._screen = guided, service, screen
        self._numbers_ns = 0
        setup = guided.setup
        if setup is not None:
            names = ", ".join(each.name for each in setup.plan.trajectories)
            chosen = setup.followed or (names if len(setup.plan.trajectories) == 1 else "none yet: choose a target")
            problem = setup.plan.problem
            screen.say(
                f"No guidance: {problem}" if problem else f"guidance along {names}; followed: {chosen}",
                WARNING if problem else PLAIN,
            )
            if not setup.tools:
                screen.say("No tool has a calibrated tip, so none is guided", WARNING)

    def poll(self, view: CaseView | None, now_ns: int) -> None:
        """Says what is new; every ten seconds the numbers of the tools that have some."""
        if view is not None and not view.trouble and view.plan != self._guided.fingerprint:
            self._service.guidance.withdraw("the plan in the case has changed: start the service again to follow it")
        for line, is_bad in self._service.guidance.lines():
            self._screen.say(line, WARNING if is_bad else PLAIN)
        if now_ns - self._numbers_ns >= NUMBERS_EVERY_NS:
            self._numbers_ns = now_ns
            for state in self._service.guidance.states:
                if not state.reason:
                    self._screen.say(described(state))
