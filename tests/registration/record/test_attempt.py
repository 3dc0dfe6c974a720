"""The record of an attempt: the same numbers come back to the last digit, and damage is named."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry import Transform
from registration import expected_tre, register_landmarks
from registration.errors import AttemptError
from registration.record.accepted import UNKNOWN, Instrument, Instruments
from registration.record.attempt import (
    Attempt,
    AttemptInputs,
    LandmarkRecord,
    VerificationRecord,
    as_point,
    read_attempt,
    record_result,
    target_records,
)
from registration.uncertainty.expected_error import PoseUncertainty
from registration.verdict.findings import gather_findings
from registration.verdict.verdict import Findings, Verdict, judge
from registration.verdict.verification import Verification
from tests.geometry.strategies import transforms
from tests.registration.shapes import T_TRUE
from tests.registration.verdict.harness import CT_MM, NAMES, POINT_CT

TARGETS = {"lesion": np.array([20.0, 30.0, 40.0]), "dome": np.array([-60.0, 10.0, 90.0])}

LEFT_OUT = {"m1": Verification("m1", "landmark", np.array([0.1, 0.2, 0.3]), 0.37, 1.2)}


def attempt(T_reference_ct: Transform = T_TRUE, seed: int = 1) -> Attempt:
    touched = T_reference_ct.apply(CT_MM) + np.random.default_rng(seed).normal(scale=0.4, size=CT_MM.shape)
    made = register_landmarks(CT_MM, touched, NAMES)
    expected = expected_tre(made.T_reference_ct, made.uncertainty, list(TARGETS.values()))
    findings = gather_findings(made, None, TARGETS, expected, ())
    marks = [
        LandmarkRecord(name=name, ct_mm=as_point(ct), reference_mm=as_point(reference), spread_rms_mm=0.1)
        for name, ct, reference in zip(NAMES, CT_MM, touched, strict=True)
    ]
    skipped = LandmarkRecord(name="navel", ct_mm=as_point(POINT_CT), used=False)
    targets = {name: as_point(point) for name, point in TARGETS.items()}
    return Attempt(
        id="r-0001",
        time="2026-01-02T03:04:05+00:00",
        person="Dr Test",
        inputs=AttemptInputs(
            measured_with="test", start="landmarks", landmarks=(*marks, skipped), targets_ct_mm=targets
        ),
        settings={"landmarks": {"fle_rms_mm": 0.7}},
        findings=findings,
        result=record_result(
            made, None, made.uncertainty, target_records(list(TARGETS), expected, made.T_reference_ct), LEFT_OUT
        ),
        verdict=judge(findings),
    )


def test_the_longest_axis_is_recorded_along_the_axes_of_ct() -> None:
    """Uncertain along y of reference, which a quarter turn about z makes x of ct."""
    quarter = np.array([[0.0, -1.0, 0.0, 5.0], [1.0, 0.0, 0.0, 6.0], [0.0, 0.0, 1.0, 7.0], [0.0, 0.0, 0.0, 1.0]])
    T_reference_ct = Transform(quarter, "reference", "ct")
    uncertainty = PoseUncertainty(np.diag([0.0, 0.0, 0.0, 1.0, 4.0, 0.25]), np.zeros(3))
    expected = expected_tre(T_reference_ct, uncertainty, [TARGETS["dome"]])
    recorded = target_records(["dome"], expected, T_reference_ct)["dome"]
    np.testing.assert_allclose(np.abs(recorded.longest_ct), [1.0, 0.0, 0.0], atol=1e-12)
    assert recorded.semi_axes_mm[0] == pytest.approx(2.0 * recorded.semi_axes_mm[1])


@given(transforms("reference", "ct"))
def test_every_number_comes_back_to_the_last_digit(T_reference_ct: Transform) -> None:
    written = attempt(T_reference_ct)
    back = read_attempt(json.dumps(written.to_json()))
    assert back == written
    np.testing.assert_array_equal(back.result.pose.transform().matrix, written.result.pose.matrix)
    pose = back.result.pose
    again = expected_tre(pose.transform(), pose.uncertainty(), list(TARGETS.values()))
    for i, name in enumerate(TARGETS):
        # The covariance is symmetrised as it is read, which changes nothing but the order of a sum.
        assert again.p95_mm[i] == pytest.approx(back.result.expected[name].p95_mm, rel=1e-12)
    assert judge(back.findings) == back.verdict
    assert set(back.used_landmarks_ct()) == set(NAMES)


def test_the_pose_says_its_frames_and_units() -> None:
    pose = attempt().to_json()["result"]["pose"]
    assert (pose["to_frame"], pose["from_frame"], pose["units"]) == ("reference", "ct", "mm, rad")


def test_a_failed_attempt_is_a_record_too() -> None:
    failed = Attempt(
        id="r-0002",
        time="2026-01-02T03:04:05+00:00",
        person="Dr Test",
        inputs=AttemptInputs(measured_with="test", start="landmarks"),
        findings=Findings(failure="Got 2 landmarks; expected at least three. Fix: touch more."),
        result=None,
        verdict=Verdict("refuse", ("2 landmarks",)),
    )
    assert read_attempt(json.dumps(failed.to_json())) == failed


def test_a_record_from_before_instruments_were_written_down_is_read_and_knows_none() -> None:
    document = attempt().to_json()
    del document["inputs"]["instruments"]
    found = read_attempt(json.dumps(document | {"schema_version": 2}))
    assert found.inputs.instruments == UNKNOWN
    known = Instruments(Instrument("reference", "camera (ndi)", "ab"), Instrument("s", "c", "", (1.0, 2.0, 3.0), 0.25))
    with_them = found.model_copy(update={"inputs": found.inputs.model_copy(update={"instruments": known})})
    assert read_attempt(json.dumps(with_them.to_json())).inputs.instruments == known


def damaged(*path: Any, value: Any) -> str:
    """The record with one thing replaced."""
    document = attempt().to_json()
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "JSON"),
        ("{}", "id"),
        (json.dumps(attempt().to_json())[:-40], "JSON"),
        (damaged("result", "pose", "matrix", 0, value=[0.5, 0, 0, 0]), "orthonormal"),
        (damaged("result", "pose", "matrix", 0, value=[float("nan"), 0, 0, 0]), "finite"),
        (damaged("result", "pose", "from_frame", value="tracker"), "from_frame"),
        (damaged("result", "pose", "covariance", 0, value=[-1.0, 0, 0, 0, 0, 0]), "negative variance"),
        (damaged("result", "pose", "units", value="m"), "units"),
        (damaged("result", value=None), "a result and a failure"),
        (damaged("findings", "failure", value="none"), "a result and a failure"),
        (damaged("verdict", "level", value="fine"), "verdict"),
        (damaged("schema_version", value=4), "schema_version"),
        (damaged("inputs", "landmarks", 0, "ct_mm", value=[1.0, 2.0]), "ct_mm"),
        (damaged("surprise", value=1), "surprise"),
    ],
)
def test_damage_is_named(content: str, said: str) -> None:
    with pytest.raises(AttemptError, match=said):
        read_attempt(content)


@given(st.floats(0.0, 100.0), st.floats(0.1, 10.0))
def test_a_verification_is_kept_whole(distance_mm: float, expected_p95_mm: float) -> None:
    touch = Verification("navel", "landmark", np.array([0.0, distance_mm, 0.0]), distance_mm, expected_p95_mm)
    record = VerificationRecord.of(touch)
    back = VerificationRecord.model_validate_json(record.model_dump_json()).verification()
    assert (back.name, back.kind, back.distance_mm) == (touch.name, touch.kind, touch.distance_mm)
    assert back.consistent == touch.consistent
    np.testing.assert_array_equal(back.offset_reference_mm, touch.offset_reference_mm)
