"""The pose loop: makes a pose batch of each newest tracker frame, in its own process so that nothing else delays it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from geometry.errors import SurgNavError
from navigation.clock import MonotonicClock, PacedClock
from navigation.devices.driver import Device, Role, ToolFilter
from navigation.devices.registry import open_device
from navigation.devices.tracker import Tracker
from navigation.guidance.new_plan import GuidanceSetup
from navigation.guidance.news import GUIDED, GuidanceReporter
from navigation.guidance.publish import Aim, GuidancePublisher
from navigation.live.filters.shown_poses import NO_FILTERS, ShownPoses, filters_of
from navigation.live.newest_frame import NewestFrame
from navigation.live.pose_graph import PoseGraph
from navigation.live.pose_mirror import PoseMirror
from navigation.live.pose_vitals import PoseVitals
from navigation.live.refusals import HEARD, RefusalForwarder
from navigation.live.sent_poses import SentLog
from navigation.live.state_changes import ChangeReporter
from navigation.live.supervisor import Supervisor, SupervisorSettings
from navigation.live.timeline.held_tip import TipAsked, TipHeld, held_tip
from navigation.live.timeline.timelines import Timelines
from navigation.live.watches.room_watches import RoomWatches
from navigation.processes.priority import keep_to_itself
from navigation.recorder.tap import Tap
from navigation.room.room_tracker import open_room
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.transport.admission import AdmissionCheck
from unity_bridge.transport.authentication import ServerSecurity
from unity_bridge.wire.envelope import Session, Validity


@dataclass(frozen=True, kw_only=True)
class PoseLoopConfig:
    """Settings that the pose process is started with; they can be pickled.

    Attributes:
        devices: the devices of the room, the one that sees the reference first.
        graph: calibrations and registration at the start; later ones are sent through the pipe.
        endpoint: where to publish, such as ``tcp://127.0.0.1:5570``.
        session_id: id of the service's session, 16 bytes.
        supervisor: thresholds, including the age limits.
        security: keys and allow list; without them only loopback is allowed.
        admission_secret: which clients' tokens are checked with (`unity_bridge.transport.admission`).
        keep_sent: number of batches that are kept for scoring and sent at the end; 0 in a service that runs for days.
        recorder: where the recorder takes every frame and every message; empty without one.
        first_sequence: number of the first batch: beyond those of a process before this one.
        mirror: address of a `PoseMirror` that is given the states of each batch too; empty for none.
        guidance: what tools are guided by; None without a plan.
    """

    devices: tuple[Device, ...]
    graph: PoseGraph
    endpoint: str
    session_id: bytes
    admission_secret: bytes
    supervisor: SupervisorSettings = field(default_factory=SupervisorSettings)
    security: ServerSecurity | None = None
    keep_sent: int = 0
    recorder: str = ""
    mirror: str = ""
    first_sequence: int = 1
    guidance: GuidanceSetup | None = None


class Publisher(Protocol):
    """Where the loop's batches go."""

    def publish(self, tools: Sequence[ToolState], capture_ns: int, validity: Validity = ..., reason: str = ...) -> int:
        """Sends one batch and returns its sequence number."""
        ...


class PoseLoop:
    """For each frame: takes the tracker's newest one, judges it, computes the poses and publishes them.

    Args:
        vitals: receives the age of each frame when it was published, and the counts of dropped frames.
        log: keeps the published batches.
        mirror: is given the states of each batch too.
        after: is called after each batch was sent, with its states and its capture time in ns; it must not wait.
        filters: of the tools whose published poses are filtered. `mirror` and `after`, and so guidance and what is
            placed beside the tools, are given every pose as it was measured.
    """

    def __init__(
        self,
        tracker: Tracker,
        graph: PoseGraph,
        supervisor: Supervisor,
        publisher: Publisher,
        clock: PacedClock,
        vitals: PoseVitals | None = None,
        log: SentLog | None = None,
        mirror: PoseMirror | None = None,
        after: Callable[[Sequence[ToolState], int], None] | None = None,
        filters: Mapping[str, ToolFilter] = NO_FILTERS,
    ) -> None:
        self.graph = graph
        self.states: list[ToolState] = []
        self._tracker = tracker
        self._frames = NewestFrame(tracker, clock)
        self._timelines = Timelines()
        self._supervisor = supervisor
        self._publisher = publisher
        self._clock = clock
        self._vitals, self._log, self._mirror, self._after = vitals, log, mirror, after
        self._shown = ShownPoses(filters) if filters else None

    @property
    def frames_dropped(self) -> int:
        """Number of frames that the tracker made and that were not used."""
        return self._frames.order.dropped

    def step(self) -> int:
        """Handles one frame, or its absence, and returns the sequence number of the published batch."""
        frame = self._frames.take()
        judged_ns = now_ns = self._clock.now_ns()
        if frame is not None and frame is self._frames.order.newest:
            self._timelines.note(frame, now_ns)
        states = self.graph.states(frame, self._supervisor.judge(frame, now_ns), self._timelines, now_ns)
        if self._supervisor.is_aged(judged_ns, now_ns := self._clock.now_ns()):
            # This process was suspended in between, by a busy machine or with it: the judgement has expired.
            states = self.graph.states(frame, self._supervisor.judge(frame, now_ns), self._timelines, now_ns)
        self.states = states
        capture_ns = now_ns if frame is None else min(frame.capture_ns, now_ns)
        anchor = min((states[0], states[-1]), key=lambda state: state.validity is Validity.VALID)
        shown: Sequence[ToolState] = states
        if self._shown is not None:
            shown = self._shown.of(states, self.graph, self._timelines, capture_ns, now_ns)
        sequence = self._publisher.publish(shown, capture_ns, anchor.validity, anchor.reason)
        published_ns = self._clock.now_ns()
        if self._mirror is not None:
            self._mirror.offer(states, capture_ns, self._timelines, self.graph.tips)
        if self._log is not None:
            self._log.add(sequence, capture_ns, published_ns, shown)
        if self._vitals is not None:
            self._vitals.note(sequence, self._frames.order, published_ns)
        if self._after is not None:
            self._after(states, capture_ns)
        return sequence

    def held_tip(self, asked: TipAsked) -> TipHeld:
        """Where a tip was held in ``tracker``, by what was seen and by how its tool stands now."""
        return held_tip(asked, self._timelines, self.graph.tips, self.states)

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Starts the tracker, steps until `should_stop` returns True, and stops the tracker."""
        self._tracker.start()
        try:
            while not should_stop():
                self.step()
        finally:
            self._tracker.stop()


class Pipe(Protocol):
    """The pose process's end of a `multiprocessing` pipe."""

    def poll(self) -> bool: ...
    def recv(self) -> Any: ...
    def send(self, what: object) -> None: ...


STOP = "stop"
TAKEN = "taken"


@dataclass(frozen=True)
class Withdrawn:
    """The number of a token that admits its client to the poses no more; sent by the service."""

    number: int


@dataclass(frozen=True)
class Vouched:
    """Tools, or the reference, that a touch has shown to be where they are shown; sent by the service."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Held:
    """What the watches hold until it is settled: told to the service, and by it to the next process.

    Attributes:
        reasons: name -> reason.
        camera_moves: how often the camera that sees the reference was moved, which ends what hangs from it.
    """

    reasons: Mapping[str, str]
    camera_moves: int = 0


@dataclass(frozen=True)
class Starting:
    """What the pose process is doing before it streams; sent to the service, which waits for it."""

    what: str


def run_pose_process(config: PoseLoopConfig, shared: Any, pipe: Pipe) -> None:
    """Entry point of the pose process.

    It sends `Starting` for each step until it is ready, then its endpoint. After that it sends `StateChanges`, each
    answered by `TAKEN`, `Refused`, each answered by `HEARD`, `GuidanceNews`, each answered by `GUIDED`, and `Held`; it
    receives a new `PoseGraph`, `Withdrawn`, `Vouched`, `Held`, an `Aim`, `TipAsked`, which it answers by `TipHeld`, or
    `STOP`. At the end it sends the `SentPoses`;
    after an error that it cannot handle it sends the `SurgNavError`.

    Args:
        config: settings of the pose loop.
        shared: memory from `PoseVitals.share`.
        pipe: the connection to the service.
    """
    # Ctrl-C at the terminal reaches every process started there; only the service decides when the poses end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_to_itself()
    clock, vitals = MonotonicClock(), PoseVitals(shared)
    tap = Tap(config.recorder, "poses", clock) if config.recorder else None
    try:
        pipe.send(Starting(f"opening {', '.join(device.name for device in config.devices)}"))
        tracker = open_room(config.devices, clock, open_device if tap is None else tap.open_device)
        watches = RoomWatches(config.devices, config.graph, config.supervisor, datetime.now(UTC))
        supervisor = Supervisor(tracker.tools, config.supervisor, watches.all)
        session, log = Session(config.session_id, clock), SentLog(config.keep_sent)
        keep = None if tap is None else tap.poses
        admission = AdmissionCheck(config.admission_secret)
        with PosePublisher(
            config.endpoint,
            session,
            security=config.security,
            keep=keep,
            admission=admission,
            first_sequence=config.first_sequence,
        ) as publisher:
            reflects = PoseMirror(config.mirror, _probes(config.devices)) if config.mirror else None
            guidance = GuidancePublisher(config.guidance, session, publisher.send, config.first_sequence)
            filters = filters_of(config.devices)
            loop = PoseLoop(
                tracker, config.graph, supervisor, publisher, clock, vitals, log, reflects, guidance.after, filters
            )
            pipe.send(publisher.endpoint)
            loop.run(_Orders(loop, pipe, publisher, clock, watches, guidance).should_stop)
        pipe.send(log.finish())
    except SurgNavError as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError):
        return  # the service has ended: nobody receives messages any more
    finally:
        if tap is not None:
            tap.close()


def _probes(devices: Sequence[Device]) -> list[str]:
    return [tool.name for device in devices for tool in device.tools if tool.role is Role.PROBE]


class _Orders:
    """Exchanges messages with the service between two steps of the loop."""

    def __init__(
        self,
        loop: PoseLoop,
        pipe: Pipe,
        publisher: PosePublisher,
        clock: MonotonicClock,
        watches: RoomWatches,
        guidance: GuidancePublisher,
    ) -> None:
        self._loop, self._pipe, self._publisher, self._clock, self._watches = loop, pipe, publisher, clock, watches
        self._held = Held({})
        self._guidance, self._guided = guidance, GuidanceReporter(pipe.send)
        self._reporter = ChangeReporter(pipe.send)
        self._refusals = RefusalForwarder(pipe.send, publisher.take_refusals)

    def should_stop(self) -> bool:
        self._refusals.forward()
        while self._pipe.poll():
            message = self._pipe.recv()
            if message == STOP:
                return True
            if message == TAKEN:
                self._reporter.taken()
            elif message == HEARD:
                self._refusals.heard()
            elif isinstance(message, Withdrawn):
                self._publisher.withdraw(message.number)
            elif isinstance(message, TipAsked):
                self._pipe.send(self._loop.held_tip(message))
            elif isinstance(message, Vouched | Held):
                self._about_watches(message)
            elif message == GUIDED or isinstance(message, Aim):
                self._about_guidance(message)
            else:
                self._loop.graph = message
                self._watches.follow(message)
        now_ns = self._clock.now_ns()
        self._reporter.report(self._loop.states, now_ns)
        self._guided.report(self._guidance.states, now_ns)
        if (held := Held(self._watches.held, self._watches.camera_moves)) != self._held:
            self._held = held
            self._pipe.send(held)
        return False

    def _about_watches(self, message: Vouched | Held) -> None:
        if isinstance(message, Vouched):
            self._watches.vouch(message.names)
        else:
            self._watches.hold(message.reasons, message.camera_moves)

    def _about_guidance(self, message: Aim | str) -> None:
        if not isinstance(message, Aim):
            self._guided.taken()
        else:
            self._guidance.take(message)
