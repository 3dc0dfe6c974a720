"""What the screen tells a person to do next."""

from __future__ import annotations

import numpy as np
import pytest

from case.case import Case
from registration.measurements import Measured, TouchedPoint
from registration.record.advice import advise
from registration.record.attempts import keep_attempt, verdict_of
from registration.register import register
from registration.verdict.verdict import Verdict
from tests.registration.record.harness import ASSUMED, BY, MARKS, ORGAN, TARGETS, case, sweep, touched

__all__ = ["case"]


def advice(case: Case, measured: Measured, verdict: Verdict | None = None) -> str:
    attempt = keep_attempt(case, measured, register(measured, ORGAN, ASSUMED), ASSUMED, BY)
    return "; ".join(advise(attempt, verdict or verdict_of(case, attempt), MARKS))


def test_a_good_registration_is_to_be_verified_and_then_accepted(case: Case) -> None:
    good = Measured(MARKS, touched(), sweep(), TARGETS)
    again = "touch m1 again (v): it shows whether the reference crept or was bumped meanwhile"
    assert advice(case, good) == f"verify with a touch at m7, which was not used; {again}"
    assert advice(case, good, Verdict("accept")) == f"{again}; accept it"
    kept = keep_attempt(case, good, register(good, ORGAN, ASSUMED), ASSUMED, BY)
    assert advise(kept, Verdict("accept"), MARKS, repeated=True) == ("accept it",)
    assert "knowing the reasons" in advice(case, good, Verdict("check", ("no targets",)))


def test_what_is_missing_is_asked_for(case: Case) -> None:
    said = advice(case, Measured(MARKS, touched()))
    assert "sweep the surface" in said
    assert "plan targets" in said
    everything = {name: TouchedPoint(point, 0.1, 60) for name, point in MARKS.items()}
    assert "verify with a touch anywhere on the surface" in advice(case, Measured(MARKS, everything))


def test_the_spot_to_touch_next_is_told_where_it_helps(case: Case) -> None:
    few = dict(list(touched().items())[:3])
    measured = Measured(MARKS, few, np.empty((0, 3)), {"far": np.array([140.0, -100.0, 380.0])})
    kept = keep_attempt(case, measured, register(measured, ORGAN, ASSUMED), ASSUMED, BY)
    spot = kept.result.next_touch
    assert spot.p95_then_mm < 0.8 * spot.p95_now_mm
    said = "; ".join(advise(kept, verdict_of(case, kept), MARKS))
    assert f"{spot.words}: the expected 95 % error at 'far' would fall from" in said
    markups = case.read_markups("r-0001_next_touch")
    np.testing.assert_allclose(markups.points_ct_mm["next_touch"], spot.point_ct_mm, atol=1e-6)
    assert "spot" not in advice(case, Measured(MARKS, touched(), sweep(), TARGETS), Verdict("accept"))


@pytest.mark.parametrize("wrong", ["m2", "m5"])
def test_the_wrong_landmark_is_named_and_what_is_refused_is_not_to_be_verified(case: Case, wrong: str) -> None:
    off = touched()
    off[wrong] = TouchedPoint(off[wrong].point_reference_mm + [0.0, 7.0, 0.0], 0.1, 60)
    said = advice(case, Measured(MARKS, off, sweep(), TARGETS), Verdict("refuse", ("residuals",)))
    assert wrong in said
    assert "cannot be accepted" in said
    assert "verify" not in said


def test_a_failure_says_to_do_what_it_says(case: Case) -> None:
    one = {"m1": TouchedPoint(np.zeros(3), 0.1, 60)}
    assert "do what it says" in advice(case, Measured(MARKS, one))
