"""The watches of a room: which there are, and what settles their doubts from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from geometry.frames import REFERENCE
from navigation.devices.driver import Device, Role, StampClock
from navigation.live.pose_graph import CalibratedTip, PoseGraph
from navigation.live.supervisor import SupervisorSettings, Watch
from navigation.live.watches.clocks import ClockWatch
from navigation.live.watches.divot import DivotWatch
from navigation.live.watches.jumps import JumpWatch
from navigation.live.watches.papers import PaperWatch
from navigation.live.watches.registered import RegistrationWatch
from navigation.live.watches.second_reference import SecondReferenceWatch
from navigation.live.watches.stamps import StampWatch
from navigation.live.watches.trends import FitWatch, RateWatch


class RoomWatches:
    """Attributes:
        all: every watch, for the supervisor.

    Args:
        devices: the devices of the room, the one that sees the reference first.
        graph: calibrations and registration at the start.
        settings: the ages above which a pose is stale, and lost.
        now: the time of day, with its zone, by which calibrations and registration are judged; None judges none of
            them, such as of a recording.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        graph: PoseGraph,
        settings: SupervisorSettings,
        now: datetime | None = None,
    ) -> None:
        tools = tuple(tool.name for device in devices for tool in device.tools)
        placed = [device for device in devices if device.T_tracker_device is not None]
        self._jumps = JumpWatch(devices[0].tool_names, [tool for device in placed for tool in device.tool_names])
        second = [tool.name for tool in devices[0].tools if tool.role is Role.SECOND_REFERENCE]
        self._seconds = [SecondReferenceWatch(name) for name in second]
        divot = next((tool.divot_mm for tool in devices[0].tools if tool.name == REFERENCE), None)
        divots = [] if divot is None else [DivotWatch(np.array(divot), _tips(graph.tips), self._jumps.vouched)]
        self._registration = graph.registration
        self._registered = [] if now is None else [RegistrationWatch(devices, graph, now)]
        papers = [] if now is None else [PaperWatch([tool for device in devices for tool in device.tools], now)]
        self.all: tuple[Watch, ...] = (
            StampWatch(settings),
            # A device's own clock is followed where its frames come in, and a link may be late and in time again.
            *([] if devices[0].stamps.clock is StampClock.SENSOR else [ClockWatch()]),
            RateWatch(tools),
            FitWatch(),
            self._jumps,
            *self._seconds,
            *divots,
            *papers,
            *self._registered,
        )

    @property
    def held(self) -> Mapping[str, str]:
        """What is held until it is settled from outside, with its reason."""
        return {name: doubt.reason for name, doubt in self._jumps.doubts(0).items()}

    @property
    def camera_moves(self) -> int:
        """How often the camera that sees the reference was moved."""
        return self._jumps.camera_moves

    def hold(self, reasons: Mapping[str, str], camera_moves: int = 0) -> None:
        """Holds what the process before this one held when it ended."""
        self._jumps.hold(reasons)
        self._jumps.camera_moves += camera_moves

    def follow(self, graph: PoseGraph) -> None:
        """Another registration says anew where the patient is, and what was held against the reference is settled."""
        for watch in self._registered:
            watch.follow(graph)
        if graph.registration is not None and graph.registration != self._registration:
            self._registration = graph.registration
            self.vouch((REFERENCE,))

    def vouch(self, names: Sequence[str]) -> None:
        """A touch of a known point has shown that these are where they are shown."""
        self._jumps.vouched(names)
        if REFERENCE in names:
            for second in self._seconds:
                second.registered()


def _tips(tips: Mapping[str, CalibratedTip]) -> Mapping[str, tuple[np.ndarray, float]]:
    return {
        tool: (tip.T_tool_tip.translation_mm, tip.expected_error_mm)
        for tool, tip in tips.items()
        if tip.expected_error_mm is not None  # of which it is not known how far off it may be
    }
