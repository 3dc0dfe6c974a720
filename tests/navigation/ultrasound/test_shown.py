"""What may be on the screen: no sequence of results and silences leaves an old contour there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.ultrasound.pipeline import USABLE
from navigation.ultrasound.shown import SILENT_MS, STALE_MS, Display
from tests.navigation.ultrasound.results import MS, result


def test_before_the_first_frame_nothing_is_shown() -> None:
    shown = Display(30.0).at(5)
    assert (shown.state, shown.result, shown.age_ms) == ("starting", None, None)
    assert not shown.is_usable


@pytest.mark.parametrize(
    ("age_ms", "state"), [(0, USABLE), (100, USABLE), (101, "stale"), (250, "stale"), (251, "silent")]
)
def test_a_contour_is_shown_until_it_is_too_old(age_ms: int, state: str) -> None:
    display = Display(30.0)
    display.take(result(3, 1_000 * MS))
    shown = display.at((1_000 + age_ms) * MS)
    assert shown.state == state
    assert (str(age_ms) in shown.reason) == (state == "stale")


@pytest.mark.parametrize(("rate_hz", "stale_ms", "silent_ms"), [(60, 100, 250), (10, 200, 400), (2, 500, 500)])
def test_a_slower_source_may_be_two_periods_old(rate_hz: float, stale_ms: float, silent_ms: float) -> None:
    display = Display(rate_hz)
    assert (display.stale_ms, display.silent_ms) == (stale_ms, silent_ms)
    display.take(result(0, 0))
    assert display.at(round(stale_ms) * MS).is_usable
    assert not display.at(round(stale_ms) * MS + 1).is_usable


def test_a_state_of_the_worker_is_passed_on_with_its_reason() -> None:
    display = Display(30.0)
    display.take(result(3, 1_000 * MS, "no contact", "80 % of the columns"))
    shown = display.at(1_020 * MS)
    assert (shown.state, shown.reason, shown.is_usable) == ("no contact", "80 % of the columns", False)


def test_an_older_result_does_not_replace_a_newer_one() -> None:
    display = Display(30.0)
    display.take(result(8, 1_000 * MS))
    display.take(result(7, 990 * MS, "frozen", "late"))
    assert display.at(1_010 * MS).state == USABLE


def test_after_the_end_nothing_is_shown_even_at_once() -> None:
    display = Display(30.0)
    display.take(result(1, 1_000 * MS))
    display.end("the worker died")
    shown = display.at(1_001 * MS)
    assert (shown.state, shown.reason) == ("ended", "the worker died")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["result", "wait", "end"]),
        st.integers(0, 400),  # ms that pass
        st.integers(0, 300),  # ms that the result's frame is old
        st.sampled_from([USABLE, "black", "frozen", "unfamiliar"]),
    ),
    max_size=30,
)


@given(STEPS)
def test_no_order_of_events_shows_what_is_old_unusable_or_ended(steps: list[tuple[str, int, int, str]]) -> None:
    display, now_ns, newest, ended = Display(30.0), 10**9, None, False
    for sequence, (kind, passed_ms, old_ms, state) in enumerate(steps):
        now_ns += passed_ms * MS
        if kind == "result":
            newest = result(sequence, now_ns - old_ms * MS, state, "" if state == USABLE else "why")
            display.take(newest)
        elif kind == "end":
            ended = True
            display.end("over")
        shown = display.at(now_ns)
        young = newest is not None and newest.capture_ns is not None and now_ns - newest.capture_ns <= STALE_MS * MS
        assert shown.is_usable == (young and newest is not None and newest.state == USABLE and not ended)
        assert shown.is_usable != bool(shown.reason)


def test_the_limits_are_those_of_poses() -> None:
    from navigation.live.supervisor import SupervisorSettings

    limits = SupervisorSettings()
    assert (limits.stale_after_ms, limits.lost_after_ms) == (STALE_MS, SILENT_MS)
