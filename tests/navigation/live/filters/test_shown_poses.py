"""What the pose loop publishes of filtered tools: states and ages are those of the measurement, always."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS, TRACKER
from navigation.clock import NS_PER_S, VirtualClock
from navigation.devices.driver import ToolFilter
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.live.filters.shown_poses import ShownPoses
from navigation.live.pose_graph import CalibratedTip, PoseGraph
from navigation.live.pose_loop import PoseLoop
from navigation.live.supervisor import Supervisor
from navigation.live.timeline.timelines import Timelines
from registration.record.accepted import AcceptedRegistration
from tests.navigation.live.harness import HIDDEN, MS, TOOLS
from tests.registration.shapes import T_TRUE
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

PERIOD_NS = 10 * MS
EURO = ToolFilter(kind="one_euro")
PREDICTING = ToolFilter(kind="constant_velocity", predict_ms=30.0)
BOTH = pytest.mark.parametrize("filter_", [EURO, PREDICTING], ids=["one_euro", "constant_velocity"])
COVARIANCE = np.diag([1e-6, 1e-6, 1e-6, 0.01, 0.01, 0.01])


def observed(tool: str, T_tracker_tool: Transform) -> ToolObservation:
    return ToolObservation(Visibility.VISIBLE, T_tracker_tool, 0.1, covariance=COVARIANCE)


def at(x_mm: float, tool: str = STYLUS, to: str = REFERENCE) -> Transform:
    return Transform.from_rotation(Rotation.identity(), [x_mm, 20.0, -30.0], to, tool)


class Room:
    """The pose loop with everything that it judges by; frames are written by hand, and time goes as it is told."""

    tools = TOOLS
    rate_hz = 100.0

    def __init__(self, filter_: ToolFilter | None, graph: PoseGraph | None = None) -> None:
        self.clock = VirtualClock(NS_PER_S)
        self.sent: list[list[ToolState]] = []
        self.measured: list[list[ToolState]] = []
        self.coming: TrackerFrame | None = None
        self.number = self.sent_ns = 0
        filters = {} if filter_ is None else {STYLUS: filter_}
        self.loop = PoseLoop(
            self,  # the tracker too
            graph or PoseGraph(),
            Supervisor(TOOLS),
            self,
            self.clock,
            after=lambda states, capture_ns: self.measured.append(list(states)),
            filters=filters,
        )

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        frame, self.coming = self.coming, None
        if frame is None:
            self.clock.advance_ns(timeout_ns)
        return frame

    def publish(self, tools, capture_ns: int, validity: Validity = Validity.VALID, reason: str = "") -> int:
        self.sent_ns = self.clock.now_ns()
        self.sent.append([replace(each, capture_ns=each.capture_ns or capture_ns) for each in tools])
        return len(self.sent)

    def see(
        self, T_reference_stylus: Transform | None, T_tracker_reference: Transform | None = None, late_ns: int = 0
    ) -> ToolState:
        """One frame, captured `late_ns` ago; returns what was published of the stylus."""
        self.clock.advance_ns(PERIOD_NS)
        T_tracker_reference = T_tracker_reference or Transform(np.eye(4), TRACKER, REFERENCE)
        stylus = HIDDEN
        if T_reference_stylus is not None:
            stylus = observed(STYLUS, T_tracker_reference @ T_reference_stylus)
        self.number += 1
        seen = {REFERENCE: observed(REFERENCE, T_tracker_reference), STYLUS: stylus}
        self.coming = TrackerFrame(self.number, self.clock.now_ns() - late_ns, seen)
        self.loop.step()
        return self.stylus()

    def silence(self) -> ToolState:
        self.loop.step()
        return self.stylus()

    def stylus(self) -> ToolState:
        return next(each for each in self.sent[-1] if each.tool == STYLUS)


def x_mm(state: ToolState) -> float:
    assert state.T_to_from is not None
    return float(state.T_to_from.translation_mm[0])


def moved(room: Room, mm_s: float, frames: int = 200) -> ToolState:
    for number in range(frames):
        state = room.see(at(mm_s * number * 0.01))
    return state


@pytest.mark.parametrize("filter_", [EURO, ToolFilter(kind="constant_velocity")])
def test_a_filtered_pose_has_the_measured_one_beside_it(filter_: ToolFilter) -> None:
    room, rng = Room(filter_), np.random.default_rng(3)
    places = 40.0 + rng.normal(0.0, 0.3, 400)
    states = [room.see(at(place)) for place in places][100:]
    raw = [state.filtering.raw.translation_mm[0] for state in states if state.filtering is not None]
    np.testing.assert_allclose(raw, places[100:], atol=1e-9)
    assert np.std([x_mm(state) for state in states]) < 0.7 * np.std(raw)


def test_without_a_filter_the_very_states_are_published() -> None:
    room = Room(None)
    moved(room, 100.0, 20)
    assert [each.T_to_from for each in room.sent[-1]] == [each.T_to_from for each in room.measured[-1]]
    assert all(each.filtering is None for each in room.sent[-1])


def test_it_lags_by_the_delay_that_it_states_and_a_prediction_holds_for_its_time() -> None:
    state = moved(Room(ToolFilter(kind="one_euro", per_mm_s=0.1)), 100.0)
    assert state.filtering is not None
    # The turn rests, and its delay is the longer: the formula of the paper has that of the place.
    lag_ms = 1000.0 / (2.0 * np.pi * (1.5 + 0.1 * 100.0))
    assert x_mm(state) == pytest.approx(199.0 - 100.0 * lag_ms / 1000.0, abs=0.01)
    assert state.filtering.delay_ms >= lag_ms
    predicted = moved(Room(PREDICTING), 100.0)
    assert predicted.filtering is not None
    assert predicted.filtering.ahead_ms == 30.0
    assert x_mm(predicted) == pytest.approx(199.0 + 3.0, abs=0.01)


@BOTH
def test_a_reference_that_moves_is_not_smeared_over_a_tool_that_rests_on_it(filter_: ToolFilter) -> None:
    """A camera that swings: in the camera's frame both move, relative to the patient nothing does."""
    room, resting = Room(filter_), at(50.0)
    for number in range(100):
        turn = Rotation.from_rotvec([0.0, 0.01 * number, 0.0])
        swung = Transform.from_rotation(turn, [3.0 * number, 0.0, 900.0], TRACKER, REFERENCE)
        state = room.see(resting, swung)
    assert state.T_to_from is not None
    np.testing.assert_allclose(state.T_to_from.matrix, resting.matrix, atol=1e-6)


@BOTH
def test_it_begins_anew_after_a_loss_a_gap_and_another_calibration(filter_: ToolFilter) -> None:
    room = Room(filter_)
    moved(room, 100.0, 30)
    room.see(None)
    while (state := room.see(at(-70.0))).validity is not Validity.VALID:
        assert state.filtering is None, "what is not valid is published as it was measured"
    assert x_mm(state) == pytest.approx(-70.0, abs=1e-9), "nothing of what was before the loss"
    moved(room, 100.0, 30)
    room.clock.advance_ns(150 * MS)
    while (state := room.see(at(-70.0))).validity is not Validity.VALID:
        pass
    assert x_mm(state) == pytest.approx(-70.0, abs=1e-9), "no bridge over a gap"
    moved(room, 100.0, 30)
    tip = Transform.from_rotation(Rotation.identity(), [0.0, 0.0, 150.0], STYLUS, "stylus_tip")
    room.loop.graph = PoseGraph({STYLUS: CalibratedTip(tip, 0.2)})
    state = room.see(at(29.0))
    assert state.from_frame == "stylus_tip"
    assert x_mm(state) == pytest.approx(29.0, abs=1e-9)


@BOTH
def test_guidance_and_what_is_placed_beside_the_tools_take_every_pose_as_it_was_measured(filter_: ToolFilter) -> None:
    room = Room(filter_)
    moved(room, 200.0, 50)
    measured = next(each for each in room.measured[-1] if each.tool == STYLUS)
    assert measured.filtering is None
    assert x_mm(measured) == pytest.approx(98.0, abs=1e-9)
    assert abs(x_mm(room.stylus()) - x_mm(measured)) > 0.3, "what is shown differs"


def registered() -> PoseGraph:
    class Known:
        def at(self, place_mm: object) -> np.ndarray:
            return 0.01 * np.eye(3)

    registration = AcceptedRegistration(T_TRUE, "r-0001", 1.0, "accept", "Dr Test", uncertainty=Known())
    tip = Transform.from_rotation(Rotation.identity(), [0.0, 0.0, 150.0], STYLUS, "stylus_tip")
    return PoseGraph({STYLUS: CalibratedTip(tip, 0.2)}, registration)


def test_the_error_of_a_pose_that_lags_has_the_lag_in_it() -> None:
    """Delay and age go the same way: at 100 mm/s the ellipsoid reaches as far as both together, along the motion."""
    plain, slow = Room(None, registered()), Room(ToolFilter(kind="one_euro", per_mm_s=0.1), registered())
    for room in (plain, slow):
        for number in range(200):
            state = room.see(at(100.0 * number * 0.01), late_ns=20 * MS)
    before_mm2 = plain.stylus().covariance_mm2
    assert before_mm2 is not None
    assert state.covariance_mm2 is not None
    added_mm2 = state.covariance_mm2 - before_mm2
    late_mm, moved_mm = 100.0 / (2.0 * np.pi * (1.5 + 10.0)), 100.0 * 0.020
    assert added_mm2[0, 0] == pytest.approx(0.65 * ((late_mm + moved_mm) ** 2 - moved_mm**2), rel=0.02)
    assert np.abs(added_mm2[1:, 1:]).max() < 1e-6


class Served(RuleBasedStateMachine):
    """A room with a filter that predicts, beside the same room without one, through whatever happens to both."""

    def __init__(self) -> None:
        super().__init__()
        self.rooms = Room(None), Room(ToolFilter(kind="constant_velocity", predict_ms=80.0))
        self.x_mm = 0.0

    def both(self, do) -> None:
        for room in self.rooms:
            do(room)

    @rule(step_mm=st.floats(-5.0, 5.0), late_ms=st.sampled_from([0, 5, 40, 90, 120, 260]), times=st.integers(1, 6))
    def moves(self, step_mm: float, late_ms: int, times: int) -> None:
        for _ in range(times):
            self.x_mm += step_mm
            self.both(lambda room: room.see(at(self.x_mm), late_ns=late_ms * MS))

    @rule()
    def hides(self) -> None:
        self.both(lambda room: room.see(None))

    @rule(times=st.integers(1, 16))
    def is_silent(self, times: int) -> None:
        for _ in range(times):
            self.both(Room.silence)

    @rule(ms=st.integers(1, 400))
    def hangs(self, ms: int) -> None:
        self.both(lambda room: room.clock.advance_ns(ms * MS))

    @rule()
    def is_repeated(self) -> None:
        """The tracker gives its last frame again: that is no news."""

        def again(room: Room) -> None:
            room.coming = room.loop._frames.order.newest
            room.loop.step()

        self.both(again)

    @invariant()
    def the_prediction_makes_nothing_younger_nor_better(self) -> None:
        plain, predicting = self.rooms
        if not plain.sent:
            return
        for ours, theirs in zip(predicting.sent[-1], plain.sent[-1], strict=True):
            assert (ours.validity, ours.reason, ours.capture_ns) == (theirs.validity, theirs.reason, theirs.capture_ns)
            if ours.filtering is None:
                assert (ours.T_to_from is None) == (theirs.T_to_from is None)
                continue
            assert ours.validity is Validity.VALID
            assert ours.capture_ns is not None
            assert predicting.sent_ns - ours.capture_ns <= 100 * MS, "as old as its measurement when it was sent"
            assert ours.filtering.ahead_ms <= 80.0
            assert theirs.T_to_from is not None
            np.testing.assert_array_equal(ours.filtering.raw.matrix, theirs.T_to_from.matrix)
            # From what it saw at most: 5 mm in 10 ms, for 80 ms, and what the filter takes a moment to notice.
            assert ours.T_to_from is not None
            assert np.linalg.norm(ours.T_to_from.translation_mm - theirs.T_to_from.translation_mm) < 120.0


TestServed = Served.TestCase
TestServed.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_what_it_publishes_follows_from_what_came_to_the_last_bit() -> None:
    rng = np.random.default_rng(5)
    places = np.cumsum(rng.normal(0.0, 1.0, 300))

    def played() -> list[bytes]:
        room = Room(PREDICTING, registered())
        states = [room.see(None if number % 97 == 96 else at(place)) for number, place in enumerate(places)]
        return [b"" if each.T_to_from is None else each.T_to_from.matrix.tobytes() for each in states]

    assert played() == played()


def test_time_that_went_back_begins_anew() -> None:
    shown = ShownPoses({STYLUS: PREDICTING})
    states = [
        ToolState(tool=STYLUS, to_frame=REFERENCE, from_frame=STYLUS, validity=Validity.VALID, T_to_from=at(x))
        for x in (0.0, 1.0, 40.0)
    ]
    graph, lines = PoseGraph(), Timelines()
    for state, ns in zip(states, (10 * MS, 20 * MS, 15 * MS), strict=True):
        (found,) = shown.of([state], graph, lines, ns, ns)
    assert x_mm(found) == 40.0
