"""Keeps registration attempts in the case: their records, inputs and history, and the verdict with later touches."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from case.case import Case, MadeBy
from case.levels import REFUSE
from case.manifest import Artefact, RegistrationEvent, RegistrationStep
from case.nifti_files import write_nifti
from geometry.points import Floats
from registration.assumptions import Assumptions
from registration.errors import AttemptError
from registration.measurements import Measured, Start, TouchedPoint
from registration.record.accepted import UNKNOWN, Evidence, Instruments
from registration.record.attempt import (
    Attempt,
    AttemptInputs,
    FileRecord,
    LandmarkRecord,
    as_point,
    damaged,
    read_attempt,
    read_verification,
    record_result,
    target_records,
)
from registration.record.point_files import write_sweep, write_touched, write_unordered
from registration.record.transform_files import write_transform
from registration.record.tre_map import expected_p95_map
from registration.register import RegistrationOutcome
from registration.uncertainty.expected_error import ExpectedTre, expected_tre
from registration.uncertainty.mobility import LandmarkKind
from registration.verdict.verdict import Verdict, judge
from registration.verdict.verification import Verification
from registration.verdict.verified_error import after_touches

KIND = "registration"
_INSTRUMENTS = TypeAdapter(Instruments)


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """Who measured, when, and with what.

    Attributes:
        person: who made the attempt.
        time: ISO 8601 with a time zone.
        measured_with: the tracking device, or the files.
        surface: id of the surface's artefact in the case.
        plans: ids of the artefacts that landmarks and targets came from.
        start: as in `AttemptInputs`.
        tip_error_rms_mm: expected RMS error of the tool's tip; None if unknown.
        instruments: the reference and the stylus, where they are known.
    """

    person: str
    time: str
    measured_with: str
    surface: str
    plans: tuple[str, ...]
    start: Start = "landmarks"
    tip_error_rms_mm: float | None = None
    instruments: Instruments = UNKNOWN

    def made_by(self, parameters: Mapping[str, Any] | None = None) -> MadeBy:
        said = {"person": self.person, "measured_with": self.measured_with} | dict(parameters or {})
        return MadeBy.surgnav(self.time, said)


def keep_attempt(
    case: Case, measured: Measured, outcome: RegistrationOutcome, assumptions: Assumptions, circumstances: Circumstances
) -> Attempt:
    """Writes the attempt, its inputs, and its points as markups for 3D Slicer, into the case.

    Raises:
        CaseError: the case cannot be written, or does not hold the surface.
    """
    attempt_id = next_id(case)
    files = _keep_inputs(case, attempt_id, measured, circumstances)
    verdict = judge(outcome.findings, (), assumptions.verdict)
    attempt = Attempt(
        id=attempt_id,
        time=circumstances.time,
        person=circumstances.person,
        inputs=_inputs(case, measured, outcome, circumstances, files),
        settings=assumptions.to_json(),
        limits=assumptions.verdict,
        findings=outcome.findings,
        result=_result(measured, outcome),
        verdict=verdict,
    )
    made_from = (circumstances.surface, *circumstances.plans, *(artefact.id for artefact in files.values()))
    kept = case.write_json(KIND, attempt_id, attempt.to_json(), circumstances.made_by(), made_from)
    record(case, attempt, "computed", circumstances.person, circumstances.time)
    if attempt.result is not None:
        _keep_markups(case, attempt, kept, circumstances)
    return attempt


def load_attempt(case: Case, attempt_id: str) -> Attempt:
    """Reads an attempt from the case.

    Raises:
        CaseError: no such attempt.
        AttemptError: its record is missing, altered, or damaged.
    """
    artefact = case.artefact(f"{KIND}/{attempt_id}.json")
    try:
        content = case.path_of(artefact.id).read_bytes()
    except OSError:
        content = b""
    if hashlib.sha256(content).hexdigest() != artefact.sha256:
        raise AttemptError(
            f"the record of '{attempt_id}', which is {'altered' if content else 'missing'}",
            "the record as it was written",
            "restore it, or register again",
        )
    return read_attempt(content)


def attempt_ids(case: Case) -> tuple[str, ...]:
    """Ids of all attempts, oldest first."""
    prefix = f"{KIND}/"
    kept = (artefact.id for artefact in case.artefacts if artefact.kind == KIND and artefact.path.endswith(".json"))
    return tuple(kept_id.removeprefix(prefix).removesuffix(".json") for kept_id in kept)


def next_id(case: Case) -> str:
    """The id of the next attempt: ``r-0001``, ``r-0002``, ..."""
    return f"r-{len(attempt_ids(case)) + 1:04d}"


def verifications(case: Case, attempt_id: str) -> tuple[Verification, ...]:
    """All verification touches of the attempt, oldest first."""
    return tuple(
        read_verification(event.details)
        for event in case.manifest.registration_events
        if event.registration == attempt_id and event.step == "verified"
    )


def read_instruments(details: Mapping[str, Any]) -> Instruments:
    """What a touch was made with, from the details of its event; older ones do not say it.

    Raises:
        AttemptError: a damaged record.
    """
    try:
        return _INSTRUMENTS.validate_python(details.get("instruments", {}))
    except ValidationError as error:
        raise damaged("a verification", error) from error


def evidence_of(case: Case, attempt: Attempt) -> Evidence:
    """What says last that the attempt holds: the newest touch with a known reference, or else its own measurement."""
    for event in reversed(case.manifest.registration_events):
        if event.registration == attempt.id and event.step == "verified":
            instruments = read_instruments(event.details)
            if instruments.reference is not None:
                return Evidence(event.time, instruments)
    return Evidence(attempt.time, attempt.inputs.instruments)


def verdict_of(case: Case, attempt: Attempt) -> Verdict:
    """The verdict with all verification touches included, by the limits that the attempt was made with."""
    touches = verifications(case, attempt.id)
    return judge(replace(attempt.findings, tre_p95_mm=expected_now(attempt, touches)), touches, attempt.limits)


def expected_now(attempt: Attempt, touches: Sequence[Verification]) -> dict[str, float | None]:
    """Expected 95 % TRE in mm by target, updated by the touches; None where it is not known."""
    expected = expected_after(attempt, touches)
    if expected is None:
        return dict(attempt.findings.tre_p95_mm)
    return dict(zip(attempt.inputs.targets_ct_mm, map(float, expected.p95_mm), strict=True))


def expected_after(attempt: Attempt, touches: Sequence[Verification]) -> ExpectedTre | None:
    """Expected TRE at the targets, in their order, updated by the touches; None without touches or targets."""
    result = attempt.result
    if result is None or not touches or not result.expected:
        return None
    known = after_touches(result.pose.uncertainty(), touches)
    return expected_tre(result.pose.transform(), known, list(attempt.inputs.targets_ct_mm.values()))


def record(
    case: Case,
    attempt: Attempt,
    step: RegistrationStep,
    person: str,
    time: str,
    details: Mapping[str, Any] | None = None,
) -> RegistrationEvent:
    """Adds a step to the case's history, with the current verdict.

    Raises:
        CaseError: a person without a name; or a step that puts in force what is refused, stale or altered.
    """
    verdict = verdict_of(case, attempt)
    return case.record_registration(attempt.id, step, (verdict.level, verdict.reasons), person, time, details)


def _keep_inputs(case: Case, attempt_id: str, measured: Measured, by: Circumstances) -> dict[str, Artefact]:
    files = {}
    if measured.touched or measured.unordered:
        path = f"{KIND}/{attempt_id}_touched.points.json"

        def touched(path: Path) -> None:
            if measured.unordered:
                write_unordered(path, measured.unordered)
            else:
                write_touched(path, measured.touched)

        files["touched"] = case.add("touched_points", path, touched, by.made_by())
    if len(measured.swept_reference_mm):

        def swept(path: Path) -> None:
            write_sweep(path, measured.swept_reference_mm)

        files["sweep"] = case.add("swept_points", f"{KIND}/{attempt_id}_sweep.csv", swept, by.made_by())
    return files


def _inputs(
    case: Case, measured: Measured, outcome: RegistrationOutcome, by: Circumstances, files: Mapping[str, Artefact]
) -> AttemptInputs:
    surface, sweep = case.artefact(by.surface), files.get("sweep")
    touched = {**measured.touched, **outcome.paired}
    return AttemptInputs(
        measured_with=by.measured_with,
        start=by.start,
        order="unknown" if measured.unordered else "known",
        unpaired_reference_mm=tuple(as_point(touch.point_reference_mm) for touch in outcome.unpaired),
        landmarks=tuple(
            _landmark(name, point, touched.get(name), outcome.kinds.get(name))
            for name, point in measured.landmarks_ct.items()
        ),
        sweep=None if sweep is None else _file(sweep, len(measured.swept_reference_mm)),
        surface=_file(surface, None),
        targets_ct_mm={name: as_point(point) for name, point in measured.targets_ct.items()},
        tip_error_rms_mm=by.tip_error_rms_mm,
        instruments=by.instruments,
    )


def _landmark(name: str, point_ct: Floats, touch: TouchedPoint | None, kind: LandmarkKind | None) -> LandmarkRecord:
    if touch is None:
        return LandmarkRecord(name=name, ct_mm=as_point(point_ct), used=False, kind=kind)
    return LandmarkRecord(
        name=name,
        ct_mm=as_point(point_ct),
        reference_mm=as_point(touch.point_reference_mm),
        spread_rms_mm=touch.spread_rms_mm,
        kind=kind,
    )


def _file(artefact: Artefact, points: int | None) -> FileRecord:
    return FileRecord(path=artefact.path, sha256=artefact.sha256, points=points)


def _result(measured: Measured, outcome: RegistrationOutcome) -> Any:
    if outcome.uncertainty is None:
        return None
    expected = {}
    if outcome.expected is not None and outcome.T_reference_ct is not None:
        names = list(measured.targets_ct)
        expected = target_records(names, outcome.expected, outcome.T_reference_ct, outcome.with_tool)
    return record_result(
        outcome.by_landmarks, outcome.by_surface, outcome.uncertainty, expected, outcome.left_out, outcome.next_touch
    )


def _keep_markups(case: Case, attempt: Attempt, kept: Artefact, by: Circumstances) -> None:
    """Writes for 3D Slicer: touched points mapped to ct, targets with their expected errors, the pose, the TRE map."""
    if attempt.result is None:
        return
    T_ct_reference = attempt.result.pose.transform().inverse()
    touched, said = {}, {}
    for mark in attempt.inputs.landmarks:
        if mark.reference_mm is not None:
            touched[mark.name] = T_ct_reference.apply(np.array(mark.reference_mm))
            distance_mm = float(np.linalg.norm(touched[mark.name] - np.array(mark.ct_mm)))
            said[mark.name] = (
                f"touched {distance_mm:.2f} mm from the planned landmark, mapped to the CT by {attempt.id}"
            )
    if touched:
        case.add_markups(
            f"{attempt.id}_touched", touched, by.made_by(), (kept.id,), kind="registration_points", descriptions=said
        )
    targets = {name: np.array(point) for name, point in attempt.inputs.targets_ct_mm.items()}
    if targets:
        said = {
            name: f"expected error {target.rms_mm:.2f} mm RMS, 95 % below {target.p95_mm:.2f} mm, by {attempt.id}"
            for name, target in attempt.result.expected.items()
        }
        case.add_markups(
            f"{attempt.id}_targets", targets, by.made_by(), (kept.id,), kind="registration_points", descriptions=said
        )
    _keep_next_touch(case, attempt, kept, by)
    if attempt.verdict.level != REFUSE:  # a refused one could be taken for one to navigate by
        path = f"markups/{attempt.id}_reference_to_ras.tfm"
        case.add(
            "registration_transform", path, lambda path: write_transform(path, T_ct_reference), by.made_by(), (kept.id,)
        )
    tre_map = expected_p95_map(attempt)
    if tre_map is not None:
        path = f"{KIND}/{attempt.id}_expected_p95.nii.gz"
        case.add("tre_map", path, lambda path: write_nifti(path, tre_map), by.made_by({"unit": "mm"}), (kept.id,))


def _keep_next_touch(case: Case, attempt: Attempt, kept: Artefact, by: Circumstances) -> None:
    spot = None if attempt.result is None else attempt.result.next_touch
    if spot is None:
        return
    said = (
        f"touch here next: 95 % error at '{spot.target}' from {spot.p95_now_mm:.2f} to some {spot.p95_then_mm:.2f} mm"
    )
    case.add_markups(
        f"{attempt.id}_next_touch",
        {"next_touch": spot.point_ct_mm},
        by.made_by(),
        (kept.id,),
        kind="registration_points",
        descriptions={"next_touch": said},
    )
