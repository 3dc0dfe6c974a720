"""What is lost reaches the client in the very next batch: told by sequence numbers and capture times, no stopwatch."""

from __future__ import annotations

import multiprocessing
import tracemalloc
import uuid
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import zmq

from geometry.frames import REFERENCE, STYLUS
from navigation.clock import VirtualClock
from navigation.devices.tracker import ToolObservation, TrackerFrame
from navigation.live.pose_graph import PATIENT, PoseGraph
from navigation.live.pose_loop import PoseLoop
from navigation.live.pose_vitals import PoseVitals
from navigation.live.sent_poses import SentLog
from navigation.live.supervisor import Supervisor
from registration.record.accepted import AcceptedRegistration
from tests.navigation.live.harness import HIDDEN, MS, TOOLS, seen
from tests.registration.shapes import T_TRUE
from unity_bridge.client.poses.receiver import PoseReceiver
from unity_bridge.poses.batch import PoseBatch
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Session, Validity

PERIOD_NS = 10 * MS
GRAPH = PoseGraph(registration=AcceptedRegistration(T_TRUE, "r-0001", 1.0, "accept", "Dr Test"))
BOTH = {REFERENCE: seen(REFERENCE), STYLUS: seen(STYLUS, 5.0)}


class ScriptedTracker:
    """Sees what it is told to, once a period of simulated time; None is silence, for as long as anybody waits."""

    tools = TOOLS
    rate_hz = 100.0

    def __init__(self, clock: VirtualClock) -> None:
        self.sees: dict[str, ToolObservation] | None = BOTH
        self._clock = clock
        self._number = 0

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        self._clock.advance_ns(timeout_ns if self.sees is None else PERIOD_NS)
        if self.sees is None:
            return None
        self._number += 1
        return TrackerFrame(self._number, self._clock.now_ns(), self.sees)


class Room:
    """The pose loop and a real client of its socket, step by step."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.tracker = ScriptedTracker(self.clock)
        self.context = zmq.Context()
        self.publisher = PosePublisher("tcp://127.0.0.1:*", Session(uuid.uuid4().bytes, self.clock))
        self.told: deque[tuple[int, int, list[ToolState]]] = deque(maxlen=5)
        self.loop = PoseLoop(
            self.tracker, GRAPH, Supervisor(TOOLS), self.publisher, self.clock, after=self.note_what_was_sent
        )
        self.receiver = PoseReceiver(self.publisher.endpoint, self.context, self.clock, 0, 1024)
        while self.publisher.subscriber_count == 0:
            self.publisher.poll()
        while self.step().tools[STYLUS].validity is not Validity.VALID:
            pass

    def step(self) -> PoseBatch:
        """The batch of one step of the loop, as the client has it."""
        sequence = self.loop.step()
        while self.receiver.log.last_sequence < sequence:
            assert self.receiver.socket.poll(30_000), "the batch never came"
            self.receiver.drain()
        batch = self.receiver.log.newest
        assert batch.sequence == sequence
        return batch

    def note_what_was_sent(self, states: Sequence[ToolState], capture_ns: int) -> None:
        self.told.append((self.publisher.last_sequence, capture_ns, list(states)))

    def close(self) -> None:
        self.receiver.close()
        self.context.term()
        self.publisher.close()


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room()
    yield room
    room.close()


def test_in_order_everything_is_valid(room: Room) -> None:
    batch = room.step()
    assert batch.validity is Validity.VALID
    assert {tool: pose.validity for tool, pose in batch.tools.items()} == dict.fromkeys(
        (REFERENCE, STYLUS, PATIENT), Validity.VALID
    )
    assert batch.tools[PATIENT].registration_id == "r-0001"
    assert batch.capture_ns == room.clock.now_ns()


def test_what_hangs_on_the_loop_is_told_each_batch_after_it_was_sent(room: Room) -> None:
    batch = room.step()
    sequence, capture_ns, states = room.told[-1]
    assert (sequence, capture_ns) == (batch.sequence, batch.capture_ns)
    assert {state.tool: state.validity for state in states} == {
        tool: pose.validity for tool, pose in batch.tools.items()
    }
    room.step()
    assert [number for number, _, _ in room.told][-2:] == [sequence, sequence + 1]


def test_a_hidden_tool_is_lost_in_the_next_batch_and_only_it(room: Room) -> None:
    before = room.step()
    room.tracker.sees = BOTH | {STYLUS: HIDDEN}
    batch = room.step()
    assert (batch.sequence, batch.capture_ns) == (before.sequence + 1, before.capture_ns + PERIOD_NS)
    stylus = batch.tools[STYLUS]
    assert (stylus.validity, stylus.pose, stylus.reason) == (Validity.LOST, None, "occluded")
    assert batch.validity is Validity.VALID
    assert batch.tools[PATIENT].validity is Validity.VALID


def test_a_hidden_reference_takes_everything_with_it_in_the_next_batch(room: Room) -> None:
    before = room.step()
    room.tracker.sees = BOTH | {REFERENCE: HIDDEN}
    batch = room.step()
    assert batch.sequence == before.sequence + 1
    assert (batch.validity, batch.reason) == (Validity.LOST, "occluded")
    for pose in batch.tools.values():
        assert (pose.validity, pose.pose) == (Validity.LOST, None)
        assert pose.reason


def test_a_withdrawn_registration_is_gone_in_the_next_batch(room: Room) -> None:
    before = room.step()
    room.loop.graph = PoseGraph()
    batch = room.step()
    assert batch.sequence == before.sequence + 1
    assert (batch.validity, batch.reason) == (Validity.LOST, "not registered")
    patient = batch.tools[PATIENT]
    assert (patient.validity, patient.pose, patient.reason) == (Validity.LOST, None, "not registered")
    assert batch.tools[STYLUS].validity is Validity.VALID


def test_a_silent_tracker_is_told_one_period_after_its_frame_was_due_and_never_with_a_pose(room: Room) -> None:
    before = room.step()
    room.tracker.sees = None
    batch = room.step()
    # Due one period after the last frame, and missed for one more.
    assert (batch.sequence, batch.capture_ns) == (before.sequence + 1, before.capture_ns + 2 * PERIOD_NS)
    assert {pose.validity for pose in batch.tools.values()} == {Validity.STALE}
    assert {pose.pose for pose in batch.tools.values()} == {None}
    assert batch.reason == "no new frame from the tracker: the last is 20 ms old"
    while batch.tools[STYLUS].validity is Validity.STALE:
        assert batch.capture_ns - before.capture_ns <= 250 * MS + 2 * PERIOD_NS
        batch = room.step()
    assert {(pose.validity, pose.pose) for pose in batch.tools.values()} == {(Validity.LOST, None)}
    assert batch.reason == "the tracker is silent: the last is 260 ms old"


def test_what_was_lost_is_believed_again_only_once_it_has_settled(room: Room) -> None:
    room.tracker.sees = BOTH | {STYLUS: HIDDEN}
    room.step()
    room.tracker.sees = BOTH
    states = [room.step().tools[STYLUS].validity for _ in range(3)]
    assert states == [Validity.SUSPECT, Validity.SUSPECT, Validity.VALID]


def test_a_loop_that_runs_for_long_keeps_nothing_of_what_it_sent(room: Room) -> None:
    for _ in range(300):
        room.loop.step()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(1000):
            room.loop.step()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # A batch as objects has some 3 kB: 3 MB. The subscriber does not read, and its queue is libzmq's, not Python's.
    assert grown < 50_000


def test_what_was_sent_is_kept_up_to_the_bound_and_as_it_was_sent(room: Room) -> None:
    log = SentLog(1500)
    room.loop._log = log
    room.tracker.sees = BOTH | {STYLUS: HIDDEN}
    first = room.loop.step()
    room.tracker.sees = BOTH
    for _ in range(1600):
        room.loop.step()
    sent = log.finish()
    assert sent.tools == (REFERENCE, STYLUS, PATIENT)
    np.testing.assert_array_equal(sent.sequence, np.arange(first, first + 1500))
    assert sent.validity[0].tolist() == ["valid", "lost", "valid"]
    assert sent.validity[1:4, 1].tolist() == ["suspect", "suspect", "valid"]
    assert np.isnan(sent.matrices[0, 1]).all()
    np.testing.assert_array_equal(sent.matrices[1499, 2], T_TRUE.matrix)
    np.testing.assert_array_equal(np.diff(sent.capture_ns), PERIOD_NS)
    assert SentLog(0).finish().matrices.shape == (0, 0, 4, 4)


def test_the_vitals_say_how_old_each_frame_was_and_what_was_dropped(room: Room) -> None:
    shared = PoseVitals.share(multiprocessing.get_context("spawn"))
    room.loop._vitals = vitals = PoseVitals(shared)
    room.step()
    room.tracker._number += 4  # four frames that never came
    sequence = room.loop.step()
    room.tracker.sees = None
    room.loop.step()
    read = vitals.read()
    assert (read.last_sequence, vitals.last_sequence) == (sequence + 1, sequence + 1)
    assert (read.frames_dropped, read.frames_repeated) == (4, 0)
    assert (read.ages_ms[0], read.ages_ms.sum()) == (2, 2)
    assert read.capture_ns == room.clock.now_ns() - 2 * PERIOD_NS
