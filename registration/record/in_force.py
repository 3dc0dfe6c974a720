"""The registration in force of a case: a named person puts it in force, and each reading checks that it still holds."""

from __future__ import annotations

import math

from scipy.special import chdtri, fdtri

from case.case import Case
from case.levels import CHECK, REFUSE
from case.manifest import RegistrationEvent
from registration.errors import RegisteringError
from registration.record.accepted import AcceptedRegistration, RegistrationUncertainty
from registration.record.attempt import Attempt
from registration.record.attempts import (
    KIND,
    evidence_of,
    expected_now,
    load_attempt,
    record,
    verdict_of,
    verifications,
)
from registration.uncertainty.expected_error import PoseUncertainty
from registration.uncertainty.perturbation import SCALE


def put_in_force(case: Case, attempt: Attempt, person: str, time: str, *, consent: bool) -> AcceptedRegistration:
    """Puts the attempt in force: accepts it, or returns to it if it was accepted before.

    Args:
        case: the case, which is written.
        attempt: the attempt.
        person: name of the person who decides.
        time: ISO 8601 with a time zone.
        consent: whether the person knows the reasons of a ``check`` and consents.

    Raises:
        RegisteringError: the verdict is ``refuse``, or ``check`` without consent; or no name is given.
        CaseError: the attempt is stale or was altered.
    """
    verdict = verdict_of(case, attempt)
    if verdict.level == REFUSE or (verdict.reasons and not consent) or not person.strip():
        raise RegisteringError(
            f"'{attempt.id}' with the verdict '{verdict.level}' ({'; '.join(verdict.reasons) or 'no reason'}), "
            f"accepted by {person!r}, {'with' if consent else 'without'} consent",
            "'accept', or 'check' with the consent of a named person; never 'refuse'",
            "register again" if verdict.level == REFUSE else "name the person, and say that they consent",
        )
    active = case.active_registration()
    before = {e.registration for e in case.manifest.registration_events if e.step in ("accepted", "returned")}
    again = attempt.id in before and (active is None or active.registration != attempt.id)
    record(case, attempt, "returned" if again else "accepted", person, time)
    accepted = in_force(case)
    if accepted is None:
        raise RegisteringError(
            f"'{attempt.id}', which did not come into force",
            "a case that nobody else changes meanwhile",
            "accept it again",
        )
    return accepted


def in_force(case: Case) -> AcceptedRegistration | None:
    """The registration that may be streamed; None if none is in force.

    Raises:
        RegisteringError: it is stale, was altered, replaced or refused since; its surface was rejected; or a
            verification touch gave reasons that no person consented to.
        AttemptError: its record is damaged.
    """
    event = case.active_registration()
    if event is None:
        return None
    attempt = load_attempt(case, event.registration)
    verdict = verdict_of(case, attempt)
    problem = _changed_since(case, attempt, event) or case.registration_problem(attempt.id)
    if verdict.level == CHECK and set(verdict.reasons) - set(event.reasons):
        problem = f"nobody consented to: {'; '.join(verdict.reasons)}"
    if problem or verdict.level == REFUSE or attempt.result is None:
        raise RegisteringError(
            f"the registration '{attempt.id}' in force: {problem or '; '.join(verdict.reasons)}",
            "one with unchanged inputs and the verdict 'accept', or 'check' with consent",
            "register again, consent, or return to an older one that holds: surgnav register",
        )
    known = [p95_mm for p95_mm in expected_now(attempt, verifications(case, attempt.id)).values() if p95_mm is not None]
    p95_mm = max(known, default=None)
    pose = attempt.result.pose
    known_how_well = uncertainty_in_force(pose.uncertainty())
    return AcceptedRegistration(
        pose.transform(), attempt.id, p95_mm, verdict.level, event.person, known_how_well, evidence_of(case, attempt)
    )


def uncertainty_in_force(uncertainty: PoseUncertainty) -> RegistrationUncertainty:
    """What the pose process needs of an uncertainty: at points in the body, and with a normal error's ellipsoid."""
    widened = 1.0
    if math.isfinite(uncertainty.degrees):
        widened = 3.0 * float(fdtri(3.0, uncertainty.degrees, 0.95)) / float(chdtri(3.0, 0.05))
    joint = uncertainty.joint[: SCALE + 1, : SCALE + 1]
    return RegistrationUncertainty(widened * joint, uncertainty.pivot_reference_mm)


def _changed_since(case: Case, attempt: Attempt, event: RegistrationEvent) -> str:
    """What changed since the person accepted: the record, or the surface that the record names; empty if neither did.

    The manifest lists the record's inputs too, but whoever replaces a record may leave the surface out there.
    """
    if case.artefact(f"{KIND}/{attempt.id}.json").sha256 != event.registration_sha256:
        return "it was replaced since it was accepted"
    surface = attempt.inputs.surface
    if surface is None:
        return ""
    now = next((artefact.sha256 for artefact in case.artefacts if artefact.path == surface.path), "")
    return "" if now == surface.sha256 else f"{surface.path} {'changed' if now else 'was taken away'} since"
