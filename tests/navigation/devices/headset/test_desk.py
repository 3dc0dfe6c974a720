"""The desk of headsets: replays, clocks that were set back, and two programs under one name; no sockets, no threads."""

from dataclasses import replace

import pytest

from navigation.devices.headset.desk import TAKEN_FOR_NS, ObservationDesk
from tests.navigation.devices.headset.harness import NAME, device
from tests.navigation.devices.headset.player import pose
from unity_bridge.client.observation_link import seen, unseen
from unity_bridge.control.event_handler import Sender
from unity_bridge.errors import InvalidPoseError, ObservationsRefusedError
from unity_bridge.wire.messages import ToolObservations

NOW_NS = 10_000_000_000
SENDER = Sender(NAME, "")
FIRST = ToolObservations(
    frame="headset",
    anchor="place-1",
    number=5,
    seen_ns=NOW_NS,
    clock_error_ns=0,
    tools=(seen("Stylus", pose("stylus", 2)), unseen("Reference", "covered")),
)


class Desk:
    """A desk, and what left it."""

    def __init__(self) -> None:
        self.delivered: list[tuple[str, ToolObservations]] = []
        self.gone: list[tuple[str, str]] = []
        self.desk = ObservationDesk(
            lambda name, message: self.delivered.append((name, message)),
            lambda name, reason: self.gone.append((name, reason)),
        )
        self.desk.expect(NAME, device(5572))

    def take(self, stream: str = "run-1", now_ns: int = NOW_NS, **changes: object) -> None:
        self.desk.take(replace(FIRST, **changes), SENDER, stream, now_ns)


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.take()
    return desk


def test_what_is_accepted_is_delivered_to_its_device(desk):
    assert desk.delivered == [(NAME, FIRST)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "image 5 after image 5"),
        ({"number": 4, "seen_ns": NOW_NS + 1}, "image 4 after image 5"),
        ({"number": 6}, "seen 0.0 ms before the one before it"),
        ({"number": 6, "seen_ns": NOW_NS - 3_000_000_000}, "seen 3000.0 ms before the one before it"),
        ({"number": 6, "seen_ns": NOW_NS + 2_000_000_000}, "seen 1000.0 ms from now"),
    ],
)
def test_replays_and_clocks_that_jump_are_refused(desk, changes, said):
    with pytest.raises(ObservationsRefusedError) as refusal:
        desk.take(now_ns=NOW_NS + 1_000_000_000, **changes)
    assert said in str(refusal.value)
    assert len(desk.delivered) == 1


def test_after_a_clock_was_set_back_it_goes_on_as_soon_as_the_times_are_right_again(desk):
    with pytest.raises(ObservationsRefusedError):
        desk.take(number=6, seen_ns=NOW_NS - 1, now_ns=NOW_NS + 1)
    desk.take(number=7, seen_ns=NOW_NS + 2, now_ns=NOW_NS + 2)
    assert len(desk.delivered) == 2


def test_times_may_go_back_by_what_the_comparisons_of_the_clocks_left_open(desk):
    desk.take(number=6, seen_ns=NOW_NS + 10, clock_error_ns=4, now_ns=NOW_NS + 10)
    desk.take(number=7, seen_ns=NOW_NS + 3, clock_error_ns=4, now_ns=NOW_NS + 10)
    with pytest.raises(ObservationsRefusedError, match="before the one before it"):
        desk.take(number=8, seen_ns=NOW_NS - 5, clock_error_ns=4, now_ns=NOW_NS + 10)


def test_what_is_refused_leaves_no_trace(desk):
    with pytest.raises(InvalidPoseError):
        desk.take(number=9, seen_ns=NOW_NS + 9, now_ns=NOW_NS + 9, tools=(replace(FIRST.tools[0], position_m=None),))
    desk.take(number=6, seen_ns=NOW_NS + 1, now_ns=NOW_NS + 9)


def test_another_program_takes_the_name_only_of_one_that_is_gone(desk):
    with pytest.raises(ObservationsRefusedError, match="a second program"):
        desk.take(stream="run-2", now_ns=NOW_NS + TAKEN_FOR_NS - 1, number=6, seen_ns=NOW_NS + 1)
    desk.take(stream="run-2", now_ns=NOW_NS + TAKEN_FOR_NS, number=1, seen_ns=NOW_NS + 1)
    with pytest.raises(ObservationsRefusedError, match="a second program"):
        desk.take(stream="run-1", now_ns=NOW_NS + TAKEN_FOR_NS, number=6, seen_ns=NOW_NS + 2)


def test_only_the_goodbye_of_the_headset_itself_counts(desk):
    desk.desk.left(SENDER, "run-2", "bye")
    assert desk.gone == []
    desk.desk.left(SENDER, "run-1", "bye")
    assert desk.gone == [(NAME, "bye")]
    desk.take(stream="run-2", number=1)


def test_the_view_nearest_to_a_time_is_found_if_it_is_near_enough(desk):
    desk.take(number=6, seen_ns=NOW_NS + 100, now_ns=NOW_NS + 100)
    assert desk.desk.near(NAME, NOW_NS + 40, 50).number == 5
    assert desk.desk.near(NAME, NOW_NS + 70, 50).number == 6
    assert desk.desk.near(NAME, NOW_NS + 151, 50) is None
    assert desk.desk.near("another", NOW_NS, 50) is None
