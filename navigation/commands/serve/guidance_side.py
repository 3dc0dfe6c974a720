"""The guidance of ``surgnav serve``: the case's plan at the start, and what the operator is told of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from case.case import Case, MadeBy
from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S
from navigation.commands.serve.command import ServeRequest
from navigation.errors import PlanError
from navigation.guidance.case_plans import open_surgical_plan, plan_fingerprint
from navigation.guidance.new_plan import GuidanceSetup
from navigation.guidance.news import described
from navigation.guidance.plan import SurgicalPlan
from navigation.live.offers.case_view import CaseView
from navigation.live.pose_graph import CalibratedTip
from navigation.live.service import NavigationService
from navigation.operator_screen.screen import PLAIN, WARNING, OperatorScreen
from navigation.terminal.reporting import now
from navigation.ultrasound.distances.measure import AtRisk

NUMBERS_EVERY_NS = 10 * NS_PER_S
CHANGED = "the plan in the case has changed: the new one is being made ready"


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
    """The case's plan at the start, as `guided_case` makes it.

    Raises:
        PlanError: a trajectory that the plan does not have.
    """
    guided, trajectory = guided_case(request, tips, time, say), request.trajectory
    plan = None if guided.setup is None else guided.setup.plan
    names = () if plan is None else tuple(each.name for each in plan.trajectories)
    if trajectory is not None and trajectory not in names:
        problem = plan.problem if plan is not None and plan.problem else ", ".join(names) or "none is planned"
        raise PlanError(f"the trajectory '{trajectory}'", f"one of the case's: {problem}", "see 'surgnav plan CASE'")
    return guided


def guided_case(
    request: ServeRequest,
    tips: Mapping[str, CalibratedTip],
    time: str,
    say: Callable[[str], None] = lambda line: None,
) -> GuidedCase:
    """The case's plan, for tools with a calibrated tip; a plan that cannot be used is one with a problem.

    Args:
        request: what was asked for; a trajectory that the plan does not have is not followed.
        tips: tool -> tip; one whose frame is turned has its z along the tool's axis, as a spin calibration leaves it.
        time: ISO 8601 with a time zone.
        say: told what takes its time.
    """
    fingerprint = ""
    try:
        case = Case.open(request.case)
        fingerprint = plan_fingerprint(case)
        plan = open_surgical_plan(case, MadeBy.surgnav(time, {}), research=request.research, say=say)
    except SurgNavError as error:
        plan = SurgicalPlan(problem=error.came)
    if plan is None:
        return GuidedCase(None, fingerprint)
    tools = {name: tip.T_tool_tip.rotation.magnitude() > 0.0 for name, tip in tips.items()}
    is_planned = request.trajectory in [each.name for each in plan.trajectories]
    return GuidedCase(
        GuidanceSetup(plan=plan, tools=tools, followed=request.trajectory or "" if is_planned else ""), fingerprint
    )


class GuidanceSide:
    """Tells the operator of the guidance, and has it go on by the case's plan when that changes.

    Args:
        guided: the plan when the service began.
        make: `guided_case` at a time; it is called in a thread, since distance grids take seconds.
        measure_to: is told the structures at risk, to which ultrasound is measured too; none while there is no plan.
    """

    def __init__(
        self,
        guided: GuidedCase,
        service: NavigationService,
        screen: OperatorScreen,
        make: Callable[[str], GuidedCase],
        measure_to: Callable[[AtRisk], None],
    ) -> None:
        self._fingerprint, self._service, self._screen, self._make = guided.fingerprint, service, screen, make
        self._measure_to = measure_to
        self._making: _Making | None = None
        self._numbers_ns = 0
        self._say(guided.setup)

    def poll(self, view: CaseView | None, now_ns: int) -> None:
        """Says what is new; every ten seconds the numbers of the tools that have some."""
        if view is not None and not view.trouble and view.plan != self._fingerprint:
            self._fingerprint, self._making = view.plan, _Making(partial(self._make, now()))
            self._withdraw(CHANGED)
        if self._making is not None and not self._making.is_alive():
            self._take(self._making)
        for line, is_bad in self._service.guidance.lines():
            self._screen.say(line, WARNING if is_bad else PLAIN)
        if now_ns - self._numbers_ns >= NUMBERS_EVERY_NS:
            self._numbers_ns = now_ns
            for state in self._service.guidance.states:
                if not state.reason:
                    self._screen.say(described(state))

    def _take(self, making: _Making) -> None:
        self._making, guided, problem = None, making.made, making.problem
        if guided is not None and guided.setup is not None:
            try:
                self._service.guidance.renew(guided.setup)
                self._say(guided.setup)
                return
            except OSError as error:
                problem = f"the changed plan cannot be given to the pose process: {error}"
        self._withdraw(problem or "the case has no plan any more")

    def _withdraw(self, problem: str) -> None:
        self._service.guidance.withdraw(problem)
        self._measure_to(())
        self._screen.say(f"No guidance: {problem}", WARNING)

    def _say(self, setup: GuidanceSetup | None) -> None:
        if setup is None:
            return
        self._measure_to(setup.plan.at_risk)
        names = ", ".join(each.name for each in setup.plan.trajectories)
        chosen = setup.followed or (names if len(setup.plan.trajectories) == 1 else "none yet: choose a target")
        problem = setup.plan.problem
        self._screen.say(
            f"No guidance: {problem}" if problem else f"guidance along {names}; followed: {chosen}",
            WARNING if problem else PLAIN,
        )
        if not setup.tools:
            self._screen.say("No tool has a calibrated tip, so none is guided", WARNING)


class _Making(threading.Thread):
    """Makes the changed plan beside the service.

    Attributes:
        made: once it has ended: the plan; None where that failed.
        problem: why it failed.
    """

    def __init__(self, make: Callable[[], GuidedCase]) -> None:
        super().__init__(name="surgnav-changed-plan", daemon=True)
        self._make = make
        self.made: GuidedCase | None = None
        self.problem = "the changed plan could not be made ready"
        self.start()

    def run(self) -> None:
        try:
            self.made, self.problem = self._make(), ""
        except (OSError, MemoryError) as error:  # there is no guidance then, and the service goes on
            self.problem += f": {type(error).__name__}: {error}"
