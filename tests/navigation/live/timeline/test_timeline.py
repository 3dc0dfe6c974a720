"""One tool's timeline: between what was seen there are poses, beyond it none; whatever order things come in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS, TRACKER
from navigation.devices.tracker import ToolObservation, Visibility
from navigation.live.timeline.timeline import KEPT_NS, LONGEST_GAP_NS, MAX_AHEAD_NS, MOST_KEPT, Timeline
from tests.navigation.live.harness import HIDDEN, MS, seen

LATER = 10_000 * MS


def x_mm(observation: ToolObservation) -> float:
    assert observation.T_tracker_tool is not None, observation.why
    return float(observation.T_tracker_tool.translation_mm[0])


def line(*seen_at: tuple[float, ToolObservation]) -> Timeline:
    """Observations at times in ms."""
    made = Timeline()
    for ms, observation in seen_at:
        made.note(observation, round(ms * MS), LATER)
    return made


def at(timeline: Timeline, ms: float) -> ToolObservation:
    return timeline.at(round(ms * MS))


def test_between_two_observations_by_hand() -> None:
    """0 mm at 10 ms, 8 mm at 30 ms: 2 mm at 15 ms; no more error than the worse of the two, and no less."""
    first = replace(seen(STYLUS, 0.0, 0.1), covariance=np.eye(6))
    second = replace(seen(STYLUS, 8.0, 0.3), covariance=5.0 * np.eye(6))
    found = at(line((10, first), (30, second)), 15)
    assert x_mm(found) == pytest.approx(2.0)
    assert (found.fit_rms_mm, found.capture_ns) == (0.3, 15 * MS)
    np.testing.assert_allclose(found.covariance, 2.0 * np.eye(6))


def test_at_the_time_of_an_observation_it_is_that_observation() -> None:
    first, second = seen(STYLUS, 1.0), seen(STYLUS, 2.0)
    made = line((10, first), (20, second))
    assert at(made, 10) is first
    assert at(made, 20) is second
    assert made.newest is second


@pytest.mark.parametrize(
    ("ms", "why"),
    [
        (9.9, "not seen yet, or too long ago"),
        (35, "occluded"),
        (30, "occluded"),
        (45, "occluded"),
        (100, "not seen for 101 ms around that time"),
        (152, "last seen 1 ms before"),
    ],
)
def test_where_there_is_no_pose_it_says_why(ms: float, why: str) -> None:
    made = line((10, seen(STYLUS)), (20, seen(STYLUS)), (30, HIDDEN), (50, seen(STYLUS)), (151, seen(STYLUS)))
    found = at(made, ms)
    assert (found.T_tracker_tool, found.why) == (None, why)


def test_nothing_was_seen_yet() -> None:
    assert (Timeline().newest_ns, Timeline().at(0).why) == (None, "not seen yet")


def test_what_turned_by_more_than_a_quarter_has_no_pose_in_between() -> None:
    turned = Transform.from_rotation(Rotation.from_euler("z", 100, degrees=True), [0, 0, 0], TRACKER, STYLUS)
    made = line((10, seen(STYLUS)), (20, ToolObservation(Visibility.VISIBLE, turned, 0.1)))
    assert at(made, 15).why == "turned too far between two observations"


def test_what_comes_late_is_put_in_its_place_and_what_comes_again_does_not_count() -> None:
    made = line((10, seen(STYLUS, 0.0)), (30, seen(STYLUS, 8.0)))
    assert x_mm(at(made, 20)) == pytest.approx(4.0)
    assert made.note(seen(STYLUS, 7.0), 20 * MS, LATER)
    assert x_mm(at(made, 20)) == 7.0
    assert not made.note(seen(STYLUS, 99.0), 20 * MS, LATER), "of two of one time the first counts"
    assert not made.note(seen(STYLUS, 99.0), 30 * MS, LATER)
    assert not made.note(seen(STYLUS, 99.0), 9 * MS, LATER), "older than all that is kept"
    assert (made.refused, len(made)) == (3, 3)
    assert x_mm(at(made, 25)) == pytest.approx(7.5)


def test_a_stamp_of_the_future_does_not_make_all_later_ones_old() -> None:
    made = Timeline()
    made.note(seen(STYLUS, 1.0), 10 * MS, 10 * MS)
    assert not made.note(seen(STYLUS, 2.0), 20 * MS + MAX_AHEAD_NS, 15 * MS)
    assert made.note(seen(STYLUS, 3.0), 20 * MS, 20 * MS)
    assert (made.newest_ns, made.refused) == (20 * MS, 1)


def test_a_clock_that_is_set_back_adds_nothing_until_it_has_caught_up() -> None:
    made = line(*[(ms, seen(STYLUS, float(ms))) for ms in range(1000, 2000, 10)])
    before = made.newest_ns
    assert not made.note(seen(STYLUS, -1.0), 1000 * MS, LATER)
    assert (made.newest_ns, made.refused) == (before, 1)
    assert made.note(seen(STYLUS, 5.0), 2000 * MS, LATER)


def test_of_a_tool_seen_from_the_reference_the_place_there_lies_between_whatever_the_reference_did() -> None:
    """0 and 10 mm from the reference, which jumps 500 mm meanwhile: 5 mm from it in the middle."""
    ends = []
    for ms, reference_mm, tool_mm in ((10, 0.0, 0.0), (20, 500.0, 10.0)):
        placed = seen(REFERENCE, reference_mm).T_tracker_tool
        ends.append((ms, replace(seen(STYLUS, reference_mm + tool_mm), T_tracker_reference=placed)))
    found = at(line(*ends), 15)
    assert x_mm(found) - found.T_tracker_reference.translation_mm[0] == pytest.approx(5.0)


@given(st.permutations(list(range(12))), st.floats(0.0, 110.0))
def test_in_whatever_order_observations_come_the_pose_is_the_same(order: list[int], ms: float) -> None:
    """Of a motion that is not straight, so that neighbours matter; the oldest comes first, since none may be older."""
    observations = [(10.0 * n, seen(STYLUS, float(n * n))) for n in range(12)]
    mixed = [observations[0], *[observations[n] for n in order if n]]
    found, expected = at(line(*mixed), ms), at(line(*observations), ms)
    assert x_mm(found) == x_mm(expected)
    whole = int(ms // 10)
    assert min(whole**2, (whole + 1) ** 2) - 1e-9 <= x_mm(found) <= (whole + 1) ** 2 + 1e-9


STEPS = st.lists(st.tuples(st.integers(-300, 300), st.booleans(), st.integers(-50, 250)), min_size=1, max_size=120)


@given(STEPS, st.integers(-400, 400))
def test_a_pose_is_only_given_where_both_neighbours_were_seen_and_near(
    steps: list[tuple[int, bool, int]], back: int
) -> None:
    """Whatever comes: stamps that jump, repeat and lie in the future, and tools that are hidden at times."""
    made, now, taken = Timeline(), 1000, {}
    for stamp, visible, passed in steps:
        now += max(0, passed)
        ms = now + stamp
        if made.note(seen(STYLUS, float(ms)) if visible else HIDDEN, ms * MS, now * MS):
            assert ms * MS - now * MS <= MAX_AHEAD_NS
            taken[ms] = visible
        assert len(made) <= MOST_KEPT
    if made.newest_ns is None:
        return
    asked_ns = made.newest_ns + back * MS
    found = made.at(asked_ns)
    if found.T_tracker_tool is None:
        assert found.why
        return
    before = max(ms for ms in taken if ms * MS <= asked_ns)
    after = min(ms for ms in taken if ms * MS >= asked_ns)
    assert taken[before]
    assert taken[after]
    assert (after - before) * MS <= LONGEST_GAP_NS
    assert made.newest_ns - asked_ns <= KEPT_NS
    assert x_mm(found) == pytest.approx(asked_ns / MS)


def test_it_keeps_half_a_second_and_no_more_than_it_may() -> None:
    made = line(*[(ms, seen(STYLUS)) for ms in range(0, 2000, 10)])
    assert len(made) == KEPT_NS // (10 * MS) + 1
    fast = Timeline()
    for number in range(5000):
        fast.note(seen(STYLUS), number * MS // 10, LATER)
    assert len(fast) == MOST_KEPT
