"""What the service learns of the guidance in the pose process: alerts at once, the rest once a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import degrees

from navigation.guidance.alerts import SEVERITY
from navigation.guidance.guide import GuidanceState
from unity_bridge.control.event_log import ServerNotice
from unity_bridge.wire.generated.constants import AlertLevel

_NS_PER_S = 1_000_000_000
GUIDED = "guided"


@dataclass(frozen=True)
class GuidanceNews:
    """The guidance of every tool at one instant; sent by the pose process, which awaits `GUIDED`."""

    states: tuple[GuidanceState, ...]


class GuidanceReporter:
    """Sends one message at a time to the service, and the next one after it has been taken: the pipe never fills."""

    def __init__(self, send: Callable[[GuidanceNews], None]) -> None:
        self._send = send
        self._may_send, self._sent_ns = True, -_NS_PER_S
        self._told: tuple[object, ...] = ()

    def taken(self) -> None:
        """Notes that the service has taken the last message."""
        self._may_send = True

    def report(self, states: tuple[GuidanceState, ...], now_ns: int) -> None:
        """Sends the states where an alert or a validity differs from what was sent, or a second after it."""
        if not self._may_send or not states:
            return
        what = tuple((s.tool, s.validity, s.trajectory, *(risk.level for risk in s.risks)) for s in states)
        if what != self._told or now_ns - self._sent_ns >= _NS_PER_S:
            self._may_send, self._sent_ns, self._told = False, now_ns, what
            self._send(GuidanceNews(states))


class GuidanceAlerts:
    """Makes events of alerts: one for each rise of a level, and one when it is clear again."""

    def __init__(self) -> None:
        self._levels: dict[tuple[str, str], AlertLevel] = {}

    def notices(self, states: Sequence[GuidanceState]) -> Iterator[ServerNotice]:
        """The events that these states bring; a tool that is not valid keeps its levels, since it says nothing."""
        for state in states:
            for risk in state.risks:
                key = (state.tool, risk.structure)
                before, self._levels[key] = self._levels.get(key, AlertLevel.CLEAR), risk.level
                if SEVERITY[risk.level] > SEVERITY[before]:
                    said = f"{state.tool}, {risk.level.value}: {risk.left_mm:.1f} mm left, the error taken off"
                    yield ServerNotice(kind="guidance_alert", name=risk.structure, reason=said)
                elif risk.level is AlertLevel.CLEAR and before is not AlertLevel.CLEAR:
                    yield ServerNotice(kind="guidance_clear", name=risk.structure, reason=state.tool)


def described(state: GuidanceState) -> str:
    """One tool's guidance in a line for the operator."""
    if state.reason:
        return f"{state.tool}: no guidance, {state.reason}"
    parts = []
    if state.to_plan is not None:
        plan = state.to_plan
        parts.append(f"{plan.lateral_mm:.1f} mm beside {state.trajectory}, {plan.remaining_mm:.1f} mm to go")
        if plan.angle_rad is not None:
            parts.append(f"{degrees(plan.angle_rad):.1f} deg")
    if state.screw is not None:
        parts.append(f"screw {state.screw.grade.value.upper()}")
    parts += [f"{risk.structure} {risk.distance_mm:.1f} mm ({risk.level.value})" for risk in state.risks]
    error = "" if state.error_mm is None else f", 95 % within {state.error_mm:.1f} mm"
    return f"{state.tool}: {', '.join(parts) or 'no trajectory is followed'}{error}"
