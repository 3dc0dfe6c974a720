"""The demo's registration: planned, measured by whoever does the steps, kept in the case, verified, put into force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from case.case import Case, MadeBy
from case.levels import REFUSE
from case.manifest import Signature
from geometry import Surface
from geometry.points import Floats
from navigation.demo.subject import Subject
from navigation.demo.surgery import BONE, SKIN_MARKER, Surgeon, Surgery, SurgerySettings, find_markers, operate
from navigation.devices.driver import Device
from navigation.planning.targets import plan_bone_landmarks, plan_targets
from navigation.room.instruments import instruments_of
from navigation.simulation.patient import SkinPoints
from registration.record.accepted import AcceptedRegistration
from registration.record.attempt import Attempt
from registration.record.attempts import Circumstances, expected_after, keep_attempt, verdict_of, verifications
from registration.record.in_force import put_in_force
from registration.record.verify import record_verification, verify_planned
from registration.verdict.verdict import Verdict


@dataclass(frozen=True, eq=False)
class DemoPlan:
    """What is to be touched in ``ct``, in this order, and the true markers that a simulated hand aims at."""

    markers: SkinPoints
    landmarks_ct: Mapping[str, Floats]
    bone_ct: Mapping[str, Floats]
    targets_ct: Mapping[str, Floats]


def plan(subject: Subject, markers: SkinPoints, surfaces_ct: Mapping[str, Surface], seed: int) -> DemoPlan:
    """The plan of the demo; `seed` gives the error with which the markers are found in the CT."""
    return DemoPlan(
        markers=markers,
        landmarks_ct=find_markers(markers, seed),
        bone_ct=plan_bone_landmarks(surfaces_ct["bone"]) if "bone" in surfaces_ct else {},
        targets_ct=plan_targets(surfaces_ct) | dict(subject.targets_ct),
    )


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What was measured, what became of it, and the registration in force; None if it was refused."""

    surgery: Surgery
    verdict: Verdict
    accepted: AcceptedRegistration | None


def operate_in_case(
    case: Case,
    plan: DemoPlan,
    surgeon: Surgeon,
    skin_ct: Surface,
    by: Circumstances,
    devices: Sequence[Device],
    settings: SurgerySettings | None = None,
) -> Operation:
    """Plans, registers, stores the attempt in the case, verifies it on bone, and puts it into force unless refused.

    Args:
        surgeon: does the steps.
        skin_ct: the approved skin surface, to which the sweep is registered.
        by: who, when and with which tracker; plans, the tip's error and the instruments are added here.
        devices: of the room.

    Raises:
        SurgNavError: a step could not be measured, or the registration failed.
    """
    said = dict.fromkeys(plan.landmarks_ct, f"kind: {SKIN_MARKER}") | dict.fromkeys(plan.bone_ct, f"kind: {BONE}")
    by_hand = MadeBy.surgnav(by.time, {"person": by.person})
    plans = (
        case.add_markups("landmarks", {**plan.landmarks_ct, **plan.bone_ct}, by_hand, descriptions=said).id,
        case.add_markups("targets", dict(plan.targets_ct), by_hand, kind="plan").id,
    )
    surgery = operate(surgeon, plan.markers, plan.landmarks_ct, plan.targets_ct, skin_ct, settings, plan.bone_ct)
    tip, tip_error_mm = surgery.pivot.T_stylus_stylus_tip, surgery.pivot.expected_tip_error_rms_mm
    instruments = instruments_of(devices, tip.to_frame, tip, tip_error_mm)
    by = replace(by, plans=plans, tip_error_rms_mm=tip_error_mm, instruments=instruments)
    attempt = keep_attempt(case, surgery.measured, surgery.outcome, surgery.assumptions, by)
    surgery = _verified(case, attempt, surgery, plan.bone_ct, by)
    verdict = verdict_of(case, attempt)
    accepted = None if verdict.level == REFUSE else put_in_force(case, attempt, by.person, by.time, consent=True)
    return Operation(surgery=surgery, verdict=verdict, accepted=accepted)


def _verified(
    case: Case, attempt: Attempt, surgery: Surgery, bone_ct: Mapping[str, Floats], by: Circumstances
) -> Surgery:
    """Verifies the attempt with the touches of bone, and updates the expected errors from the result."""
    tip_error_mm = surgery.pivot.expected_tip_error_rms_mm
    for name, touched in surgery.bone.items() if attempt.result is not None else ():
        found = verify_planned(
            attempt, name, bone_ct[name], touched.point_reference_mm, surgery.assumptions, tip_error_mm
        )
        record_verification(case, attempt, found, Signature(by.person, by.time), by.instruments)
    expected = expected_after(attempt, verifications(case, attempt.id))
    return surgery if expected is None else replace(surgery, expected=expected)
