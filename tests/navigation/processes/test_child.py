"""A process that ends by itself is started again, told what the one before was told, and later each time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.processes.child import Child, ChildSettings
from tests.navigation.processes.children import echo, refuse

PATIENCE_S = 60.0


def poll_until(child: Child, condition: Callable[[list], object]) -> list:
    heard, deadline = [], time.monotonic() + PATIENCE_S
    while not condition(heard):
        heard += child.poll()
        assert time.monotonic() < deadline, heard
        time.sleep(0.005)
    return heard


def test_a_killed_process_is_started_again_and_told_the_same():
    child = Child(
        "echo", echo, lambda: ("hello",), MonotonicClock(), lambda: ["want 1"], ChildSettings(first_pause_s=0.1)
    )
    try:
        poll_until(child, lambda heard: ("hello", "want 1") in heard)
        killed = child.process_id
        os.kill(killed, signal.SIGKILL)
        poll_until(child, lambda heard: ("hello", "want 1") in heard)
        assert child.process_id != killed
        state = child.state
        assert (state.is_running, state.restarts, state.why) == (True, 1, "killed by signal 9")
        assert [line for line, _ in child.take_news()] == [
            "the echo has ended: killed by signal 9; it is started again in 0.1 s",
            "the echo is started again",
        ]
        assert child.take_news() == []
        child.send("fail")
        poll_until(child, lambda heard: child.state.restarts == 2)
        assert "a cable that was pulled" in child.state.why
    finally:
        child.close()


class HandClock:
    """Goes on only when it is told to."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        return self.ns


def test_pauses_double_up_to_the_longest_and_begin_anew_after_a_quiet_time():
    clock = HandClock()
    settings = ChildSettings(first_pause_s=1.0, longest_pause_s=4.0, settled_s=100.0)
    child = Child("echo", echo, lambda: ("hello",), clock, settings=settings)
    pauses = []
    try:
        for lasted_s in (1.0, 1.0, 1.0, 1.0, 100.0):
            poll_until(child, lambda heard: "hello" in heard)
            clock.ns += round(lasted_s * NS_PER_S)
            child.send("die")
            poll_until(child, lambda _: not child.state.is_running)
            assert child.process_id is None
            pauses.append(float(child.take_news()[-1][0].split(" in ")[-1].split(" s")[0]))
            clock.ns += round(pauses[-1] * NS_PER_S) - 1
            child.poll()
            assert not child.state.is_running
            clock.ns += 1
            child.poll()
            assert child.state.is_running
        assert pauses == [1.0, 2.0, 4.0, 4.0, 1.0]
    finally:
        child.close()


def test_what_cannot_run_at_all_is_an_error_at_the_start():
    child = Child("echo", refuse, tuple, MonotonicClock())
    with pytest.raises(SurgNavError, match="a port in use"):
        poll_until(child, lambda _: False)
    child.close()


def test_a_process_that_does_not_stop_is_killed():
    child = Child("echo", echo, lambda: ("hello",), MonotonicClock(), settings=ChildSettings(stop_timeout_s=0.2))
    poll_until(child, lambda heard: "hello" in heard)
    number = child.process_id
    child.send("sleep")
    child.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_what_a_process_says_at_its_end_does_not_keep_it_from_ending():
    child = Child("echo", echo, lambda: ("much",), MonotonicClock(), settings=ChildSettings(stop_timeout_s=60.0))
    poll_until(child, lambda heard: "much" in heard)
    child.close()
    assert child._process.exitcode == 0


def test_a_standby_takes_over_and_ends_with_the_child():
    settings = ChildSettings(first_pause_s=0.01, standby=True)
    child = Child("echo", echo, lambda: ("hello",), MonotonicClock(), settings=settings)
    try:
        poll_until(child, lambda heard: "hello" in heard)
        waiting = child._standby[0].pid
        child.send("die")
        poll_until(child, lambda heard: "hello" in heard)
        assert child.process_id == waiting
        last = child._standby[0].pid
        assert last != waiting
    finally:
        child.close()
    with pytest.raises(ProcessLookupError):
        os.kill(last, 0)
