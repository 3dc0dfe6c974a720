"""What a scenario has the simulated device say: frames that are delayed, lost, late, mixed up or wrongly stamped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from geometry import Transform
from geometry.frames import TRACKER
from navigation.clock import PacedClock
from navigation.devices.tracker import DeviceState, FrameCounts, ToolObservation, Tracker, TrackerFrame
from navigation.devices.wrapped_tracker import WrappedTracker
from navigation.simulation.scenario import Scenario

_NS_PER_MS = 1_000_000


class ScriptedTracker(WrappedTracker):
    """Satisfies `Tracker` with the frames of another one, after what the scenario does to them.

    It hands out what has arrived last, as a device without a buffer does. A frame that the scenario makes late may so
    come after a newer one: this breaks the rule for drivers on purpose.

    Args:
        tracker: whose frames are true but for its noise.
        scenario_s: how long the scenario has gone on at a time on `clock`, in s.
        rng: draws which frames are lost or late.
    """

    def __init__(
        self,
        tracker: Tracker,
        scenario: Scenario,
        scenario_s: Callable[[int], float],
        clock: PacedClock,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(tracker)
        self._scenario, self._scenario_s = scenario, scenario_s
        self._clock, self._rng = clock, rng
        self._on_its_way: list[tuple[int, TrackerFrame]] = []  # with the time of arrival
        self._received = self._lost = 0

    @property
    def state(self) -> DeviceState:
        return replace(super().state, frames=FrameCounts(received=self._received, lost=self._lost))

    def start(self) -> None:
        self._on_its_way.clear()
        super().start()

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        until_ns = self._clock.now_ns() + max(0, timeout_ns)
        while True:
            now_ns = self._clock.now_ns()
            arrived = [each for each in self._on_its_way if each[0] <= now_ns]
            if arrived:
                self._on_its_way = [each for each in self._on_its_way if each[0] > now_ns]
                self._received += len(arrived)
                return max(arrived, key=lambda each: each[0])[1]
            next_ns = min([until_ns, *(arrival_ns for arrival_ns, _ in self._on_its_way)])
            frame = self._tracker.next_frame(max(0, next_ns - now_ns))
            if frame is not None:
                self._send(frame)
            elif self._clock.now_ns() >= until_ns and not any(at <= until_ns for at, _ in self._on_its_way):
                return None

    def _send(self, frame: TrackerFrame) -> None:
        """Loses the frame, or puts it on its way."""
        scenario, t_s = self._scenario, self._scenario_s(frame.capture_ns)
        lost = [self._rng.random() < each.share for each in scenario.dropped_frames if each.is_on(t_s)]
        if any(lost):
            self._lost += 1
            return
        delay_ms = sum(each.latency_ms for each in scenario.latency if each.is_on(t_s))
        delay_ms += sum(
            each.late_ms for each in scenario.late_frames if each.is_on(t_s) and self._rng.random() < each.share
        )
        jump_ms = sum(each.jump_ms for each in scenario.clock_jump if each.is_on(t_s))
        tools = dict(frame.tools)
        for each in scenario.swapped_tools:
            if each.is_on(t_s):
                tools = _swapped(tools, *each.tools)
        said = TrackerFrame(frame.sequence, frame.capture_ns + round(jump_ms * _NS_PER_MS), tools, frame.strays_mm)
        self._on_its_way.append((frame.capture_ns + round(delay_ms * _NS_PER_MS), said))


def _swapped(tools: Mapping[str, ToolObservation], one: str, other: str) -> dict[str, ToolObservation]:
    """Each of the two with what was seen of the other; a tool that is not in the room is swapped with nothing."""
    if one not in tools or other not in tools:
        return dict(tools)
    return {**tools, one: _renamed(tools[other], one), other: _renamed(tools[one], other)}


def _renamed(seen: ToolObservation, tool: str) -> ToolObservation:
    pose = seen.T_tracker_tool
    return seen if pose is None else replace(seen, T_tracker_tool=Transform(pose.matrix, TRACKER, tool))
