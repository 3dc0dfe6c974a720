"""Doubts what was calibrated long ago, or before the marker's own geometry was: told once, from what is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from navigation.devices.driver import Tool
from navigation.devices.tracker import TrackerFrame
from navigation.live.supervisor import Judgement
from unity_bridge.wire.envelope import Validity

# Hospitals check their tools at least twice a year; a tip that nobody has looked at since may be bent.
OLDEST = timedelta(days=182)
_OF_A_TIP = ("pivot", "spin")


class PaperWatch:
    """Satisfies `navigation.live.supervisor.Watch`.

    Args:
        tools: of the room, with what is in force for them.
        now: the time of day, with its zone; what is from a later time was written by a wrong clock.
    """

    def __init__(self, tools: Iterable[Tool], now: datetime) -> None:
        self._held = {tool.name: Judgement(Validity.SUSPECT, why) for tool in tools if (why := _why_doubted(tool, now))}

    def note(self, frame: TrackerFrame, now_ns: int) -> None:
        """Frames say nothing about it."""

    def doubts(self, now_ns: int) -> Mapping[str, Judgement]:
        return self._held


def _why_doubted(tool: Tool, now: datetime) -> str:
    geometry = next((each for each in tool.calibrations if each.kind == "tool_geometry"), None)
    for made in tool.calibrations:
        if made.kind in _OF_A_TIP and geometry is not None and geometry.made_at > made.made_at:
            return (
                f"its {made.kind} of {made.made} is of the geometry before that of {geometry.made}: calibrate it anew"
            )
    if tool.tip_calibrated is None:
        return ""
    age = now - datetime.fromisoformat(tool.tip_calibrated)
    if age > OLDEST:
        return f"its tip was calibrated {age.days} days ago: calibrate it anew"
    if age < -timedelta(days=1):
        return f"its tip was calibrated on {tool.tip_calibrated}, which is to come: a clock is or was wrong"
    return ""
