"""The changes that events from headsets make in the case. They are slow, since a case checks its files first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from case.case import PLANNED, Case
from case.manifest import DecisionState, Signature
from geometry.errors import SurgNavError
from geometry.points import Floats
from registration.assumptions import Assumptions
from registration.record.accepted import Instruments
from registration.record.attempts import attempt_ids, load_attempt
from registration.record.in_force import in_force
from registration.record.point_files import read_planned
from registration.record.verify import record_verification, verify_planned
from unity_bridge.errors import EventRefusedError

DECISIONS: tuple[DecisionState, ...] = tuple(s for s in get_args(DecisionState) if s in ("approved", "rejected"))


@dataclass(frozen=True)
class Verified:
    """Result of a verification touch.

    Attributes:
        note: the measured distance and the expected one, in words.
        problem: why the registration may not be streamed any more; empty if it may.
    """

    note: str
    problem: str


def planned(case_path: Path, kind: str) -> dict[str, Floats]:
    """The planned landmarks or targets of the case: name -> ``(3,)`` in ``ct``; empty if none are planned.

    Args:
        kind: ``landmarks`` or ``targets``.

    Raises:
        SurgNavError: the plan cannot be read.
    """
    case = Case.open(case_path)
    plan_id = PLANNED[kind]
    if plan_id not in {artefact.id for artefact in case.artefacts}:
        return {}
    return dict(read_planned(case.path_of(plan_id)))


def decide(case_path: Path, structure: str, decision: str, by: Signature, case_sha256: str) -> str:
    """Records a person's decision on the surface that the person has seen; returns what was done, in words.

    Args:
        by: who decided, and when.
        case_sha256: hash of the case's surface from which the payload on offer was made.

    Raises:
        EventRefusedError: the case has another surface by now, or `decision` is not one of `DECISIONS`.
        CaseError: the surface is stale or altered, or another program is changing the case.
    """
    state = next((known for known in DECISIONS if known == decision), None)
    if state is None:
        raise EventRefusedError(
            f"the decision '{decision[:40]}'", f"one of {', '.join(DECISIONS)}", "choose one of these decisions"
        )
    case = Case.open(case_path)
    surface = case.artefact(f"surfaces/{structure}.glb")
    if not case_sha256 or surface.sha256 != case_sha256:
        raise EventRefusedError(
            f"a decision on another version of '{structure}' than the case now has",
            "a decision on the case's version",
            "offer the new surface, look at it, and decide again",
        )
    case.decide(structure, state, by.person, by.time)
    return f"'{structure}' is {state} by {by.person}"


@dataclass(frozen=True, eq=False)
class Touch:
    """A verification touch of a planned landmark.

    Attributes:
        name: name of the landmark.
        point_reference_mm: touched position ``(3,)`` in ``reference``.
        tip_error_rms_mm: expected RMS error of the calibrated tip.
        instruments: the reference, and the tool that touched.
    """

    name: str
    point_reference_mm: Floats
    tip_error_rms_mm: float
    instruments: Instruments


def verify(case_path: Path, touch: Touch, by: Signature, registration: str, assumptions: Assumptions) -> Verified:
    """Verifies the registration in force with a touch, and stores the result in the case.

    Args:
        by: who touched, and when.
        registration: id of the registration in force.
        assumptions: errors of the touch, as the session has them.

    Raises:
        SurgNavError: the landmark is not planned or was used for the registration, or there is no such registration.
    """
    case = Case.open(case_path)
    if registration not in attempt_ids(case):
        raise EventRefusedError(
            f"a touch to verify the registration '{registration}'",
            "the id of a registration in the case",
            "register the patient again",
        )
    attempt = load_attempt(case, registration)
    if attempt.result is None:
        raise EventRefusedError(
            f"the registration '{registration}', which failed",
            "a registration that succeeded",
            "register the patient again",
        )
    place = planned(case_path, "landmarks")[touch.name]
    found = verify_planned(attempt, touch.name, place, touch.point_reference_mm, assumptions, touch.tip_error_rms_mm)
    record_verification(case, attempt, found, by, touch.instruments)
    note = f"{found.distance_mm:.1f} mm off; 95 of 100 are within {found.expected_p95_mm:.1f} mm"
    try:
        accepted = in_force(Case.open(case_path))
    except SurgNavError as error:
        return Verified(note, error.came)
    return Verified(note, "" if accepted is not None else "no registration is in force")
