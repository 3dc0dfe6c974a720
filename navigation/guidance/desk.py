"""Guidance as the service has it: events for clients, lines for the operator, and what the pose process is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from navigation.guidance.guide import GuidanceState
from navigation.guidance.new_plan import GuidanceSetup, PlanShelf
from navigation.guidance.news import GuidanceAlerts, GuidanceNews, described
from navigation.guidance.publish import Aim
from unity_bridge.control.event_log import ServerNotice


class GuidanceDesk:
    """Takes in the news of the pose process.

    Args:
        setup: what the pose process guides by; None without a plan.
        announce: sends an event to every client.
        send: gives an order to the pose process.

    Attributes:
        states: the newest guidance of each tool.
        trajectories: names of the trajectories that can be followed.
    """

    def __init__(
        self,
        setup: GuidanceSetup | None,
        announce: Callable[[ServerNotice], object],
        send: Callable[[Aim], object],
    ) -> None:
        self._announce, self._send = announce, send
        self._alerts = GuidanceAlerts()
        self._waiting: list[tuple[str, bool]] = []
        self._said: dict[str, str] = {}
        self._followed, self._problem = "", ""
        self.states: tuple[GuidanceState, ...] = ()
        self.trajectories = _names(setup)
        self._shelf = PlanShelf()

    def take(self, news: GuidanceNews) -> None:
        """Takes in the newest guidance, and tells clients of alerts."""
        self.states = news.states
        for notice in self._alerts.notices(news.states):
            self._announce(notice)
            is_alert = notice.kind == "guidance_alert"
            said = f"ALERT {notice.name}: {notice.reason}" if is_alert else f"{notice.name}: clear of {notice.reason}"
            self._waiting.append((said, is_alert))
        for state in news.states:
            if self._said.get(state.tool) != (said := f"{state.trajectory}|{state.reason}"):
                self._said[state.tool] = said
                self._waiting.append((described(state), bool(state.reason)))

    def lines(self) -> Iterator[tuple[str, bool]]:
        """What is new for the operator, and whether it is a warning."""
        waiting, self._waiting = self._waiting, []
        yield from waiting

    def follow(self, name: str) -> None:
        """Has the trajectory of this name followed from now on; does nothing for any other name."""
        if name in self.trajectories and name != self._followed:
            self._followed = name
            self._send(Aim(followed=name))

    def withdraw(self, problem: str) -> None:
        """Ends the guidance for a reason, until there is a new plan."""
        if problem != self._problem:
            self._problem = problem
            self._send(Aim(problem=problem))

    def renew(self, setup: GuidanceSetup) -> None:
        """Guides by a new plan from when the pose process has read it.

        Raises:
            OSError: it cannot be given to the pose process.
        """
        new_plan = self._shelf.put(setup)
        self._problem, self._followed, self.trajectories = "", setup.followed, _names(setup)
        self._send(Aim(new_plan=new_plan))

    def close(self) -> None:
        """May be called again."""
        self._shelf.close()


def _names(setup: GuidanceSetup | None) -> tuple[str, ...]:
    return () if setup is None else tuple(each.name for each in setup.plan.trajectories)
