"""What is published of tools that have a filter: their filtered poses, with the measured ones beside them.

A filter sees a tool relative to the reference, so that a camera or a patient that moves is not smeared. It stands last,
after everything was judged: it changes no state and no time of capture, so that a pose is as old as its measurement,
however far it is predicted. Whatever is not valid is published as it was measured, and ends what the filter knew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from geometry import Transform
from geometry.points import Floats
from navigation.devices.driver import Device, ToolFilter
from navigation.live.filters.constant_velocity import ConstantVelocity, MotionSettings
from navigation.live.filters.one_euro import OneEuro, OneEuroSettings
from navigation.live.pose_graph import PoseGraph
from navigation.live.timeline.timelines import Relative, Timelines
from unity_bridge.poses.tool_state import Filtering, ToolState
from unity_bridge.wire.envelope import Validity

_NS_PER_MS = 1_000_000
NO_FILTERS: Mapping[str, ToolFilter] = MappingProxyType({})


def filters_of(devices: Iterable[Device]) -> dict[str, ToolFilter]:
    """The filters of a room's tools, by the tool's name."""
    return {tool.name: tool.filter for device in devices for tool in device.tools if tool.filter is not None}


class ShownPoses:
    """Filters the poses of some tools, batch by batch.

    A filter begins anew after whatever was not valid, after a gap, with another calibration or registration, and where
    time went back.

    Args:
        filters: tool -> its filter.
    """

    def __init__(self, filters: Mapping[str, ToolFilter]) -> None:
        self._filters = filters
        self._running: dict[str, _Running] = {}
        self._graph: PoseGraph | None = None

    def of(
        self, states: Sequence[ToolState], graph: PoseGraph, timelines: Timelines, batch_ns: int, now_ns: int
    ) -> list[ToolState]:
        """The states to publish, in the same order.

        Args:
            states: as they were measured and judged.
            graph, timelines: what they were computed from.
            batch_ns: the time of capture of those that have none of their own.
            now_ns: when they are published.
        """
        if graph is not self._graph:
            self._graph = graph
            self._running.clear()
        return [
            state if state.tool not in self._filters else self._shown(state, graph, timelines, batch_ns, now_ns)
            for state in states
        ]

    def _shown(self, state: ToolState, graph: PoseGraph, timelines: Timelines, batch_ns: int, now_ns: int) -> ToolState:
        if state.validity is not Validity.VALID or state.T_to_from is None:
            self._running.pop(state.tool, None)
            return state
        capture_ns = batch_ns if state.capture_ns is None else state.capture_ns
        running = self._running.get(state.tool)
        if running is None or capture_ns < running.newest_ns:
            running = self._running[state.tool] = _Running(self._filters[state.tool])
        pose, filtering, motion = running.note(state.T_to_from, capture_ns)
        covariance_mm2 = state.covariance_mm2
        relative = timelines.newest(state.tool)
        if covariance_mm2 is not None and isinstance(relative, Relative):
            # A predicted pose is off by what the tip moves from the time that it holds for on, and by the prediction.
            age_ns = max(0, now_ns - capture_ns - round(filtering.ahead_ms * _NS_PER_MS))
            measured = graph.covariance_mm2(state.tool, relative, state.T_to_from, timelines, age_ns, motion.lag_mm)
            covariance_mm2 = None if measured is None else measured + motion.added_mm2 * np.eye(3)
        return replace(state, T_to_from=pose, filtering=filtering, covariance_mm2=covariance_mm2)


@dataclass(frozen=True, slots=True)
class _Off:
    """How far a filtered tip is off: behind the measured one, ``(3,)`` in mm, and by the variance of a prediction."""

    lag_mm: Floats
    added_mm2: float


class _Running:
    """The filter of one tool since it was last begun."""

    def __init__(self, settings: ToolFilter) -> None:
        self.newest_ns = 0
        self._ahead_ns = round(settings.predict_ms * _NS_PER_MS)
        self._euro: OneEuro | None = None
        self._motion = ConstantVelocity(MotionSettings(jitter_mm=settings.jitter_mm))
        if settings.kind == "one_euro":
            self._euro = OneEuro(OneEuroSettings(rest_hz=settings.rest_hz, per_mm_s=settings.per_mm_s))

    def note(self, raw: Transform, capture_ns: int) -> tuple[Transform, Filtering, _Off]:
        """The pose to show, what the filter made of it, and how far that is off."""
        self.newest_ns = capture_ns
        found = (self._euro or self._motion).note(raw, capture_ns)
        lag_mm = raw.translation_mm - found.pose.translation_mm
        # A prediction that is no longer than the cap, from what was seen at this very instant, always is a pose.
        ahead = self._motion.at(capture_ns + self._ahead_ns) if self._ahead_ns else None
        if not isinstance(ahead, Transform):
            return found.pose, Filtering(raw=raw, delay_ms=found.delay_ms), _Off(lag_mm, 0.0)
        filtering = Filtering(raw=raw, delay_ms=found.delay_ms, ahead_ms=self._ahead_ns / _NS_PER_MS)
        return ahead, filtering, _Off(lag_mm, self._motion.added_mm2(self._ahead_ns))
