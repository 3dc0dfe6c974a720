"""What to do next, in words, for the registration at hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geometry.points import Floats
from registration.attempt import Attempt
from registration.verdict import ACCEPT, REFUSE, Verdict, VerdictSettings


def advise(attempt: Attempt, verdict: Verdict, landmarks_ct: Mapping[str, Floats]) -> tuple[str, ...]:
    """At most a few lines; the most useful first."""
    if attempt.result is None:
        return ("do what it says above, then compute again",)
    advice = [*_doubts(attempt)]
    if attempt.inputs.sweep is None:
        advice.append("sweep the surface: without it only the landmarks hold the pose")
    if not attempt.inputs.targets_ct_mm:
        advice.append("plan targets, so that the error where it matters is known")
    if verdict.level != REFUSE and verdict.notes:
        free = [name for name in landmarks_ct if name not in attempt.used_landmarks_ct()]
        where = f"at {free[0]}, which was not used" if free else "anywhere on the surface"
        advice.append(f"verify with a touch {where}")
    if verdict.level == REFUSE:
        advice.append("compute again after that, or register anew; this one cannot be accepted")
    elif not verdict.notes:
        advice.append("accept it" if verdict.level == ACCEPT else "better it, or accept it knowing the reasons")
    return tuple(advice)


def _doubts(attempt: Attempt) -> list[str]:
    """Where the residuals exceed what was stated: the landmark that fits worst."""
    residuals = attempt.result.landmark_residuals_reference_mm if attempt.result else {}
    found = attempt.findings.landmarks
    limit = VerdictSettings().residual_factor[0]
    if not residuals or found is None or found.residual_factor is None or found.residual_factor <= limit:
        return []
    worst = max(residuals, key=lambda name: float(np.linalg.norm(residuals[name])))
    return [f"touch {worst} again, which fits worst, or leave it out"]
