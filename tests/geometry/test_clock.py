"""Stages of a long task: shown, timed, and named even where they return nothing."""

from __future__ import annotations

import pytest

from geometry.clock import ManualClock, StageTimer


def test_each_stage_is_shown_and_timed():
    clock, shown = ManualClock(), []
    timer = StageTimer(clock, lambda stage, share: shown.append((stage, share)))
    assert timer.run("read", lambda: clock.advance_ns(1_500_000_000) or "volume") == "volume"
    timer.run("write", lambda: clock.advance_ns(250_000_000))
    assert timer.seconds == {"read": 1.5, "write": 0.25}
    assert shown == [("read", 0.0), ("read", 1.0), ("write", 0.0), ("write", 1.0)]


def test_a_stage_that_fails_has_no_duration():
    shown = []
    timer = StageTimer(ManualClock(), lambda *told: shown.append(told))
    with pytest.raises(ZeroDivisionError):
        timer.run("read", lambda: 1 // 0)
    assert (timer.seconds, shown) == ({}, [("read", 0.0)])
