"""Where a tip was held in ``tracker`` when a person said so: asked by the service, answered by the pose process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from geometry.clock import Clock
from geometry.points import Floats, read_only
from navigation.clock import NS_PER_S
from navigation.live.pose_graph import CalibratedTip
from navigation.live.timeline.timelines import Timelines
from unity_bridge.errors import EventRefusedError
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

# A person is still for so long before saying so; timelines reach back half a second, and the message takes its time.
_HOLD_NS, _LOOKS = NS_PER_S * 3 // 10, 7
_STILL_MM = 1.0
_PATIENCE_NS = 2 * NS_PER_S


@dataclass(frozen=True)
class TipAsked:
    """A question to the pose process: the tip of this tool at a time in ns on this machine's clock."""

    number: int
    tool: str
    at_ns: int


@dataclass(frozen=True)
class TipHeld:
    """The answer: the tip in mm in ``tracker``, or why it cannot be told."""

    number: int
    tip_tracker_mm: tuple[float, float, float] | None
    why: str = ""


def held_tip(
    asked: TipAsked, timelines: Timelines, tips: Mapping[str, CalibratedTip], states: Sequence[ToolState]
) -> TipHeld:
    """The mean place of a tip that was held still until then, as its device saw it, whatever the reference did."""
    tip = tips.get(asked.tool)
    state = next((state for state in states if state.tool == asked.tool), None)
    if tip is None or state is None:
        return TipHeld(asked.number, None, f"'{asked.tool[:40]}' is no tracked tool with a calibrated tip")
    if state.validity is not Validity.VALID:
        return TipHeld(asked.number, None, f"'{asked.tool}' is {state.validity.value}: {state.reason}"[:200])
    line, places = timelines.line(asked.tool), []
    for back_ns in np.linspace(0, _HOLD_NS, _LOOKS):
        seen = line.at(asked.at_ns - round(back_ns))
        if seen.T_tracker_tool is None:
            return TipHeld(asked.number, None, f"'{asked.tool}' was not seen all the while: {seen.why}"[:200])
        places.append((seen.T_tracker_tool @ tip.T_tool_tip).translation_mm)
    spread_mm = float(np.sqrt(np.var(places, axis=0).sum()))
    if not spread_mm <= _STILL_MM:
        return TipHeld(asked.number, None, f"the tip moved by {spread_mm:.1f} mm RMS before the touch")
    x, y, z = np.mean(places, axis=0).tolist()
    return TipHeld(asked.number, (x, y, z))


class TipQuestions:
    """Questions under way; call `poll` often.

    Args:
        clock: times the patience.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self._asked = clock, 0
        self._open: dict[int, tuple[int, Future[Floats]]] = {}

    def ask(self, tool: str, at_ns: int) -> tuple[TipAsked, Future[Floats]]:
        """What the pose process is to be asked, and what becomes the tip ``(3,)`` in ``tracker`` or is refused."""
        self._asked += 1
        answer: Future[Floats] = Future()
        self._open[self._asked] = self._clock.now_ns(), answer
        return TipAsked(self._asked, tool, at_ns), answer

    def take(self, held: TipHeld) -> None:
        """The pose process has answered."""
        _, answer = self._open.pop(held.number, (0, None))
        if answer is None:
            return
        if held.tip_tracker_mm is None:
            answer.set_exception(_refused(held.why))
        else:
            answer.set_result(read_only(np.array(held.tip_tracker_mm)))

    def poll(self) -> None:
        """Refuses what was not answered in time."""
        for number, (since_ns, answer) in list(self._open.items()):
            if self._clock.now_ns() - since_ns > _PATIENCE_NS:
                del self._open[number]
                answer.set_exception(_refused("the pose process does not answer"))


def _refused(why: str) -> EventRefusedError:
    return EventRefusedError(
        f"a touch of which it is not known where the tip was: {why}",
        "a stylus that the tracker sees, held still on the point for half a second",
        "hold the tip on the point, and touch again",
    )
