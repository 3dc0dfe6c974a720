"""The pose loop: tracker frame in, pose batch out, in a process of its own so that nothing else can stall it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from geometry.errors import SurgNavError
from geometry.points import read_only
from navigation.clock import NS_PER_S, MonotonicClock, PacedClock
from navigation.devices.registry import open_tracker
from navigation.devices.tracker import Tracker
from navigation.pose_graph import PoseGraph
from navigation.state_changes import ChangeReporter
from navigation.supervisor import Supervisor, SupervisorSettings
from unity_bridge.authentication import Refusal, ServerSecurity
from unity_bridge.pose_publisher import PosePublisher
from unity_bridge.tool_state import ToolState
from unity_bridge.wire import Session, Validity

_MAX_LOGGED = 60_000  # ten minutes at 100 Hz; the recorder, not this log, is for more


@dataclass(frozen=True, kw_only=True)
class PoseLoopConfig:
    """What the pose process is started with; all of it can be pickled.

    Attributes:
        tracker, tracker_config: the driver's name in the registry, and its own settings.
        graph: calibrations and registration at the start; later ones are sent through the pipe.
        endpoint: where to publish, such as ``tcp://127.0.0.1:5570``.
        session_id: the service's, 16 bytes.
        security: keys and allow list; without them loopback only.
    """

    tracker: str
    tracker_config: object
    graph: PoseGraph
    endpoint: str
    session_id: bytes
    supervisor: SupervisorSettings = field(default_factory=SupervisorSettings)
    security: ServerSecurity | None = None


@dataclass(frozen=True, eq=False)
class SentPoses:
    """What was published, for scoring and for the record; rows are batches, columns are tools.

    Attributes:
        tools: names of the columns.
        sequence, capture_ns, published_ns: ``(n,)`` int64.
        matrices: ``(n, tools, 4, 4)`` in mm, right-handed, NaN where no pose was sent.
        validity: ``(n, tools)`` names of the states.
    """

    tools: tuple[str, ...]
    sequence: NDArray[np.int64]
    capture_ns: NDArray[np.int64]
    published_ns: NDArray[np.int64]
    matrices: NDArray[np.float64]
    validity: NDArray[np.str_]


@dataclass
class _Log:
    rows: list[tuple[int, int, int, list[ToolState]]] = field(default_factory=list)

    def add(self, sequence: int, capture_ns: int, published_ns: int, states: list[ToolState]) -> None:
        if len(self.rows) < _MAX_LOGGED:
            self.rows.append((sequence, capture_ns, published_ns, states))

    def finish(self) -> SentPoses:
        times = np.array([row[:3] for row in self.rows], np.int64).reshape(-1, 3)
        states = [row[3] for row in self.rows]
        tools = tuple(state.tool for state in states[0]) if states else ()
        missing = np.full((4, 4), np.nan)
        matrices = [[missing if s.T_to_from is None else s.T_to_from.matrix for s in row] for row in states]
        validity = [[s.validity.value for s in row] for row in states]
        return SentPoses(
            tools,
            read_only(times[:, 0]),
            read_only(times[:, 1]),
            read_only(times[:, 2]),
            read_only(np.array(matrices, np.float64).reshape(-1, len(tools), 4, 4)),
            read_only(np.array(validity, np.str_).reshape(-1, len(tools))),
        )


class PoseLoop:
    """Reads the tracker, judges, computes, publishes; once per frame."""

    def __init__(
        self, tracker: Tracker, graph: PoseGraph, supervisor: Supervisor, publisher: PosePublisher, clock: PacedClock
    ) -> None:
        self.graph = graph
        self.states: list[ToolState] = []
        self._tracker = tracker
        self._supervisor = supervisor
        self._publisher = publisher
        self._clock = clock
        # The next frame is due within one period; that it has not come must show at the client within one more.
        self._timeout_ns = round(2 * NS_PER_S / tracker.rate_hz)
        self._log = _Log()

    def step(self) -> int:
        """Handles one frame, or its absence, and returns the sequence number of the published batch."""
        frame = self._tracker.next_frame(self._timeout_ns)
        now_ns = self._clock.now_ns()
        judgements = self._supervisor.judge(frame, now_ns)
        states = self.states = self.graph.states(frame, judgements)
        capture_ns = now_ns if frame is None else frame.capture_ns
        anchor = min((states[0], states[-1]), key=lambda state: state.validity is Validity.VALID)
        sequence = self._publisher.publish(states, capture_ns, anchor.validity, anchor.reason)
        self._log.add(sequence, capture_ns, self._clock.now_ns(), states)
        return sequence

    def run(self, should_stop: Callable[[], bool]) -> SentPoses:
        """Steps until told to stop."""
        self._tracker.start()
        try:
            while not should_stop():
                self.step()
        finally:
            self._tracker.stop()
        return self._log.finish()


class Pipe(Protocol):
    """The pose process's end of a `multiprocessing` pipe."""

    def poll(self) -> bool: ...
    def recv(self) -> Any: ...
    def send(self, what: object) -> None: ...


STOP = "stop"
TAKEN = "taken"


def log_refusals(refusals: Iterable[Refusal]) -> None:
    """Says who was kept or put out, and why."""
    for refusal in refusals:
        logging.getLogger("surgnav.wire").warning("%s", refusal)


def run_pose_process(config: PoseLoopConfig, pipe: Pipe, last_sequence: Any) -> None:
    """Entry of the pose process.

    Sends its endpoint when it is ready, then `StateChanges`, each of which is answered by `TAKEN`; takes a new
    `PoseGraph` or `STOP` from the pipe; at the end it sends the `SentPoses`. If it cannot go on, it sends the
    `SurgNavError` and ends.

    Args:
        last_sequence: shared 64-bit counter (`multiprocessing.Value`), the newest batch.
    """
    clock = MonotonicClock()
    try:
        tracker = open_tracker(config.tracker, config.tracker_config, clock)
        supervisor = Supervisor(tracker.tools, config.supervisor)
        session = Session(config.session_id, clock)
        with PosePublisher(config.endpoint, session, security=config.security) as publisher:
            loop = PoseLoop(tracker, config.graph, supervisor, publisher, clock)
            pipe.send(publisher.endpoint)
            reporter = ChangeReporter(pipe.send)

            def should_stop() -> bool:
                last_sequence.value = publisher.last_sequence
                log_refusals(publisher.take_refusals())
                while pipe.poll():
                    message = pipe.recv()
                    if message == STOP:
                        return True
                    if message == TAKEN:
                        reporter.taken()
                    else:
                        loop.graph = message
                reporter.report(loop.states, clock.now_ns())
                return False

            pipe.send(loop.run(should_stop))
    except SurgNavError as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError):
        return  # the service is gone: nobody is left to stop us or to hear from us
