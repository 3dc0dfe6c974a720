"""A headset that slept, moved its anchor or drifted: noticed, and its calibration not used until it is settled."""

import numpy as np
import pytest

from calibration.headset.touches import align_by_touches
from calibration.headset.watch import HeadsetWatch, Holds
from tests.calibration.headset.harness import SHOWN_MM, touch_errors_mm, touches, truth

TRUE = truth(np.random.default_rng(1))
FOUND = align_by_touches(touches(TRUE, touch_errors_mm(np.random.default_rng(2), 6, 1.0, 1.0)))


def heard(*times_s: float, anchor: str = "anchor-1") -> HeadsetWatch:
    watch = HeadsetWatch(FOUND)
    for time_s in times_s:
        watch.hear(anchor, time_s)
    return watch


def test_it_holds_while_the_headset_is_heard_and_not_before():
    assert HeadsetWatch(FOUND).verdict.holds is Holds.DOUBTFUL
    assert heard(0.0, 0.03, 0.06).verdict.holds is Holds.YES


def test_another_anchor_ends_it_for_good():
    watch = heard(0.0, 0.03)
    assert watch.hear("anchor-2", 0.06).holds is Holds.NO
    assert watch.hear("anchor-1", 0.09).holds is Holds.NO
    assert "calibrate" in watch.verdict.action


def test_a_headset_that_was_silent_may_have_slept():
    watch = heard(0.0, 0.03, 60.0)
    assert watch.verdict.holds is Holds.DOUBTFUL
    assert "silent for 60.0 s" in watch.verdict.reason
    assert watch.hear("anchor-1", 60.03).holds is Holds.DOUBTFUL  # that it talks again settles nothing


def test_silence_itself_is_noticed_without_a_message():
    watch = heard(0.0)
    assert watch.age(1.0).holds is Holds.YES
    assert watch.age(10.0).holds is Holds.DOUBTFUL
    assert watch.hear("anchor-1", 10.1).holds is Holds.DOUBTFUL


def test_times_that_go_back_are_another_headset():
    assert heard(5.0, 4.0).verdict.holds is Holds.NO


def test_a_known_point_settles_a_doubt_or_ends_the_calibration():
    at_mm = SHOWN_MM[4] + [30.0, 0.0, 0.0]
    tip_mm = TRUE.inverse().apply(at_mm)
    watch = heard(0.0, 60.0)
    assert watch.check(at_mm, tip_mm, "anchor-1").verdict.holds is Holds.YES
    moved = watch.check(at_mm + [0.0, 25.0, 0.0], tip_mm, "anchor-1")
    assert moved.verdict.holds is Holds.NO
    assert moved.away_mm == pytest.approx(25.0, abs=3.0)
    assert "mm off" in moved.line
    assert "calibrate" in moved.line


def test_a_point_that_fits_under_another_anchor_settles_nothing():
    at_mm = SHOWN_MM[4]
    check = heard(0.0).check(at_mm, TRUE.inverse().apply(at_mm), "anchor-2")
    assert check.verdict.holds is Holds.NO


def test_a_tip_that_is_no_number_ends_it():
    assert heard(0.0).check(SHOWN_MM[0], np.full(3, 1e9), "anchor-1").verdict.holds is Holds.NO
