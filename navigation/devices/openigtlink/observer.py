"""What is new about each tool: repeated poses are no evidence, and tools relative to the reference are put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry import Transform
from geometry.frames import TRACKER
from navigation.devices.openigtlink.layout import Layout
from navigation.devices.openigtlink.sightings import Sighting, observation_of
from navigation.devices.tracker import ToolObservation, Visibility

# As long as a pose may be old and still be shown (navigation.devices.frame_order.LOST_AFTER_MS).
REPEATED_NS = 250_000_000
_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
_NOT_SEEN = ToolObservation(Visibility.NO_DATA, reason="an identity matrix, as senders give for a tool they do not see")


@dataclass
class _Last:
    columns: tuple[float, ...]
    since_ns: int
    stamp_ns: int | None


class Observer:
    """Makes observations of sightings.

    A pose that is repeated to the last bit, and the identity, are what senders give for a tool that they do not see
    (https://github.com/PlusToolkit/PlusLib/issues/436), and no camera measures them. A repeated pose is nothing new,
    and after a while it is lost; the identity is no pose.

    Args:
        layout: what the tools are relative to.
        repeats_are_measured: the sender's poses are exact, as of a robot or a simulation, and both are poses.
    """

    def __init__(self, layout: Layout, repeats_are_measured: bool) -> None:
        self._layout, self._repeats_are_measured = layout, repeats_are_measured
        self._last: dict[str, _Last] = {}
        self._reference: tuple[int | None, ToolObservation] | None = None
        self._waiting: dict[str, tuple[int | None, ToolObservation]] = {}

    def observe(self, sighting: Sighting, stamp_ns: int | None, now_ns: int) -> dict[str, ToolObservation]:
        """The observations by tool, in ``tracker``; empty if the sighting says nothing new.

        Args:
            stamp_ns: the device's time of it; None without one.
            now_ns: this machine's, by which repetitions are timed.
        """
        tool = self._layout.tools.get(sighting.name)
        if tool is None:
            return {}
        if sighting.columns == _IDENTITY and not self._repeats_are_measured:
            return self._placed(sighting.name, stamp_ns, _NOT_SEEN)
        if self._is_repeated(sighting, stamp_ns, now_ns):
            since_ns = self._last[sighting.name].since_ns
            if self._repeats_are_measured or now_ns - since_ns < REPEATED_NS:
                return {}
            lost = f"the device has repeated one pose to the last bit for {(now_ns - since_ns) / 1e9:.1f} s"
            return self._placed(sighting.name, stamp_ns, ToolObservation(Visibility.NO_DATA, reason=lost))
        return self._placed(sighting.name, stamp_ns, observation_of(sighting, tool.name))

    def _is_repeated(self, sighting: Sighting, stamp_ns: int | None, now_ns: int) -> bool:
        last, columns = self._last.get(sighting.name), sighting.columns
        if columns is None:
            return False
        if last is None or last.columns != columns:
            self._last[sighting.name] = _Last(columns, now_ns, stamp_ns)
            return False
        is_same_frame = stamp_ns is not None and stamp_ns == last.stamp_ns
        last.stamp_ns = stamp_ns
        return is_same_frame or not self._repeats_are_measured

    def _placed(self, name: str, stamp_ns: int | None, seen: ToolObservation) -> dict[str, ToolObservation]:
        """In the frame ``tracker`` of the layout."""
        layout = self._layout
        tool = layout.tools[name].name
        if layout.reference is None or (name != layout.reference and name not in layout.composed):
            return {tool: seen}
        if name != layout.reference:
            if self._reference is None or self._reference[0] != stamp_ns:
                self._waiting[name] = stamp_ns, seen
                return {}
            return {tool: _relative(self._reference[1], seen, tool)}
        self._reference = stamp_ns, seen
        placed = {tool: _at_itself(seen, tool)}
        for other, (its_stamp_ns, its) in list(self._waiting.items()):
            if its_stamp_ns == stamp_ns:
                del self._waiting[other]
                its_tool = layout.tools[other].name
                placed[its_tool] = _relative(seen, its, its_tool)
        return placed


def _at_itself(seen: ToolObservation, tool: str) -> ToolObservation:
    """The reference in its own frame: by definition the identity, whenever it is seen."""
    if seen.T_tracker_tool is None:
        return seen
    return ToolObservation(Visibility.VISIBLE, Transform(np.eye(4), TRACKER, tool))


def _relative(reference: ToolObservation, seen: ToolObservation, tool: str) -> ToolObservation:
    """A tool relative to the reference, both seen at one instant."""
    if seen.T_tracker_tool is None:
        return seen
    if reference.T_tracker_tool is None:
        return ToolObservation(Visibility.NO_DATA, reason=f"the reference: {reference.why}")
    relative = reference.T_tracker_tool.inverse() @ seen.T_tracker_tool
    return ToolObservation(Visibility.VISIBLE, Transform(relative.matrix, TRACKER, tool))
