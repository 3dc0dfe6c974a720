"""A touch that tests a registration, by what was touched: each kind of landmark moves with its own ground."""

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
    """What a planned landmark was taken for; as careful as on the skin where a record does not tell."""
    kinds = {mark.name: mark.kind for mark in attempt.inputs.landmarks}
    return kinds.get(name) or ("bare_skin" if attempt.findings.rests_on_skin else "bone")


def on_skin(attempt: Attempt) -> bool:
    """Whether the surface that the attempt was matched to is the skin."""
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
    """Compares the touch of a planned landmark ``(3,)`` with where the registration puts it.

    Raises:
        RegisteringError: an attempt without a pose.
        VerificationRefusedError: a landmark that was used.
    """
    if attempt.result is None:
        raise RegisteringError(f"'{attempt.id}', which failed", "a registration", "register again")
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
    """Compares the second touch of a landmark that was used with its first: whether the reference moved.

    Raises:
        RegisteringError: a landmark that was not touched.
    """
    first = next((mark.reference_mm for mark in attempt.inputs.landmarks if mark.name == name and mark.used), None)
    if first is None:
        raise RegisteringError(f"'{name}', which was not touched before", "a landmark that was used", "verify with it")
    return repeat_of(name, np.array(first), again_reference, assumptions.verification)


def weight_of(touch: Verification, rests_on_skin: bool) -> str:
    """What a touch can tell, in words."""
    if touch.kind == "repeat":
        return "tells whether the reference moved since the first touch, and nothing about the pose"
    if touch.on_skin and rests_on_skin:
        return "on the skin that was registered: cannot tell whether all skin moved"
    return "independent of the skin" if rests_on_skin else "on what was registered"
