"""Attempts in the case: none is lost, one is in force, and nothing refused, stale or altered ever is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from case.case import Case
from case.errors import CaseError
from geometry import Volume
from reconstruction import in_case
from reconstruction.ct.read import read_ct
from reconstruction.ct.scan import CtScan
from registration.errors import AttemptError, RegisteringError
from registration.measurements import Measured
from registration.record.accepted import AcceptedRegistration
from registration.record.attempt import VerificationRecord
from registration.record.attempts import attempt_ids, keep_attempt, load_attempt, record, verdict_of
from registration.record.history import history
from registration.record.in_force import in_force, put_in_force
from registration.record.point_files import read_planned, read_sweep, read_touched
from registration.record.transform_files import write_transform
from registration.register import register
from registration.verdict.verification import verify_landmark
from tests.reconstruction.ct.dicom.dicom_factory import write_series
from tests.registration.record import harness as driven
from tests.registration.record.harness import (
    ASSUMED,
    BY,
    GLB,
    MADE_BY,
    MARKS,
    ORGAN,
    PLANS,
    TARGETS,
    TIME,
    made,
    sweep,
    touched,
)
from tests.registration.shapes import T_TRUE, organ

case = driven.case


def test_an_attempt_is_kept_with_its_inputs_and_comes_back_with_the_same_numbers(case: Case) -> None:
    attempt, outcome = made(case)
    assert attempt.verdict.level == "accept", attempt.verdict.reasons
    back = load_attempt(Case.open(case.root), "r-0001")
    assert back == attempt
    np.testing.assert_array_equal(back.result.pose.transform().matrix, outcome.T_reference_ct.matrix)
    np.testing.assert_array_equal(back.result.pose.uncertainty().covariance, outcome.uncertainty.covariance)
    assert {name: target.p95_mm for name, target in back.result.expected.items()} == dict(
        zip(TARGETS, outcome.expected.p95_mm.tolist(), strict=True)
    )
    artefact = case.artefact("registration/r-0001.json")
    assert {made_from.id for made_from in artefact.made_from} == {
        GLB,
        *PLANS,
        "registration/r-0001_touched.points.json",
        "registration/r-0001_sweep.csv",
    }
    assert not case.stale()
    assert not case.verify()


def test_the_files_that_it_wrote_make_the_same_registration_again(case: Case) -> None:
    attempt, _ = made(case)
    folder = case.root / "registration"
    measured = Measured(
        read_planned(case.root / PLANS[0]),
        read_touched(folder / "r-0001_touched.points.json"),
        read_sweep(folder / "r-0001_sweep.csv"),
        read_planned(case.root / PLANS[1]),
    )
    again = keep_attempt(case, measured, register(measured, ORGAN, ASSUMED), ASSUMED, BY)
    assert again.result == attempt.result
    assert again.findings == attempt.findings


def test_markups_show_the_touched_points_in_the_ct_and_the_expected_errors(case: Case) -> None:
    attempt, outcome = made(case)
    shown = case.read_markups("r-0001_touched")
    assert set(shown.points_ct_mm) == set(list(MARKS)[:-1])
    for name, point in shown.points_ct_mm.items():
        expected = outcome.T_reference_ct.inverse().apply(np.array(touched()[name].point_reference_mm))
        np.testing.assert_allclose(point, expected, atol=1e-9)  # a double has 1e-13 mm to spare
        assert np.linalg.norm(point - MARKS[name]) < 2.0
        assert "mapped to the CT by r-0001" in shown.descriptions[name]
    targets = case.read_markups("r-0001_targets")
    for name, target in attempt.result.expected.items():
        np.testing.assert_array_equal(targets.points_ct_mm[name], TARGETS[name])
        assert f"95 % below {target.p95_mm:.2f} mm" in targets.descriptions[name]
    # How 3D Slicer understands it: tests/case/test_in_slicer.py.
    write_transform(case.root / "expected.tfm", outcome.T_reference_ct.inverse())
    kept = case.path_of("markups/r-0001_reference_to_ras.tfm")
    assert kept.read_bytes() == (case.root / "expected.tfm").read_bytes()


def test_re_registering_never_loses_the_old_one_and_returning_to_it_is_recorded(case: Case) -> None:
    assert in_force(case) is None
    first, _ = made(case, seed=1)
    put_in_force(case, first, "Dr Test", TIME, consent=False)
    second, _ = made(case, seed=2)
    assert in_force(case).registration_id == "r-0001"  # computed is not accepted
    accepted = put_in_force(case, second, "Dr Other", TIME, consent=False)
    assert (accepted.registration_id, accepted.accepted_by, accepted.level) == ("r-0002", "Dr Other", "accept")
    assert accepted.expected_error_mm == max(target.p95_mm for target in second.result.expected.values())
    back = put_in_force(case, first, "Dr Test", TIME, consent=False)
    assert back.registration_id == "r-0001"
    case = Case.open(case.root)
    assert in_force(case).registration_id == "r-0001"
    assert attempt_ids(case) == ("r-0001", "r-0002")
    steps = [(event.registration, event.step, event.person) for event in case.manifest.registration_events]
    assert steps == [
        ("r-0001", "computed", "Dr Test"),
        ("r-0001", "accepted", "Dr Test"),
        ("r-0002", "computed", "Dr Test"),
        ("r-0002", "accepted", "Dr Other"),
        ("r-0001", "returned", "Dr Test"),
    ]
    np.testing.assert_array_equal(in_force(case).T_reference_ct.matrix, first.result.pose.matrix)
    record(case, first, "withdrawn", "Dr Test", TIME)
    assert in_force(case) is None


def test_a_failed_attempt_is_kept_and_can_never_be_in_force(case: Case) -> None:
    two = dict(list(touched().items())[:2])
    attempt, outcome = made(case, marks=two)
    assert outcome.T_reference_ct is None
    assert "at least three" in outcome.findings.failure
    assert load_attempt(case, attempt.id) == attempt
    with pytest.raises(RegisteringError, match="never 'refuse'"):
        put_in_force(case, attempt, "Dr Test", TIME, consent=True)
    with pytest.raises(CaseError, match="refused"):
        record(case, attempt, "accepted", "Dr Test", TIME)
    assert in_force(case) is None


def test_check_needs_a_named_persons_consent(case: Case) -> None:
    measured = Measured(MARKS, touched(), sweep())  # no targets: nobody can say what the error is
    attempt = keep_attempt(case, measured, register(measured, ORGAN, ASSUMED), ASSUMED, BY)
    assert attempt.verdict.level == "check"
    for person, consent in (("Dr Test", False), ("", True), ("  ", True)):
        with pytest.raises(RegisteringError, match="consent"):
            put_in_force(case, attempt, person, TIME, consent=consent)
    accepted = put_in_force(case, attempt, "Dr Test", TIME, consent=True)
    assert (accepted.level, accepted.expected_error_mm) == ("check", None)


def test_a_verification_that_fails_takes_an_accepted_registration_out_of_force(case: Case) -> None:
    attempt, outcome = made(case)
    put_in_force(case, attempt, "Dr Test", TIME, consent=False)
    place = MARKS["m7"]
    for off_mm, level in ((0.5, "accept"), (12.0, "refuse")):
        point = T_TRUE.apply(place) + [0.0, off_mm, 0.0]
        found = verify_landmark(
            outcome.T_reference_ct, outcome.uncertainty, "m7", (place, point), attempt.used_landmarks_ct()
        )
        kept = VerificationRecord.of(found).model_dump(mode="json")
        record(case, attempt, "verified", "Dr Test", TIME, {"touch": kept})
        assert verdict_of(Case.open(case.root), attempt).level == level
    with pytest.raises(RegisteringError, match="verification touch at 'm7'"):
        in_force(case)
    # The attempt itself stays as it was written.
    assert load_attempt(case, attempt.id).verdict.level == "accept"


def test_a_verification_that_raises_doubts_needs_a_new_consent(case: Case) -> None:
    attempt, _ = made(case)
    put_in_force(case, attempt, "Dr Test", TIME, consent=False)
    kept = {"name": "m7", "kind": "landmark", "offset_reference_mm": [2.2, 0.0, 0.0]}
    record(case, attempt, "verified", "Dr Test", TIME, {"touch": kept | {"distance_mm": 2.2, "expected_p95_mm": 2.0}})
    assert verdict_of(case, attempt).level == "check"
    with pytest.raises(RegisteringError, match="nobody consented to: the verification touch at 'm7'"):
        in_force(case)
    put_in_force(case, attempt, "Dr Other", TIME, consent=True)
    assert (in_force(case).level, in_force(case).accepted_by) == ("check", "Dr Other")
    assert case.manifest.registration_events[-1].step == "accepted"


def test_a_damaged_verification_is_a_named_error(case: Case) -> None:
    attempt, _ = made(case)
    record(case, attempt, "verified", "Dr Test", TIME, {"touch": {"name": "m7"}})
    with pytest.raises(AttemptError, match="verification"):
        verdict_of(case, attempt)


def test_a_surface_changed_since_makes_it_stale_and_nothing_streams(case: Case) -> None:
    attempt, _ = made(case)
    put_in_force(case, attempt, "Dr Test", TIME, consent=False)
    case.add_surface(organ(subdivisions=3), MADE_BY, made_from=())
    assert "surfaces/organ.glb changed" in case.stale()["registration/r-0001.json"]
    with pytest.raises(RegisteringError, match="changed since"):
        in_force(case)
    with pytest.raises(CaseError, match="changed since"):
        put_in_force(case, attempt, "Dr Test", TIME, consent=True)


@pytest.mark.parametrize("damage", ["cut", "edited", "removed"])
def test_a_damaged_record_is_a_named_error(case: Case, damage: str) -> None:
    attempt, _ = made(case)
    put_in_force(case, attempt, "Dr Test", TIME, consent=False)
    path = case.root / "registration" / "r-0001.json"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "edited":
        document = json.loads(path.read_text())
        document["result"]["pose"]["matrix"][0][3] += 1.0
        path.write_text(json.dumps(document))
    else:
        path.unlink()
    with pytest.raises(AttemptError, match="r-0001"):
        load_attempt(case, "r-0001")
    with pytest.raises(AttemptError):
        in_force(case)


@pytest.mark.parametrize(("level", "person"), [("refuse", "Dr Test"), ("unknown", "Dr Test"), ("check", " ")])
def test_the_pose_graph_takes_nothing_that_was_refused_or_that_nobody_accepted(level: str, person: str) -> None:
    with pytest.raises(RegisteringError):
        AcceptedRegistration(T_TRUE, "r-0001", 1.0, level, person)


def test_a_touched_landmark_that_nobody_planned_is_refused() -> None:
    outcome = register(Measured(MARKS, {"nose": touched()["m1"]}, sweep(), TARGETS), ORGAN, ASSUMED)
    assert "not planned: nose" in outcome.findings.failure


def test_limits_are_those_the_attempt_was_made_with(case: Case) -> None:
    strict = replace(ASSUMED, verdict=replace(ASSUMED.verdict, tre_p95_mm=(0.01, 0.02)))
    measured = Measured(MARKS, touched(), sweep(), TARGETS)
    attempt = keep_attempt(case, measured, register(measured, ORGAN, strict), strict, BY)
    assert attempt.verdict.level == "refuse"
    assert verdict_of(case, load_attempt(case, attempt.id)).level == "refuse"
    assert not list(case.root.glob("markups/*.tfm"))


# ---------------------------------------------------------------------- what is in force rests on what is
def _edited(case: Case) -> dict:
    """The record with the patient 1 mm elsewhere, as somebody who means well might change it."""
    document = json.loads((case.root / "registration" / "r-0001.json").read_text())
    document["result"]["pose"]["matrix"][0][3] += 1.0
    return document


@pytest.mark.parametrize("how", ["edit accepted", "written anew"])
def test_a_record_that_was_replaced_since_a_person_accepted_it_is_not_in_force(case: Case, how: str) -> None:
    """The manifest knows the new record, so only the person's acceptance tells that it is another."""
    attempt, _ = made(case)
    put_in_force(case, attempt, "Dr Test", TIME, consent=False)
    if how == "edit accepted":
        (case.root / "registration" / "r-0001.json").write_text(json.dumps(_edited(case)))
        case.accept_edit("registration/r-0001.json", MADE_BY)
    else:
        case.write_json("registration", "r-0001", _edited(case), MADE_BY)
    case = Case.open(case.root)
    assert case.registration_problem("r-0001") is None
    with pytest.raises(RegisteringError, match="replaced since it was accepted"):
        in_force(case)
    assert not history(case)[0].in_force


def test_a_record_without_its_inputs_in_the_manifest_still_knows_its_surface(case: Case) -> None:
    attempt, _ = made(case)
    case.write_json("registration", "r-0001", attempt.to_json(), MADE_BY)  # made_from is lost
    record(case, attempt, "accepted", "Dr Test", TIME)
    assert in_force(case) is not None
    case.add_surface(organ(subdivisions=3), MADE_BY, made_from=())
    assert case.registration_problem("r-0001") is None
    with pytest.raises(RegisteringError, match=r"surfaces/organ\.glb changed since"):
        in_force(case)


def test_rejecting_the_surface_that_it_rests_on_takes_a_registration_out_of_force(case: Case) -> None:
    case.decide("organ", "approved", "Dr Test", TIME)
    attempt, _ = made(case)
    put_in_force(case, attempt, "Dr Test", TIME, consent=False)
    case.decide("organ", "rejected", "Dr Other", TIME)
    case = Case.open(case.root)
    with pytest.raises(RegisteringError, match="'organ' that it rests on was rejected by Dr Other"):
        in_force(case)
    with pytest.raises(CaseError, match="rejected by Dr Other"):
        put_in_force(case, attempt, "Dr Test", TIME, consent=True)
    [row] = history(case)
    assert (row.in_force, row.problem) == (False, "the surface 'organ' that it rests on was rejected by Dr Other")
    case.decide("organ", "approved", "Dr Other", TIME)
    assert in_force(case).registration_id == "r-0001"
    assert history(case)[0].in_force


@pytest.mark.parametrize("by_reference", [False, True])
def test_another_ct_takes_a_registration_out_of_force(tmp_path: Path, by_reference: bool) -> None:
    write_series(tmp_path / "dicom")
    before = read_ct(tmp_path / "dicom")
    after = replace(before, volume=Volume(before.volume.voxels[::-1], before.volume.affine))
    with Case.create(tmp_path / "case", "organ", TIME) as case:
        _add_ct(case, before, by_reference)
        case.add_surface(ORGAN, MADE_BY, made_from=("ct",))
        case.add_markups("landmarks", MARKS, MADE_BY)
        case.add_markups("targets", TARGETS, MADE_BY, kind="plan")
    attempt, _ = made(case)
    put_in_force(case, attempt, "Dr Test", TIME, consent=False)
    _add_ct(case, after, by_reference)
    with pytest.raises(RegisteringError, match=r"is stale|ct changed since"):
        in_force(Case.open(case.root))


def _add_ct(case: Case, scan: CtScan, by_reference: bool) -> None:
    if by_reference:
        in_case.add_ct_reference(case, scan, case.root.parent, MADE_BY)
    else:
        in_case.add_ct_copy(case, scan, MADE_BY)
