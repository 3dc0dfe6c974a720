"""The parts of the event exchange: what is remembered, what is kept, what the client takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unity_bridge.control.harness import STREAM, event
from unity_bridge.client.event_link import EventLink
from unity_bridge.control.event_log import MAX_KEPT, EventLog, ServerNotice
from unity_bridge.control.event_window import MAX_ANSWERS, MAX_PENDING, EventWindow, Outcome, answer_of
from unity_bridge.errors import ForgottenEventError, TooManyRequestsError
from unity_bridge.wire.generated.constants import EventOutcome
from unity_bridge.wire.messages import ServerEvent


@given(st.lists(st.integers(1, 400), max_size=600))
def test_no_order_of_events_does_one_twice(numbers):
    """And a number is refused only if it was answered, or is older than one that was forgotten."""
    window, done = EventWindow(), []
    for number in numbers:
        try:
            known = window.find(number)
        except ForgottenEventError:
            assert number <= window.floor
            continue
        if known is None:
            done.append(number)
            window.keep(answer_of(STREAM, number, Outcome()))
    assert len(set(done)) == len(done)
    assert set(numbers) - set(done) <= set(range(window.floor + 1))


def test_a_window_forgets_the_oldest_answers_only():
    window = EventWindow()
    for number in range(1, 10_001):
        window.begin(event(number))
        window.keep(answer_of(STREAM, number, Outcome()))
    assert window.floor == 10_000 - MAX_ANSWERS
    with pytest.raises(ForgottenEventError, match=f"{window.floor + 1} or later"):
        window.find(window.floor)
    assert window.find(window.floor + 1).outcome is EventOutcome.ACCEPTED
    with pytest.raises(ForgottenEventError):
        window.find(0)


def test_pending_events_are_few_and_never_forgotten():
    window = EventWindow()
    for number in range(1, MAX_PENDING + 1):
        window.begin(event(number))
    with pytest.raises(TooManyRequestsError):
        window.begin(event(MAX_PENDING + 1))
    for number in range(1000, 2000):
        window.keep(answer_of(STREAM, number, Outcome()))
    assert window.find(1).outcome is EventOutcome.PENDING
    assert window.pending == MAX_PENDING


def test_the_log_keeps_the_newest():
    log = EventLog()
    assert (log.last, log.oldest, log.after(0, 8)) == (0, 1, ())
    for _ in range(MAX_KEPT + 100):
        log.add(ServerNotice(kind="notice"), 5)
    assert log.oldest == 101
    assert [e.number for e in log.after(0, 3)] == [101, 102, 103]
    assert [e.number for e in log.after(log.last - 2, 8)] == [log.last - 1, log.last]
    assert log.after(log.last, 8) == ()
    assert {e.oldest_kept for e in log.after(0, 3)} == {101}


def test_the_client_takes_each_event_once_and_in_order():
    link = EventLink(STREAM, retry_ns=1)
    link.join(b"session", 3)

    def take(number, oldest=1):
        return link.take_event(ServerEvent(number=number, kind="notice", happened_ns=0, oldest_kept=oldest))

    assert take(5) is None  # 4 is under way
    assert take(4).last_event == 4
    assert take(5).last_event == 5
    assert take(4).last_event == 5  # confirmed once more
    assert [e.number for e in link.take_events()] == [4, 5]
    assert take(20, oldest=20).last_event == 20
    assert link.missed == 14
    link.join(b"another", 0)
    assert take(1).last_event == 1


def test_the_client_has_few_events_under_way():
    link = EventLink(STREAM, retry_ns=10)
    for _ in range(16):
        link.add("select_target", name="x")
    with pytest.raises(TooManyRequestsError):
        link.add("select_target", name="x")
    assert [e.number for e in link.due(b"one", 100)] == list(range(1, 17))
    assert link.due(b"one", 105) == ()
    assert {e.first_session for e in link.due(b"two", 110)} == {b"one".hex()}
    link.take_answer(answer_of(STREAM, 3, None))
    link.take_answer(answer_of("another", 3, Outcome()))
    assert 3 in link.unanswered
    link.take_answer(answer_of(STREAM, 3, Outcome()))
    assert 3 not in link.unanswered
    assert link.answers[3].outcome is EventOutcome.ACCEPTED
