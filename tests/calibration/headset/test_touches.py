"""Points that the headset shows, touched with the stylus: the pose, its error, and every mistake by its name."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.headset.errors import HeadsetRefusedError
from calibration.headset.outcome import as_result, from_result
from calibration.headset.touches import TouchSettings, align_by_touches
from calibration.result import CalibrationResult
from tests.calibration.headset.harness import (
    SHOWN_MM,
    TARGET_HEADSET_MM,
    error_mm,
    expected_p95_mm,
    touch_errors_mm,
    touches,
    truth,
)

NONE = np.zeros((6, 3))


@given(st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_touches_without_error_give_the_pose_wherever_the_devices_are(seed):
    true = truth(np.random.default_rng(seed))
    found = align_by_touches(touches(true, NONE))
    assert error_mm(found, true) < 1e-6  # mm: rounding, metres away from both origins


@pytest.mark.parametrize(("count", "depth_ratio"), [(5, 1.0), (6, 3.0)])
def test_the_expected_error_holds_though_the_hand_is_worse_in_depth_than_assumed_or_better(count, depth_ratio):
    rng, inside = np.random.default_rng(7), []
    for _ in range(30):
        true = truth(rng)
        made = touches(true, touch_errors_mm(rng, count, rng.uniform(1.0, 4.0), depth_ratio), SHOWN_MM[:count])
        found = align_by_touches(made, settings=TouchSettings(maximum_error_p95_mm=100.0))
        inside.append(error_mm(found, true) <= expected_p95_mm(found, true))
    assert np.mean(inside) >= 0.85  # 95 %, and two and a half deviations of 30 draws


def test_a_touch_that_the_others_contradict_is_left_out_and_named():
    rng = np.random.default_rng(3)
    true, errors = truth(rng), touch_errors_mm(rng, 6, 1.0, 1.0)
    errors[4] += [25.0, 0.0, 0.0]
    found = align_by_touches(touches(true, errors))
    assert list(found.used) == [True, True, True, True, False, True]
    assert any("'5'" in said for said in found.coverage)
    assert error_mm(found, true) < 3.0


def test_the_tips_own_error_is_in_the_expected_error():
    made = touches(truth(np.random.default_rng(1)), touch_errors_mm(np.random.default_rng(2), 6, 1.0, 1.0))
    bare, with_tip = align_by_touches(made), align_by_touches(made, tip_covariance_mm2=4.0 * np.eye(3))
    added = with_tip.covariance_at_mm2(bare.centre_tracker_mm) - bare.covariance_at_mm2(bare.centre_tracker_mm)
    assert np.allclose(added[0], 4.0 * np.eye(3))
    assert with_tip.degrees > bare.degrees


def refusal(made) -> str:
    with pytest.raises(HeadsetRefusedError) as caught:
        align_by_touches(made)
    return str(caught.value)


def noisy(seed: int = 5, shown_mm: np.ndarray = SHOWN_MM):
    rng = np.random.default_rng(seed)
    return touches(truth(rng), rng.normal(size=shown_mm.shape), shown_mm)


def changed(made, change):
    """The same touches with each tip changed."""
    return [dataclasses.replace(touch, tip_tracker_mm=change(touch.tip_tracker_mm)) for touch in made]


def test_a_mirrored_frame_is_called_so():
    assert "mirror image" in refusal(changed(noisy(), lambda tip: tip * [1.0, -1.0, 1.0]))


def test_touches_in_another_order_name_the_points():
    made = noisy()
    order = [0, 2, 1, 3, 4, 5]
    said = refusal([dataclasses.replace(made[i], tip_tracker_mm=made[j].tip_tracker_mm) for i, j in enumerate(order)])
    assert "'2' and '3' exchanged" in said


def test_points_that_look_the_same_in_another_order_are_refused_though_they_fit():
    equal_sides_mm = np.array([[0.0, 0.0, 500.0], [200.0, 0.0, 500.0], [100.0, 173.2, 500.0]])
    assert "look the same" in refusal(noisy(shown_mm=equal_sides_mm))


def test_points_on_a_line():
    on_a_line_mm = np.array([[float(100 * i), 5.0 * (i % 2), 500.0] for i in range(5)])
    assert "on a line" in refusal(noisy(shown_mm=on_a_line_mm))


def test_a_point_out_of_reach():
    far_mm = SHOWN_MM.copy()
    far_mm[3] += [0.0, 2500.0, 0.0]
    assert "'4' shown out of reach" in refusal(noisy(shown_mm=far_mm))


@pytest.mark.parametrize(("factor", "whose"), [(0.001, "tip are in metres"), (1000.0, "headset are in metres")])
def test_metres_for_millimetres(factor, whose):
    assert whose in refusal(changed(noisy(), lambda tip: tip * factor))


def test_an_anchor_that_changed_meanwhile():
    made = noisy()
    made[3] = dataclasses.replace(made[3], anchor="anchor-2")
    assert "'4' on, under another anchor" in refusal(made)


def test_a_world_that_moved_meanwhile_under_the_same_anchor():
    shown_mm = np.vstack([SHOWN_MM, SHOWN_MM[:2] + [40.0, 90.0, -60.0]])
    errors = np.random.default_rng(2).normal(size=(8, 3))
    errors[4:] += [25.0, -20.0, 10.0]
    said = refusal(touches(truth(np.random.default_rng(1)), errors, shown_mm))
    assert "moved meanwhile" in said
    assert "between the touches of '4' and '5'" in said


def test_too_few_and_twice_the_same():
    made = noisy()
    assert "2 touched points" in refusal(made[:2])
    assert "'1' 2 times" in refusal([*made, made[0]])


def test_touches_that_nothing_explains():
    rng = np.random.default_rng(8)
    assert "leave" in refusal(touches(truth(rng), 30.0 * rng.normal(size=(6, 3))))


def test_the_rack_keeps_it_and_gives_it_back():
    rng = np.random.default_rng(4)
    true = truth(rng)
    found = align_by_touches(touches(true, touch_errors_mm(rng, 6, 1.5, 2.0)))
    kept = as_result(found, subject="hololens", made="2026-11-27T03:00:00+00:00")
    back = from_result(CalibrationResult.model_validate_json(kept.to_json()))
    assert back.anchor == "anchor-1"
    assert error_mm(back, true) == pytest.approx(error_mm(found, true), abs=1e-6)
    target = true.inverse().apply(TARGET_HEADSET_MM)
    assert back.expected_p95_mm(target)[0] == pytest.approx(found.expected_p95_mm(target)[0], rel=1e-9)
