"""Where one tool was at an instant of the last seconds: its poses as the pose mirror told them, and their doubts."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass

from geometry import Transform
from navigation.clock import NS_PER_S
from navigation.live.pose_mirror import MirroredTool
from navigation.live.timeline.between import between
from navigation.live.timeline.timeline import LONGEST_GAP_NS
from unity_bridge.wire.envelope import Validity

# Beyond the longest lag that a calibration looks for, and the time that a frame waits for its contours.
KEPT_NS = 2 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Seen:
    """A tool at one instant; without a pose it was not seen, or not to be believed.

    Attributes:
        at_ns: the instant.
        T_reference_tool: its pose, or its tip's where that is what is streamed; None without one.
        validity, reason: what is held against it, or why there is no pose.
        told: the observation that says how well it was seen; None where there is none.
        bound_ns: how much older than `at_ns` says the pose may be.
    """

    at_ns: int
    T_reference_tool: Transform | None
    validity: Validity
    reason: str
    told: MirroredTool | None = None
    bound_ns: int = 0


class SeenTool:
    """The observations of one tool over the last two seconds.

    Args:
        name: of the tool.
        T_tip_tool: taken to each pose where poses are streamed for a tip and the tool's own are wanted.
    """

    def __init__(self, name: str, T_tip_tool: Transform | None = None) -> None:
        self.name = name
        self._T_tip_tool = T_tip_tool
        self._seen: deque[Seen] = deque()

    def note(self, tool: MirroredTool) -> None:
        """Takes in what one batch says of this tool; one that was sent again, such as a stale one, adds nothing."""
        if self._seen and tool.capture_ns <= self._seen[-1].at_ns:
            return
        pose = None
        if tool.T_to_from is not None and tool.validity in (Validity.VALID, Validity.SUSPECT):
            pose = Transform(tool.T_to_from, tool.to_frame, tool.from_frame)
            pose = pose if self._T_tip_tool is None else pose @ self._T_tip_tool
        why = f"{tool.validity.value}{': ' if tool.reason else ''}{tool.reason}"
        self._seen.append(Seen(tool.capture_ns, pose, tool.validity, why, tool, tool.stamp_bound_ns))
        while tool.capture_ns - self._seen[0].at_ns > KEPT_NS:
            self._seen.popleft()

    def has_come_to(self, instant_ns: int) -> bool:
        """Whether it has been observed, seen or not, up to that instant: nothing is gained by waiting on."""
        return bool(self._seen) and self._seen[-1].at_ns >= instant_ns

    def doubt(self, seen: Seen) -> str:
        """What is held against it at that instant, or has come up since: a bump is noticed a moment later."""
        for each in (seen, *list(self._seen)[-1:]):
            if each.validity is Validity.SUSPECT:
                return f"{self.name} {each.reason}"
        return ""

    def at(self, instant_ns: int) -> Seen:
        """The tool at an instant, between two observations by interpolation."""
        after = bisect_left(self._seen, instant_ns, key=lambda each: each.at_ns)
        if not self._seen:
            return _absent(instant_ns, "no pose has come")
        if after == len(self._seen):
            late_ms = (instant_ns - self._seen[-1].at_ns) / 1e6
            last = self._seen[-1]
            said = f", and then {last.reason}" if last.T_reference_tool is None else ""
            return _absent(instant_ns, f"the newest is {late_ms:.0f} ms older{said}")
        second = self._seen[after]
        if second.at_ns == instant_ns:
            return second
        if after == 0:
            return _absent(instant_ns, "all that are kept are newer")
        return _between(self._seen[after - 1], second, instant_ns)


def _between(first: Seen, second: Seen, instant_ns: int) -> Seen:
    if first.T_reference_tool is None or second.T_reference_tool is None:
        return first if first.T_reference_tool is None else second
    gap_ns = second.at_ns - first.at_ns
    if gap_ns > LONGEST_GAP_NS:
        return _absent(instant_ns, f"none came for {gap_ns / 1e6:.0f} ms around it")
    pose = between(first.T_reference_tool, second.T_reference_tool, (instant_ns - first.at_ns) / gap_ns)
    if pose is None:
        return _absent(instant_ns, "it turned too far between two")
    doubted = next((each for each in (first, second) if each.validity is not Validity.VALID), second)
    bound_ns = max(first.bound_ns, second.bound_ns)
    return Seen(instant_ns, pose, doubted.validity, doubted.reason, second.told, bound_ns)


def _absent(instant_ns: int, why: str) -> Seen:
    return Seen(instant_ns, None, Validity.LOST, why)
