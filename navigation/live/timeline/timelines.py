"""The timelines of all tools, and where a tool was relative to the reference at one instant."""

from __future__ import annotations

from dataclasses import dataclass

from geometry import Transform
from geometry.frames import REFERENCE
from navigation.devices.tracker import ToolObservation, TrackerFrame
from navigation.live.timeline.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Relative:
    """A tool relative to the reference at one instant.

    Attributes:
        T_reference_tool: the pose at that instant.
        capture_ns: the instant.
        tool: what was observed of it then, in ``tracker``.
        reference: what was observed of the reference then; None where the tool's device saw the reference itself.
    """

    T_reference_tool: Transform
    capture_ns: int
    tool: ToolObservation
    reference: ToolObservation | None


@dataclass(frozen=True, slots=True)
class NoPose:
    """Why there is no pose."""

    why: str


class Timelines:
    """What was observed of all tools over the last half second.

    Relative to the reference a tool is only known at an instant at which both were seen: the newest such is that of the
    one seen less recently. A camera or a patient that moved meanwhile moved both, and cancels.

    Args:
        reference: the tool that poses are relative to.
    """

    def __init__(self, reference: str = REFERENCE) -> None:
        self._reference = reference
        self._lines: dict[str, Timeline] = {}
        self._nothing = Timeline()

    @classmethod
    def of(cls, frame: TrackerFrame) -> Timelines:
        """Those of a single frame."""
        alone = cls()
        alone.note(frame, frame.capture_ns)
        return alone

    def note(self, frame: TrackerFrame, now_ns: int) -> None:
        """Takes in a frame: each tool at its own time. A frame that came before adds nothing."""
        for tool, seen in frame.tools.items():
            line = self._lines.get(tool)
            if line is None:
                line = self._lines[tool] = Timeline()
            line.note(seen, frame.capture_ns if seen.capture_ns is None else seen.capture_ns, now_ns)

    def line(self, tool: str) -> Timeline:
        """The timeline of a tool; an empty one of a tool that was never observed."""
        return self._lines.get(tool, self._nothing)

    def newest(self, tool: str) -> Relative | NoPose:
        """The tool relative to the reference at the newest instant at which both are known."""
        line, reference = self.line(tool), self.line(self._reference)
        tool_ns, reference_ns = line.newest_ns, reference.newest_ns
        if tool_ns is None or reference_ns is None:
            return NoPose(f"{tool if tool_ns is None else self._reference} not seen yet")
        if line.newest.T_tracker_reference is not None:
            return self._placed(line.newest, line.newest.T_tracker_reference, tool_ns)
        return self._combined(tool, min(tool_ns, reference_ns))

    def at(self, tool: str, instant_ns: int) -> Relative | NoPose:
        """The tool relative to the reference at `instant_ns`, such as the time of an ultrasound image."""
        seen = self.line(tool).at(instant_ns)
        if seen.T_tracker_reference is not None:
            return self._placed(seen, seen.T_tracker_reference, instant_ns)
        return self._combined(tool, instant_ns)

    def observed(self, tool: str, instant_ns: int) -> Relative | NoPose:
        """The tool relative to the reference when it was observed last by `instant_ns`, its own pose as it was seen."""
        observed_ns = self.line(tool).observed_ns(instant_ns)
        return NoPose(f"{tool} not seen yet") if observed_ns is None else self.at(tool, observed_ns)

    def _placed(self, seen: ToolObservation, T_tracker_reference: Transform, instant_ns: int) -> Relative | NoPose:
        """Of a device that sees the reference itself: the pose that placed the tool in ``tracker`` cancels."""
        if seen.T_tracker_tool is None:
            return NoPose(seen.why)
        T_reference_tool = T_tracker_reference.inverse() @ seen.T_tracker_tool
        return Relative(T_reference_tool, instant_ns, seen, None)

    def _combined(self, tool: str, instant_ns: int) -> Relative | NoPose:
        seen, reference = self.line(tool).at(instant_ns), self.line(self._reference).at(instant_ns)
        if seen.T_tracker_tool is None:
            return NoPose(seen.why)
        if reference.T_tracker_tool is None:
            return NoPose(f"{self._reference} at the time of {tool}: {reference.why}")
        return Relative(reference.T_tracker_tool.inverse() @ seen.T_tracker_tool, instant_ns, seen, reference)
