"""Verification touches of an attempt's planned landmarks, with the errors of each landmark's kind."""

from __future__ import annotations

import numpy as np

from geometry.points import Floats
from registration.assumptions import Assumptions
from registration.errors import RegisteringError
from registration.landmarks.kinds import SKIN
from registration.record.attempt import Attempt
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
    tip_covariance_mm2: Floats | None = None,
) -> Verification:
    """Compares the touch of a planned landmark with the position to which the registration maps it.

    Args:
        attempt: the attempt to be tested.
        name: name of the landmark.
        point_ct: its planned position, ``(3,)`` in ct.
        touched_reference: the touched position, ``(3,)`` in reference.
        assumptions: errors of the touch.
        tip_covariance_mm2: covariance of the tip's position, ``(3, 3)`` in the axes of reference.

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
        tool_covariance_reference_mm2=tip_covariance_mm2,
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


def weight_of(touch: Verification, rests_on_skin: bool) -> str:
    """What a touch can show, in words."""
    if touch.kind == "repeat":
        return "tells whether the reference moved since the first touch, and nothing about the pose"
    if touch.on_skin and rests_on_skin:
        return "on the skin that was registered: cannot tell whether all skin moved"
    return "independent of the skin" if rests_on_skin else "on what was registered"
