"""Registrations that begin without named landmarks: from the sweep alone, and from touches in unknown order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from case.case import Case
from registration.assumptions import Assumptions
from registration.errors import PointsFileError
from registration.measurements import Measured, TouchedPoint
from registration.record.attempt import VerificationRecord
from registration.record.attempts import attempt_ids, load_attempt, record, verdict_of
from registration.record.in_force import in_force
from registration.record.point_files import read_touched, read_touched_or_unordered, write_sweep, write_unordered
from registration.register import register
from registration.uncertainty.expected_error import target_errors_mm
from registration.verdict.verdict import SKIN_ALONE
from registration.verdict.verification import verify_landmark
from tests.navigation.commands.register import harness as driven
from tests.navigation.commands.register.harness import TARGETS, TOUCH_FIVE, live, recorded, truth
from tests.registration.shapes import T_TRUE, organ, sample

# Fixtures of the other file, which this one uses too.
case = driven.case
ORGAN = organ(4)
TARGETS_MM = np.array(list(TARGETS.values()))


def sweep(count: int = 1500, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    points = sample(ORGAN, count, rng, np.array([0.2, -1.0, 0.1]))
    return T_TRUE.apply(points + 0.3 * rng.normal(size=points.shape))


def marks(count: int = 6) -> dict[str, np.ndarray]:
    return {f"m{number}": ORGAN.vertices_mm[number * 301] for number in range(1, count + 1)}


def touches(names: list[str], planned: dict[str, np.ndarray], seed: int = 0) -> tuple[TouchedPoint, ...]:
    rng = np.random.default_rng(seed)
    return tuple(TouchedPoint(T_TRUE.apply(planned[name]) + 0.3 * rng.normal(size=3), 0.1, 60) for name in names)


# ----------------------------------------------------------------------------------------------------- the sweep alone
def test_live_a_small_sweep_alone_is_found_and_refused_as_loose(case: Path) -> None:
    held, screen = live(case, "ssssss w w c a q")
    assert not held
    attempt = load_attempt(Case.open(case), "r-0001")
    assert attempt.inputs.start == "global"
    assert attempt.verdict.level == "refuse"
    assert any("the pose is loose" in reason for reason in attempt.verdict.reasons)
    assert "How it began: from the sweep alone: one pose fits" in screen
    assert "Next touch " in screen  # the landmark that would help most
    # The right pose all the same, to within what it says about itself: five deviations at every target.
    apart_mm = target_errors_mm(attempt.result.pose.transform(), truth(case).room.T_reference_ct, TARGETS_MM)
    for name, error_mm in zip(TARGETS, apart_mm, strict=True):
        assert error_mm < 5.0 * attempt.result.expected[name].rms_mm


def test_a_recorded_sweep_of_a_whole_side_is_checked_until_a_landmark_confirms_it(case: Path, tmp_path: Path) -> None:
    live(case, "q")
    write_sweep(tmp_path / "sweep.csv", sweep(2000))
    held, screen = recorded(case, touched=None, sweep=tmp_path / "sweep.csv", accept_if="accept")
    assert held
    opened = Case.open(case)
    assert in_force(opened) is None
    attempt = load_attempt(opened, "r-0001")
    assert attempt.verdict.level == "check"
    # The body's surface is skin, and all skin may have moved: the error is expected to be larger, and that is said.
    assert set(attempt.verdict.reasons) >= {
        "the pose rests on the sweep alone: no landmark and no touch of one confirms it",
        SKIN_ALONE,
    }
    assert attempt.result.fre_rms_mm is None
    assert "the sweep alone" in screen
    assert target_errors_mm(attempt.result.pose.transform(), T_TRUE, TARGETS_MM).max() < 1.5
    # A touch of a planned landmark, in bone, confirms it: then it can be accepted; a touch far off refuses it.
    # One touch tells a shift of all skin, two that it did not turn either.
    for number, off_mm, levels in ((0, 0.3, {"accept", "check"}), (3, 0.3, {"accept"}), (0, 9.0, {"refuse"})):
        pose, place = attempt.result.pose, np.array(attempt.inputs.landmarks[number].ct_mm)
        points = (place, T_TRUE.apply(place) + [off_mm, 0.0, 0.0])
        touch = verify_landmark(pose.transform(), pose.uncertainty(), "marker_1", points, attempt.used_landmarks_ct())
        record(
            opened,
            attempt,
            "verified",
            "Dr Test",
            driven.TIME,
            {"touch": VerificationRecord.of(touch).model_dump(mode="json")},
        )
        assert verdict_of(opened, attempt).level in levels


def test_the_same_sweep_gives_the_same_numbers_again(case: Path, tmp_path: Path) -> None:
    write_sweep(tmp_path / "sweep.csv", sweep(1000))
    for _ in range(2):
        recorded(case, touched=None, sweep=tmp_path / "sweep.csv")
    first, second = (load_attempt(Case.open(case), name) for name in ("r-0001", "r-0002"))
    assert first.result is not None
    assert first.result == second.result
    assert first.findings == second.findings


def test_a_symmetric_body_is_refused_with_its_reason() -> None:
    # Any half of an ellipsoid fits four times over.
    unit = organ(4)
    directions = unit.vertices_mm - unit.vertices_mm.mean(axis=0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    body = type(unit)(directions * [90.0, 65.0, 45.0], unit.triangles, "ct", "body")
    rng = np.random.default_rng(0)
    points = T_TRUE.apply(sample(body, 1500, rng, np.array([0.0, 0.3, 1.0])) + 0.3 * rng.normal(size=(1500, 3)))
    outcome = register(Measured({}, {}, points, TARGETS), body, Assumptions())
    assert outcome.T_reference_ct is None
    assert "explain the sweep about equally well" in outcome.findings.failure
    assert "touch three landmarks" in outcome.findings.failure


def test_one_or_two_landmarks_with_a_sweep_still_ask_for_three() -> None:
    planned = marks()
    touched = dict(zip(("m1", "m2"), touches(["m1", "m2"], planned), strict=True))
    outcome = register(Measured(planned, touched, sweep(), TARGETS), ORGAN, Assumptions())
    assert "at least three" in outcome.findings.failure


# -------------------------------------------------------------------------------------------------------- unknown order
def test_touches_in_unknown_order_make_what_the_named_ones_make() -> None:
    planned, order = marks(), ["m4", "m1", "m6", "m2", "m5"]
    points = touches(order, planned)
    named = register(Measured(planned, dict(zip(order, points, strict=True)), sweep(), TARGETS), ORGAN, Assumptions())
    found = register(Measured(planned, {}, sweep(), TARGETS, unordered=points), ORGAN, Assumptions())
    assert {name: order.index(name) for name in order} == {name: points.index(t) for name, t in found.paired.items()}
    np.testing.assert_allclose(found.T_reference_ct.matrix, named.T_reference_ct.matrix, atol=1e-9)
    assert found.findings.landmarks.suspects == ()
    assert "5 landmarks matched, in one way only; not touched: m3" in found.findings.beginning


def test_a_point_that_is_no_landmark_is_left_out_and_said() -> None:
    planned = marks()
    points = (*touches(["m4", "m1", "m6", "m2", "m5"], planned), touches(["m3"], {"m3": np.zeros(3)})[0])
    found = register(Measured(planned, {}, sweep(), TARGETS, unordered=points), ORGAN, Assumptions())
    assert found.unpaired == points[5:]
    assert any("touched point 6 matches no planned landmark" in said for said in found.findings.landmarks.suspects)


def test_a_symmetric_arrangement_is_refused_and_names_who_could_be_exchanged() -> None:
    corner = np.array([50.0, 0.0, 0.0])
    planned = {"top": corner, "left": corner[[1, 0, 2]], "bottom": -corner, "right": -corner[[1, 0, 2]]}
    points = touches(list(planned), planned)
    outcome = register(Measured(planned, {}, sweep(), TARGETS, unordered=points), ORGAN, Assumptions())
    assert outcome.T_reference_ct is None
    assert "'top' and 'left' and 'bottom' and 'right' could be taken for one another" in outcome.findings.failure
    assert "off the symmetry" in outcome.findings.failure
    assert outcome.unpaired == points


def test_recorded_touches_without_names_are_kept_and_go_back_in(case: Path, tmp_path: Path) -> None:
    live(case, f"{TOUCH_FIVE} w c q")
    named = read_touched(case / "registration" / "r-0001_touched.points.json")
    shuffled = tmp_path / "touched.json"
    write_unordered(shuffled, list(named.values())[::-1])
    assert json.loads(shuffled.read_text())["order"] == "unknown"
    held, screen = recorded(case, touched=shuffled, accept_if="accept")
    assert held
    assert "How it began: 5 landmarks matched, in one way only" in screen
    opened = Case.open(case)
    assert in_force(opened).registration_id == "r-0002"
    first, second = (load_attempt(opened, name) for name in attempt_ids(opened))
    assert (first.inputs.order, second.inputs.order) == ("known", "unknown")
    assert second.inputs.landmarks == first.inputs.landmarks
    assert second.inputs.unpaired_reference_mm == ()
    np.testing.assert_allclose(second.result.pose.matrix, first.result.pose.matrix, atol=1e-9)
    kept = case / "registration" / "r-0002_touched.points.json"
    assert len(read_touched_or_unordered(kept)[1]) == 5
    recorded(case, touched=kept)
    assert load_attempt(Case.open(case), "r-0003").result == second.result


def test_a_refusal_keeps_all_that_was_touched(case: Path, tmp_path: Path) -> None:
    live(case, f"{TOUCH_FIVE} w c q")
    strewn = tmp_path / "strewn.json"
    points = np.random.default_rng(0).uniform(-80.0, 80.0, (4, 3))
    write_unordered(strewn, [TouchedPoint(point, None, None) for point in points])
    held, _ = recorded(case, touched=strewn)
    assert not held
    attempt = load_attempt(Case.open(case), "r-0002")
    assert attempt.result is None
    np.testing.assert_array_equal(attempt.inputs.unpaired_reference_mm, points)
    assert not any(mark.used for mark in attempt.inputs.landmarks)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"order": "unknown"}, "named points are of"),
        ({"points": [{"position_mm": [0, 0, 0]}]}, "named points are of"),
        ({"order": "sideways"}, "order"),
        ({"order": "unknown", "points": []}, "without points"),
        ({"order": "unknown", "points": [{"position_mm": [0, 0]}]}, "position_mm"),
    ],
)
def test_files_that_contradict_themselves_are_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    document = {"frame": "reference", "units": "mm", "points": {"a": {"position_mm": [0, 0, 0]}}} | changes
    path = tmp_path / "touched.json"
    path.write_text(json.dumps(document))
    with pytest.raises(PointsFileError, match=said):
        read_touched_or_unordered(path)


def test_a_list_of_points_is_no_plan_and_no_named_touch(tmp_path: Path) -> None:
    path = tmp_path / "touched.json"
    write_unordered(path, touches(["m1", "m2", "m3"], marks()))
    with pytest.raises(PointsFileError, match="name each after its landmark"):
        read_touched(path)
