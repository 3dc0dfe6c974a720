"""The pose process as the service has it: started again where it ends by itself, at its address, with what is in force.

The next one goes on with the sequence numbers, so that clients see a gap and no repetition.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.kept_clock import KeptClock
from navigation.errors import ServiceError
from navigation.guidance.news import GUIDED, GuidanceNews
from navigation.guidance.publish import Aim
from navigation.live.pose_graph import PATIENT, PoseGraph
from navigation.live.pose_loop import (
    STOP,
    TAKEN,
    Held,
    PoseLoopConfig,
    Starting,
    Vouched,
    Withdrawn,
    run_pose_process,
)
from navigation.live.pose_vitals import PoseVitals
from navigation.live.refusals import HEARD, Refused
from navigation.live.sent_poses import SentPoses
from navigation.live.state_changes import StateChanges
from navigation.live.timeline.held_tip import TipAsked, TipHeld
from navigation.processes.child import Child, ChildSettings, ChildState
from navigation.processes.priority import POSES
from unity_bridge.wire.envelope import Validity

# Nobody is navigated meanwhile, and another process waits to take over. One that has streamed for ten seconds has ended
# for a reason of its own; one that keeps ending must leave the machine to the rest.
RESTARTS = ChildSettings(first_pause_s=0.02, longest_pause_s=5.0, settled_s=10.0, standby=True)
_SAY_EVERY_S = 3.0
_LOOK_S = 0.02


Said = StateChanges | Refused | GuidanceNews | TipHeld


class PoseProcess:
    """The pose loop in a process of its own; call `poll` often.

    Args:
        config: what it is started with first; later ones get the newest graph and the address that was bound.
        clock: times the waiting.
        goes_first: gives it a higher priority, where the user may do so.
        real_time: asks for a real-time priority and a core of its own besides.
        stop_timeout_s: how long it may take to stop.

    Attributes:
        vitals: statistics, over all processes.
        endpoint: where poses are published; with a free port once it is known.
    """

    def __init__(
        self,
        config: PoseLoopConfig,
        clock: PacedClock,
        *,
        goes_first: bool,
        real_time: bool,
        stop_timeout_s: float,
    ) -> None:
        self._config, self._clock, self._stop_timeout_s = config, clock, stop_timeout_s
        context = multiprocessing.get_context("spawn")
        shared = PoseVitals.share(context)
        # What one process has learned of a device's clock is known to the next.
        devices = tuple(device.keeping_clock(KeptClock.share(context)) for device in config.devices)
        config = replace(config, devices=devices)
        self.vitals = PoseVitals(shared)
        self.endpoint = config.endpoint
        self._withdrawn: list[Withdrawn] = []
        self._held = Held({})
        self._aims: list[Aim] = []
        self._sent: SentPoses | None = None
        self._early = list[Said]()  # what came while it was waited for
        self._doing, self._is_told_lost, self._has_begun = "loading", False, False
        niceness = POSES if goes_first else None
        settings = replace(RESTARTS, stop_timeout_s=stop_timeout_s, niceness=niceness, real_time=real_time)
        self._child = Child(
            "pose process", run_with, self._arguments, clock, self._first, settings, _is_endpoint, (config, shared)
        )

    @property
    def camera_moves(self) -> int:
        """How often the camera that sees the reference was moved, over all processes."""
        return self._held.camera_moves

    @property
    def state(self) -> ChildState:
        """How the process stands."""
        return self._child.state

    def await_start(self, patience_s: float, say: Callable[[str], None]) -> None:
        """Waits until it publishes; says every few seconds what it is doing until then.

        Raises:
            SurgNavError: what keeps it from running, such as an address in use.
            ServiceError: it did not start in time.
        """
        begun_ns = said_ns = self._clock.now_ns()
        while not self._has_begun:
            self._early += self.poll()
            now_ns = self._clock.now_ns()
            if now_ns - begun_ns > patience_s * NS_PER_S:
                raise self._silence(patience_s, f"to start, which was {self._doing}")
            if now_ns - said_ns >= _SAY_EVERY_S * NS_PER_S:
                said_ns = now_ns
                waited_s = (now_ns - begun_ns) / NS_PER_S
                say(f"waiting for the pose process, {waited_s:.0f} s of {patience_s:.0f}: {self._doing}")
            self._clock.sleep_until_ns(now_ns + round(_LOOK_S * NS_PER_S))

    def poll(self) -> list[Said]:
        """What it has said since the last call, and that every tool is lost where it has ended.

        Raises:
            SurgNavError: what keeps the first process from running.
        """
        said, self._early = self._early, []
        for message in self._child.poll():
            if isinstance(message, StateChanges):
                self._child.send(TAKEN)
                said.append(message)
            elif isinstance(message, Refused):
                self._child.send(HEARD)
                said.append(message)
            elif isinstance(message, Held):
                self._held = message
            elif isinstance(message, GuidanceNews):
                self._child.send(GUIDED)
                said.append(message)
            elif isinstance(message, TipHeld):
                said.append(message)
            elif isinstance(message, Starting):
                self._doing = message.what
            elif isinstance(message, SentPoses):
                self._sent = message
            else:
                self.endpoint, self._has_begun, self._is_told_lost = message, True, False
        if not self._child.state.is_running and not self._is_told_lost:
            self._is_told_lost = True
            names = (*(tool for device in self._config.devices for tool in device.tool_names), PATIENT)
            said.append(StateChanges(tuple((name, Validity.LOST, "the pose process has ended") for name in names)))
        return said

    def take_news(self) -> list[tuple[str, bool]]:
        """Lines for the operator, each with True if it reports a problem."""
        return self._child.take_news()

    def put_in_force(self, graph: PoseGraph) -> None:
        """New calibrations and registration from the next frame on."""
        self._config = replace(self._config, graph=graph)
        self._child.send(graph)

    def aim(self, aim: Aim) -> None:
        """Another trajectory to follow, none any more, or another plan, from the next frame on."""
        self._aims = [aim] if aim.new_plan else [*self._aims, aim]  # a new plan needs nothing of those before
        self._child.send(aim)

    def withdraw(self, withdrawn: Withdrawn) -> None:
        """Admits the client of a token to the poses no more."""
        self._withdrawn.append(withdrawn)
        self._child.send(withdrawn)

    def vouch(self, vouched: Vouched) -> None:
        """A touch has shown that these are where they are shown."""
        self._child.send(vouched)

    def ask_tip(self, asked: TipAsked) -> None:
        """`poll` brings where the tip was, a moment later."""
        self._child.send(asked)

    def stop(self) -> SentPoses:
        """Ends the pose loop and returns its published batches, up to `keep_sent`.

        Raises:
            ServiceError: it did not answer in time.
        """
        self._child.send(STOP)
        deadline_ns = self._clock.now_ns() + round(self._stop_timeout_s * NS_PER_S)
        while self._clock.now_ns() < deadline_ns and self._child.state.is_running:
            self.poll()
            if self._sent is not None:
                self.close()
                return self._sent
            self._clock.sleep_until_ns(self._clock.now_ns() + round(_LOOK_S * NS_PER_S))
        raise self._silence(self._stop_timeout_s, "to stop")

    def close(self) -> None:
        """Ends the process; may be called again."""
        self._child.close()

    def _arguments(self) -> tuple[PoseGraph, str, int]:
        return self._config.graph, self.endpoint, self.vitals.last_sequence + 1

    def _first(self) -> list[Withdrawn | Held | Aim]:
        return [*self._withdrawn, self._held, *self._aims]

    def _silence(self, timeout_s: float, purpose: str) -> ServiceError:
        state = self._child.state
        how = "alive but silent" if state.is_running and not state.why else state.why
        return ServiceError(
            f"no answer from the pose process within {timeout_s:g} s when asked {purpose} ({how})",
            "a running pose process",
            "see the output of the pose process above, and run 'surgnav doctor'",
        )


def run_with(
    graph: PoseGraph, endpoint: str, first_sequence: int, config: PoseLoopConfig, shared: Any, pipe: Any
) -> None:
    """Entry point of the process: the rest of the settings, such as devices, may hold shared memory of their own."""
    run_pose_process(replace(config, graph=graph, endpoint=endpoint, first_sequence=first_sequence), shared, pipe)


def _is_endpoint(message: object) -> bool:
    """Whether a message says where poses are published, which is when they are."""
    return isinstance(message, str)
