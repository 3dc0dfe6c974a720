"""Verification touches of an attempt's planned landmarks, with the errors of each landmark's kind."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from case.case import Case
from case.manifest import Signature
from geometry.points import Floats
from registration.assumptions import Assumptions
from registration.errors import RegisteringError
from registration.landmarks.kinds import SKIN
from registration.record.accepted import Instruments
from registration.record.attempt import Attempt, VerificationRecord
from registration.record.attempts import record
from registration.uncertainty.mobility import LandmarkKind
from registration.verdict.verification import Verification, repeat_of, verify_landmark


def kind_of(attempt: Attempt, name: str) -> LandmarkKind:
    """The kind of a planned landmark; where the record does not hold it, bare skin if the pose rests on the skin."""
    kinds = {mark.name: mark.kind for mark in attempt.inputs.landmarks}
    return kinds.get(name) or ("bare_skin" if attempt.findings.rests_on_skin else "bone")


def on_skin(attempt: Attempt) -> bool:
    """Whether the surface that the attempt was registered to is the skin."""
    surface = attempt.inputs.surface
    return surface is not None and surface.path.rpartition("/")[2].partition(".")[0] in SKIN


def verify_planned(
    attempt: Attempt,
    name: str,
    point_ct: Floats,
    touched_reference: Floats,
    assumptions: Assumptions,
    tip_error_rms_mm: float | None = None,
) -> Verification:
    """Compares the touch of a planned landmark with the position to which the registration maps it.

    Args:
        attempt: the attempt to be tested.
        name: name of the landmark.
        point_ct: its planned position, ``(3,)`` in ct.
        touched_reference: the touched position, ``(3,)`` in reference.
        assumptions: errors of the touch.
        tip_error_rms_mm: expected RMS error of the tip that touched; None to add none.

    Raises:
        RegisteringError: the attempt has no pose.
        VerificationRefusedError: the landmark was used for the registration.
    """
    if attempt.result is None:
        raise RegisteringError(f"the failed attempt '{attempt.id}'", "an attempt with a pose", "register again")
    kind, pose = kind_of(attempt, name), attempt.result.pose
    return verify_landmark(
        pose.transform(),
        pose.uncertainty(),
        name,
        (point_ct, touched_reference),
        attempt.used_landmarks_ct(),
        assumptions.verification_of(kind),
        tool_covariance_reference_mm2=None if tip_error_rms_mm is None else tip_covariance_mm2(tip_error_rms_mm),
        on_skin=kind != "bone",
    )


def verify_again(attempt: Attempt, name: str, again_reference: Floats, assumptions: Assumptions) -> Verification:
    """Compares the second touch ``(3,)`` of a used landmark with its first, to test whether the reference moved.

    Raises:
        RegisteringError: the landmark was not used for the registration.
    """
    first = next((mark.reference_mm for mark in attempt.inputs.landmarks if mark.name == name and mark.used), None)
    if first is None:
        raise RegisteringError(
            f"'{name}', which was not touched before", "a landmark that was used", "verify with it as a new landmark"
        )
    return repeat_of(name, np.array(first), again_reference, assumptions.verification)


def record_verification(
    case: Case, attempt: Attempt, found: Verification, by: Signature, instruments: Instruments
) -> None:
    """Adds the result of a verification touch to the case's history, with the verdict that follows from it.

    Args:
        instruments: what was touched with, where that is known.

    Raises:
        CaseError: a person without a name.
    """
    details = {"touch": VerificationRecord.of(found).model_dump(mode="json"), "instruments": asdict(instruments)}
    record(case, attempt, "verified", by.person, by.time, details)


def tip_covariance_mm2(tip_error_rms_mm: float) -> Floats:
    """Covariance ``(3, 3)`` of a tip's position in mm^2: the same along every axis, however the tool is held."""
    return tip_error_rms_mm**2 / 3.0 * np.eye(3)


def weight_of(touch: Verification, rests_on_skin: bool) -> str:
    """What a touch can show, in words."""
    if touch.kind == "repeat":
        return "tells whether the reference moved since the first touch, and nothing about the pose"
    if touch.on_skin and rests_on_skin:
        return "on the skin that was registered: cannot tell whether all skin moved"
    return "independent of the skin" if rests_on_skin else "on what was registered"
