"""What to do next, in words, for the registration at hand."""

from __future__ import annotations

from collections.abc import Mapping

from geometry.points import Floats
from registration.attempt import Attempt
from registration.verdict import ACCEPT, Verdict


def advise(attempt: Attempt, verdict: Verdict, landmarks_ct: Mapping[str, Floats]) -> tuple[str, ...]:
    """At most a few lines; the most useful first."""
    if attempt.result is None:
        return ("do what it says above, then compute again",)
    advice = []
    if attempt.inputs.sweep is None:
        advice.append("sweep the surface: without it only the landmarks hold the pose")
    if not attempt.inputs.targets_ct_mm:
        advice.append("plan targets, so that the error where it matters is known")
    free = [name for name in landmarks_ct if name not in attempt.used_landmarks_ct()]
    if verdict.notes:
        where = f"at {free[0]}, which was not used" if free else "anywhere on the surface"
        advice.append(f"verify with a touch {where}")
    if verdict.level == ACCEPT and not verdict.notes:
        advice.append("accept it")
    return tuple(advice)
