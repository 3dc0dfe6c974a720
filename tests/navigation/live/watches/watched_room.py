"""The simulated room through the whole live path (tracker, supervisor, watches, graph), on a clock that is virtual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS
from navigation.clock import NS_PER_S, VirtualClock
from navigation.devices.driver import Device
from navigation.live.pose_graph import CalibratedTip, PoseGraph
from navigation.live.pose_loop import PoseLoop
from navigation.live.supervisor import Supervisor, SupervisorSettings
from navigation.live.watches.room_watches import RoomWatches
from navigation.simulation import scenarios
from navigation.simulation.actions import Action, Pivot
from navigation.simulation.operating_room import (
    DRIVER,
    OperatingRoom,
    OperatingRoomConfig,
    open_simulated_tracker,
    simulated_device,
)
from navigation.simulation.scenario import Scenario, read_scenario
from registration.record.accepted import AcceptedRegistration
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

CENTRE_MM = np.array([0.0, 0.0, 0.0])


class NoSocket:
    """Takes batches and sends them nowhere."""

    def __init__(self) -> None:
        self.sequence = 0

    def publish(self, tools: Sequence[ToolState], capture_ns: int, *_: object) -> int:
        self.sequence += 1
        return self.sequence


@dataclass
class Seen:
    """What was published: time since the scenario began, in s, and every state."""

    time_s: list[float] = field(default_factory=list)
    states: list[dict[str, ToolState]] = field(default_factory=list)

    def validities(self, tool: str, from_s: float, to_s: float) -> list[Validity]:
        return [
            each[tool].validity
            for time_s, each in zip(self.time_s, self.states, strict=True)
            if from_s <= time_s < to_s
        ]

    def first_s(self, tool: str, is_so: Callable[[ToolState], bool], from_s: float) -> float | None:
        """When a state was first so, from a time on; None if it never was."""
        found = (t for t, each in zip(self.time_s, self.states, strict=True) if t >= from_s and is_so(each[tool]))
        return next(found, None)


class WatchedRoom:
    """Plays a scenario; `step_to` goes on to a time, and `seen` keeps what was published on the way."""

    def __init__(
        self,
        scenario: Scenario,
        action: Action | None = None,
        divot_mm: tuple[float, float, float] | None = None,
        seed: int = 3,
    ) -> None:
        self.clock = VirtualClock()
        config = OperatingRoomConfig(
            seed=seed,
            centre_ct_mm=CENTRE_MM,
            epoch_ns=self.clock.now_ns(),
            tools=(REFERENCE, STYLUS, DRIVER),
            scenario=scenario,
        )
        room = OperatingRoom(config)
        if action is None:
            action = Pivot(room.T_tracker_ct.apply(CENTRE_MM) + [0.0, 0.0, -150.0], np.array([0.35, 0.0, -0.94]))
        self.config = replace(config, action=action)
        self.room = OperatingRoom(self.config)
        tip = np.eye(4)
        tip[:3, 3] = self.room.tip_stylus_mm
        registration = AcceptedRegistration(self.room.T_reference_ct, "r-0001", 1.0, "accept", "Dr Test")
        self.graph = PoseGraph({STYLUS: CalibratedTip(Transform(tip, STYLUS, "stylus_tip"), 0.3)}, registration)
        self.tracker = open_simulated_tracker(self.config, self.clock)
        self.watches = RoomWatches([self._device(divot_mm)], self.graph, SupervisorSettings())
        supervisor = Supervisor(self.tracker.tools, watches=self.watches.all)
        self.loop = PoseLoop(self.tracker, self.graph, supervisor, NoSocket(), self.clock)
        self.seen = Seen()
        self.tracker.start()

    def _device(self, divot_mm: tuple[float, float, float] | None) -> Device:
        device = simulated_device(self.config)
        tools = (replace(t, divot_mm=divot_mm if t.name == REFERENCE else None) for t in device.tools)
        return replace(device, tools=tuple(tools))

    def step_to(self, time_s: float) -> None:
        while self.room.scenario_s(self.clock.now_ns()) < time_s:
            self.loop.step()
            self.seen.time_s.append(self.room.scenario_s(self.clock.now_ns()))
            self.seen.states.append({state.tool: state for state in self.loop.states})


def shipped(name: str) -> Scenario:
    return read_scenario(Path(scenarios.__file__).parent / f"{name}.toml")


def is_valid(state: ToolState) -> bool:
    return state.validity is Validity.VALID


def is_not_valid(state: ToolState) -> bool:
    return not is_valid(state)


def seconds(time_ns: int) -> float:
    return time_ns / NS_PER_S
