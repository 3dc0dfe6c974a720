"""What a landmark is, where that is said, and what a touch of it is therefore worth."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from case.case import Case
from case.manifest import Signature
from case.markups import write_markups
from geometry import Surface
from navigation.commands.register.screens import show_attempt
from registration.distance.closest_point import ExactDistance
from registration.errors import RegisteringError, VerificationRefusedError
from registration.landmarks.kinds import kinds_of
from registration.measurements import Measured
from registration.record.accepted import UNKNOWN, Evidence, Instrument, Instruments
from registration.record.attempt import Attempt
from registration.record.attempts import expected_now, keep_attempt, load_attempt, verdict_of
from registration.record.in_force import in_force, put_in_force
from registration.record.landmark_kinds import kind_in, said_in
from registration.record.verify import record_verification, verify_again, verify_planned, weight_of
from registration.register import register
from registration.verdict.verdict import SKIN_ALONE
from tests.registration.record.harness import ASSUMED, BY, MADE_BY, MARKS, ORGAN, TARGETS, TIME, sweep, touched
from tests.registration.shapes import T_TRUE

SKIN = Surface(ORGAN.vertices_mm, ORGAN.triangles, "ct", "skin")
LATER = "2026-01-02T09:00:00+00:00"
BONE = {"process": ORGAN.vertices_mm.mean(axis=0) + [10.0, 5.0, -20.0]}
KINDS = dict.fromkeys(MARKS, "skin_marker") | {"process": "bone"}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    with Case.create(tmp_path / "case", "organ", TIME) as case:
        case.add_surface(SKIN, MADE_BY, made_from=())
        case.add_markups("landmarks", {**MARKS, **BONE}, MADE_BY, made_from=())
        case.add_markups("targets", TARGETS, MADE_BY, made_from=(), kind="plan")
    return case


def kept(case: Case) -> Attempt:
    measured = Measured({**MARKS, **BONE}, touched(), sweep(), TARGETS, 0.15, kinds=KINDS)
    outcome = register(measured, SKIN, ASSUMED)
    return keep_attempt(case, measured, outcome, ASSUMED, replace(BY, surface="surfaces/skin.glb"))


def test_on_skin_alone_nothing_is_accepted_and_bone_decides(case: Case) -> None:
    attempt = kept(case)
    assert attempt.verdict.level == "check"
    assert SKIN_ALONE in attempt.verdict.reasons
    assert any("all skin together may have moved 1.5 mm" in words for words in attempt.findings.assumes)
    assert any("6 landmarks stuck on the skin" in words for words in attempt.findings.assumes)
    before = expected_now(attempt, ())
    for name, level in (("m7", "check"), ("process", "accept")):
        place = {**MARKS, **BONE}[name]
        found = verify_planned(attempt, name, place, T_TRUE.apply(place) + [0.2, 0.0, 0.1], ASSUMED)
        assert found.on_skin == (name == "m7")
        record_verification(case, attempt, found, Signature("Dr Test", TIME), Instruments())
        assert verdict_of(case, attempt).level == level, verdict_of(case, attempt).reasons
    accepted = put_in_force(case, attempt, "Dr Test", TIME, consent=False)
    # What the headset is told is what is expected now, the touches taken in.
    assert accepted.expected_error_mm < max(before.values())
    assert in_force(Case.open(case.root)).expected_error_mm == accepted.expected_error_mm


def test_a_touch_with_a_reference_that_is_known_is_evidence_for_what_was_measured_with_who_knows_what(
    case: Case,
) -> None:
    attempt, place = kept(case), BONE["process"]
    put_in_force(case, attempt, "Dr Test", TIME, consent=True)
    assert in_force(case).evidence == Evidence(TIME, UNKNOWN)
    found = verify_planned(attempt, "process", place, T_TRUE.apply(place), ASSUMED)
    record_verification(case, attempt, found, Signature("Dr Test", LATER), UNKNOWN)
    assert in_force(Case.open(case.root)).evidence == Evidence(TIME, UNKNOWN)
    known = Instruments(Instrument("reference", "camera (ndi)", "ab"), Instrument("s", "c", "d", (1.0, 2.0, 3.0), 0.25))
    record_verification(case, attempt, found, Signature("Dr Test", LATER), known)
    assert in_force(Case.open(case.root)).evidence == Evidence(LATER, known)


def test_a_touch_says_what_it_can_tell(case: Case) -> None:
    attempt = kept(case)
    skin = verify_planned(attempt, "m7", MARKS["m7"], T_TRUE.apply(MARKS["m7"]), ASSUMED)
    bone = verify_planned(attempt, "process", BONE["process"], T_TRUE.apply(BONE["process"]), ASSUMED)
    again = verify_again(attempt, "m1", touched()["m1"].point_reference_mm + [4.0, 0.0, 0.0], ASSUMED)
    assert "cannot tell whether all skin moved" in weight_of(skin, True)
    assert weight_of(bone, True) == "independent of the skin"
    assert "whether the reference moved" in weight_of(again, True)
    assert again.distance_mm == pytest.approx(4.0)
    assert not again.consistent
    screen = Console(file=StringIO(), width=80)
    show_attempt(attempt, attempt.verdict, [skin, bone, again], (), screen)
    said = " ".join(screen.file.getvalue().replace("│", "").split())
    for words in ("Assumed:", "independent of the skin", "with what the touches found", "from its first touch"):
        assert words in said
    with pytest.raises(VerificationRefusedError):
        verify_planned(attempt, "m1", MARKS["m1"], T_TRUE.apply(MARKS["m1"]), ASSUMED)
    with pytest.raises(RegisteringError, match="not touched before"):
        verify_again(attempt, "m7", np.zeros(3), ASSUMED)


def test_the_record_says_what_each_landmark_was_taken_for_and_a_record_of_version_1_is_read(case: Case) -> None:
    attempt = load_attempt(case, kept(case).id)
    assert {mark.name: mark.kind for mark in attempt.inputs.landmarks} == KINDS
    document = attempt.to_json()
    assert document["schema_version"] == 3
    document["schema_version"] = 1
    del document["result"]["pose"]["joint"]
    for mark in document["inputs"]["landmarks"]:
        del mark["kind"]
    for name in ("assumes", "rests_on_skin", "doubts", "narrow", "scale_excess", "scale_words"):
        del document["findings"][name]
    old = Attempt.model_validate_json(json.dumps(document))
    assert old.result.pose.uncertainty().joint[6:].max() == 0.0
    assert not old.findings.rests_on_skin


def test_kinds_are_said_in_the_plan_or_told_by_the_place(tmp_path: Path) -> None:
    markups = tmp_path / "l.mrk.json"
    points = {"a": np.zeros(3), "b": np.ones(3)}
    write_markups(markups, "l", points, {"a": "kind: skin_marker; a ball of 6 mm", "b": "left of the navel"})
    assert said_in(markups) == {"a": "skin_marker"}
    plain = tmp_path / "l.json"
    plain.write_text(json.dumps({"points": {"a": {"position_mm": [0, 0, 0], "kind": "bone"}, "b": {}}}))
    assert said_in(plain) == {"a": "bone"}
    with pytest.raises(RegisteringError, match="kind 'screw'"):
        kind_in("kind: screw", "a")
    field = ExactDistance(SKIN)
    places = {"on": SKIN.vertices_mm[0], "deep": SKIN.vertices_mm.mean(axis=0), "said": SKIN.vertices_mm[1]}
    assert kinds_of(places, {"said": "skin_marker"}, field, swept_skin=True) == {
        "on": "bare_skin",
        "deep": "bone",
        "said": "skin_marker",
    }
    assert set(kinds_of(places, {}, field, swept_skin=False).values()) == {"bone"}
    assert kinds_of({}, {}, field, swept_skin=True) == {}


def test_what_lies_within_a_vertebra_may_be_its_neighbour(case: Case) -> None:
    small = {name: ORGAN.vertices_mm[0] + np.array(step) for name, step in _CORNERS.items()}
    far = {"far": ORGAN.vertices_mm[0] + [120.0, 0.0, 0.0]}
    hand = {name: type(touched()["m1"])(T_TRUE.apply(point), 0.1, 60) for name, point in small.items()}
    measured = Measured({**small, **far}, hand, np.empty((0, 3)), {"t": small["a"] + 5.0})
    outcome = register(measured, ORGAN, ASSUMED)
    assert "a neighbour of the same shape" in outcome.findings.narrow
    attempt = keep_attempt(case, measured, outcome, ASSUMED, replace(BY, surface="surfaces/skin.glb"))
    assert any("Count the levels" in reason for reason in attempt.verdict.reasons)
    found = verify_planned(attempt, "far", far["far"], T_TRUE.apply(far["far"]), ASSUMED)
    record_verification(case, attempt, found, Signature("Dr Test", TIME), Instruments())
    assert not any("Count the levels" in reason for reason in verdict_of(case, attempt).reasons)


_CORNERS = {"a": [0, 0, 0], "b": [30, 0, 0], "c": [0, 30, 0], "d": [0, 0, 30], "e": [25, 25, 20]}
