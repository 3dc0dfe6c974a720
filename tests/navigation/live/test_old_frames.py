"""What is old is not valid: frames late, repeated, older, from the future; and drivers that queue, told by hand."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.frames import REFERENCE, STYLUS
from navigation.clock import VirtualClock
from navigation.devices.frame_order import Arrival, FrameOrder
from navigation.devices.tracker import TrackerFrame
from navigation.errors import ServiceError
from navigation.live.newest_frame import NewestFrame
from navigation.live.pose_graph import PATIENT, PoseGraph
from navigation.live.pose_loop import PoseLoop
from navigation.live.supervisor import Supervisor, SupervisorSettings
from registration.record.accepted import AcceptedRegistration
from tests.navigation.live.harness import MS, TOOLS, seen, settled
from tests.registration.shapes import T_TRUE
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.wire.envelope import Session, Validity

PERIOD_NS = 10 * MS
LAST_NS = 20 * MS  # capture time of the newest frame that `settled` has judged


def at(number: int, capture_ns: int) -> TrackerFrame:
    return TrackerFrame(number, capture_ns, {REFERENCE: seen(REFERENCE), STYLUS: seen(STYLUS)})


# ------------------------------------------------------------------------------------------------------- the supervisor


@pytest.mark.parametrize(
    ("age_ms", "validity", "reason"),
    [
        (0, Validity.VALID, ""),
        (100, Validity.VALID, ""),
        (101, Validity.STALE, "the frame is 101 ms old"),
        (250, Validity.STALE, "the frame is 250 ms old"),
        (251, Validity.LOST, "the frame is 251 ms old"),
        (6000, Validity.LOST, "the frame is 6000 ms old"),
    ],
)
def test_a_late_frame_is_stale_and_then_lost_with_its_age(age_ms: int, validity: Validity, reason: str) -> None:
    judged = settled().judge(at(3, 30 * MS), (30 + age_ms) * MS)
    assert {(each.validity, each.reason) for each in judged.values()} == {(validity, reason)}


def test_a_repeated_frame_is_not_held_still_but_ages() -> None:
    supervisor, repeated = settled(), at(2, LAST_NS)
    assert supervisor.judge(repeated, LAST_NS + 100 * MS)[STYLUS].validity is Validity.VALID
    judged = supervisor.judge(repeated, LAST_NS + 101 * MS)[STYLUS]
    assert (judged.validity, judged.reason) == (Validity.STALE, "the frame is 101 ms old")
    assert supervisor.judge(repeated, LAST_NS + 3000 * MS)[STYLUS].validity is Validity.LOST


def test_a_repeated_frame_settles_nothing() -> None:
    supervisor = Supervisor(TOOLS)
    states = [supervisor.judge(at(1, PERIOD_NS), PERIOD_NS)[STYLUS].validity for _ in range(5)]
    assert set(states) == {Validity.SUSPECT}


def test_a_repeated_frame_that_is_stamped_anew_is_a_repeated_frame() -> None:
    supervisor = settled()
    for now_ms in range(30, 120, 10):
        judged = supervisor.judge(at(2, now_ms * MS), now_ms * MS)
    assert judged[STYLUS].validity is Validity.VALID
    assert supervisor.judge(at(2, 130 * MS), 130 * MS)[STYLUS].reason == "the frame is 110 ms old"


def test_an_older_frame_is_refused_and_the_next_new_one_is_believed() -> None:
    supervisor = settled()
    judged = supervisor.judge(at(1, 10 * MS), 30 * MS)[STYLUS]
    assert (judged.validity, judged.reason) == (
        Validity.STALE,
        "the tracker delivers older frames: the last is 10 ms old",
    )
    assert supervisor.judge(at(1, 10 * MS), 300 * MS)[STYLUS].validity is Validity.LOST
    supervisor = settled()
    supervisor.judge(at(1, 10 * MS), 30 * MS)
    assert supervisor.judge(at(4, 40 * MS), 41 * MS)[STYLUS].validity is Validity.VALID


def test_a_frame_from_the_future_is_refused_and_does_not_keep_out_those_that_follow() -> None:
    supervisor = settled()
    judged = supervisor.judge(at(3, 5000 * MS), 30 * MS)[STYLUS]
    assert (judged.validity, judged.reason) == (
        Validity.STALE,
        "the tracker stamps its frames in the future: the last is 10 ms old",
    )
    assert supervisor.judge(at(4, 40 * MS), 41 * MS)[STYLUS].validity is Validity.VALID
    fresh = Supervisor(TOOLS).judge(at(1, 5000 * MS), 0)[STYLUS]
    assert (fresh.validity, fresh.reason) == (Validity.LOST, "the tracker stamps its frames in the future")


def test_a_device_that_counts_anew_after_it_was_connected_again_is_believed() -> None:
    supervisor = settled()
    supervisor.judge(at(900, 30 * MS), 30 * MS)
    assert supervisor.judge(at(1, 40 * MS), 41 * MS)[STYLUS].validity is Validity.VALID


def test_a_short_gap_costs_no_settling_and_a_long_one_does() -> None:
    supervisor = settled()
    assert supervisor.judge(None, 50 * MS)[STYLUS].validity is Validity.STALE
    assert supervisor.judge(at(5, 60 * MS), 60 * MS)[STYLUS].validity is Validity.VALID
    # A suspended machine: nobody asked meanwhile.
    states = [supervisor.judge(at(600 + n, (6060 + 10 * n) * MS), (6060 + 10 * n) * MS) for n in range(3)]
    assert [state[STYLUS].validity for state in states] == [Validity.SUSPECT, Validity.SUSPECT, Validity.VALID]


def test_what_was_not_seen_in_an_old_frame_is_lost_for_its_own_reason() -> None:
    late = TrackerFrame(3, 30 * MS, {REFERENCE: seen(REFERENCE)})
    judged = settled().judge(late, 180 * MS)
    assert (judged[STYLUS].validity, judged[STYLUS].reason) == (Validity.LOST, "not reported")
    assert judged[REFERENCE].reason == "the frame is 150 ms old"


def test_limits_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ServiceError, match="lost no earlier than stale"):
        SupervisorSettings(stale_after_ms=300.0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["new", "repeat", "older", "future", "none", "restart"]),
            st.integers(0, 400),  # how old it is when it comes, ms
            st.integers(1, 300),  # how much later, ms
        ),
        max_size=40,
    )
)
def test_whatever_a_driver_does_nothing_older_than_the_limit_is_valid(steps: list[tuple[str, int, int]]) -> None:
    supervisor = Supervisor(TOOLS, SupervisorSettings(settle_frames=1))
    now_ms, number, last = 1000, 0, None
    for kind, late_ms, later_ms in steps:
        now_ms += later_ms
        number = 1 if kind == "restart" else number + 1
        frame = {
            "repeat": last,
            "none": None,
            "older": at(number, (now_ms - 500) * MS),
            "future": at(number, (now_ms + 1000) * MS),
        }.get(kind, at(number, (now_ms - late_ms) * MS))
        judged = supervisor.judge(frame, now_ms * MS)
        if judged[STYLUS].validity is Validity.VALID:
            assert frame is not None
            newest = supervisor._order.newest
            assert newest is frame or newest.sequence == frame.sequence
            assert 0 <= now_ms * MS - newest.capture_ns <= 100 * MS
        last = frame or last


# ------------------------------------------------------------------------------------------------------ what is counted


def test_gaps_overtaken_refused_and_repeated_frames_are_counted() -> None:
    order = FrameOrder()
    came = [(1, 10), (2, 20), (5, 50), (4, 40), (5, 50), (5, 60), (6, 9000), (7, 70), (1, 80), (3, 100)]
    arrivals = [order.take(at(number, ms * MS), 100 * MS) for number, ms in came]
    new, older, again, ahead = Arrival.NEW, Arrival.OLDER, Arrival.REPEATED, Arrival.AHEAD
    assert arrivals == [new, new, new, older, again, again, ahead, new, new, new]
    # 3 and 4, then 6 (from the future), then 2 of the device that began anew; refused: 4 when it came late, and 6.
    assert (order.passed_over, order.refused, order.repeated, order.dropped) == (4, 2, 2, 6)


# ------------------------------------------------------------------------------------------- the loop, and bad drivers


class Driver:
    """Hands out what a script says: frames as (number, capture time in ms), each with the time that it takes, in ms."""

    tools = TOOLS
    rate_hz = 100.0

    def __init__(self, clock: VirtualClock, script: Iterator[tuple[int, float, float] | None]) -> None:
        self.asked = 0
        self._clock, self._script = clock, script

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def next_frame(self, timeout_ns: int) -> TrackerFrame | None:
        self.asked += 1
        came = next(self._script, None)
        if came is None:
            self._clock.advance_ns(timeout_ns)
            return None
        number, capture_ms, takes_ms = came
        self._clock.advance_ns(round(takes_ms * MS))
        return at(number, round(capture_ms * MS))


def punctual(first: int, count: int) -> list[tuple[int, float, float]]:
    """Frames that come when they are made; number n at 10 n ms."""
    return [(number, 10.0 * number, 10.0) for number in range(first, first + count)]


class Published:
    """The loop with a driver; what each batch said of the stylus."""

    def __init__(self, script: list[tuple[int, float, float] | None], start_ms: float = 0.0) -> None:
        self.clock = VirtualClock(round(start_ms * MS))
        self.driver = Driver(self.clock, iter(script))
        self.publisher = PosePublisher("tcp://127.0.0.1:*", Session(uuid.uuid4().bytes, self.clock))
        graph = PoseGraph(registration=AcceptedRegistration(T_TRUE, "r-0001", 1.0, "accept", "Dr Test"))
        self.loop = PoseLoop(self.driver, graph, Supervisor(TOOLS), self.publisher, self.clock)

    def step(self) -> tuple[Validity, str]:
        self.loop.step()
        states = {state.tool: state for state in self.loop.states}
        assert states[PATIENT].validity is states[REFERENCE].validity
        stylus = states[STYLUS]
        assert (stylus.T_to_from is not None) == (stylus.validity in (Validity.VALID, Validity.SUSPECT))
        return stylus.validity, stylus.reason


@pytest.fixture
def run() -> Iterator[Callable[..., Published]]:
    made: list[Published] = []

    def make(*arguments: object) -> Published:
        made.append(Published(*arguments))
        return made[-1]

    yield make
    for each in made:
        each.publisher.close()


@pytest.mark.parametrize(("rate_hz", "patience_ms"), [(20.0, 100), (60.0, 33), (100.0, 20), (1000.0, 20)])
def test_silence_is_told_after_two_periods_but_not_of_what_the_scheduler_does_to_a_fast_tracker(
    rate_hz: float, patience_ms: int
) -> None:
    clock = VirtualClock()
    driver = Driver(clock, iter(()))
    driver.rate_hz = rate_hz
    assert NewestFrame(driver, clock).take() is None
    assert clock.now_ns() // MS == patience_ms


def test_a_backlog_is_drained_and_the_newest_wins(run) -> None:
    # The process was stopped for 6 s; a driver that queues hands it over in order, at once.
    backlog = [(number, 10.0 * number, 0.0) for number in range(4, 604)]
    room = run([*punctual(1, 3), *backlog, *punctual(604, 5)])
    for _ in range(3):
        room.step()
    room.clock.advance_ns(6000 * MS)
    states = [room.step()[0] for _ in range(3)]
    assert states == [Validity.SUSPECT, Validity.SUSPECT, Validity.VALID]
    assert room.loop.frames_dropped == 599


def test_a_slow_backlog_is_never_valid_while_it_is_old(run) -> None:
    # Each frame of the backlog takes 4 ms to fetch: it is caught up with in 4 s, and told as lost meanwhile.
    backlog = [(number, 10.0 * number, 4.0) for number in range(4, 1010)]
    room = run([*punctual(1, 3), *backlog])
    for _ in range(3):
        room.step()
    room.clock.advance_ns(6000 * MS)
    while room.driver.asked < 1000:
        validity, reason = room.step()
        newest = room.loop._frames.order.newest
        age_ms = (room.clock.now_ns() - newest.capture_ns) / MS
        assert validity is not Validity.VALID or age_ms <= 100
        assert age_ms <= 250 or (validity, reason) == (Validity.LOST, f"the frame is {age_ms:.0f} ms old")
    assert validity is Validity.VALID


def test_a_driver_that_repeats_its_last_frame_goes_stale_then_lost_and_keeps_no_core_busy(run) -> None:
    stuck = [(3, 30.0, 0.0)] * 10_000
    room = run([*punctual(1, 3), *stuck])
    for _ in range(3):
        room.step()
    seen_states = []
    while room.clock.now_ns() < 330 * MS:
        seen_states.append(room.step())
    validities = [validity for validity, _ in seen_states]
    assert validities == sorted(validities, key=[Validity.VALID, Validity.STALE, Validity.LOST].index)
    assert {*validities} == {Validity.VALID, Validity.STALE, Validity.LOST}
    assert (Validity.STALE, "the frame is 120 ms old") in seen_states
    assert room.driver.asked < 3 + 30 * 6  # some five times a period, and not thousands of times


def test_a_repeated_frame_that_is_stamped_anew_is_sent_with_its_first_time(run) -> None:
    room = run([*punctual(1, 4), *[(4, 50.0 + 10.0 * number, 10.0) for number in range(20)]])
    for _ in range(4):
        room.step()
    capture_ns: list[int] = []
    publish = room.publisher.publish

    def noted(states, stamp_ns, *more):
        capture_ns.append(stamp_ns)
        return publish(states, stamp_ns, *more)

    room.publisher.publish = noted
    while room.clock.now_ns() < 140 * MS:
        validity, _ = room.step()
        assert (validity is Validity.VALID) == (room.clock.now_ns() <= 140 * MS)
    assert set(capture_ns) == {40 * MS}
    assert room.step() == (Validity.STALE, "the frame is 120 ms old")


def test_older_frames_are_no_poses_and_do_not_delay_the_new_one(run) -> None:
    room = run([*punctual(1, 5), (2, 20.0, 1.0), (1, 10.0, 1.0), (6, 60.0, 8.0), *punctual(7, 1)])
    states = [room.step()[0] for _ in range(7)]
    assert states[-2:] == [Validity.VALID, Validity.VALID]
    assert room.loop.frames_dropped == 2


def test_frames_from_the_future_are_no_poses(run) -> None:
    room = run([*punctual(1, 4), *[(number, 5000.0 + number, 10.0) for number in range(5, 9)], *punctual(9, 1)])
    for _ in range(4):
        room.step()
    validity, reason = room.step()
    assert validity is Validity.STALE
    assert reason == "the tracker stamps its frames in the future: the last is 20 ms old"
    while room.driver.asked < 9:
        validity, _ = room.step()
    assert validity is Validity.VALID


def test_what_is_put_aside_between_judging_and_sending_is_judged_again(run) -> None:
    room = run(punctual(1, 10))
    for _ in range(4):
        assert room.step()
    states, asleep_ms = room.loop.graph.states, [150]

    class Slow(PoseGraph):
        def states(self, frame, judgements, timelines, now_ns):
            if asleep_ms:
                room.clock.advance_ns(asleep_ms.pop() * MS)
            return states(frame, judgements, timelines, now_ns)

    room.loop.graph = Slow()
    assert room.step() == (Validity.STALE, "the frame is 150 ms old")


def test_the_newest_frame_waits_for_one_and_for_no_longer_than_two_periods(run) -> None:
    room = run([])
    frames = NewestFrame(room.driver, room.clock)
    assert frames.take() is None
    assert room.clock.now_ns() == 2 * PERIOD_NS
