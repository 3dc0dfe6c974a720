"""Advises in words what to do next about a registration."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from case.levels import ACCEPT, REFUSE
from geometry.points import Floats
from registration.landmarks.blame import possibly_wrong
from registration.record.attempt import Attempt, AttemptResult
from registration.verdict.verdict import SKIN_ALONE, Verdict

# A next touch is advised only if it reduces the expected error by at least a tenth.
WORTH_IT = 0.9
# Standard deviation of a landmark along each axis; larger residuals replace it (`possibly_wrong`).
STATED_SD_MM = 0.5


def advise(
    attempt: Attempt, verdict: Verdict, landmarks_ct: Mapping[str, Floats], *, repeated: bool = False
) -> tuple[str, ...]:
    """A few sentences of advice, the most useful first.

    Args:
        attempt: the attempt at hand.
        verdict: its verdict, with all verification touches so far.
        landmarks_ct: the planned landmarks, name -> ``(3,)`` in ct.
        repeated: whether a landmark that was used has been touched again.
    """
    if attempt.result is None:
        return ("do what it says above, then compute again",)
    advice = [*_doubts(attempt)]
    if attempt.inputs.sweep is None:
        advice.append("sweep the surface: without it only the landmarks hold the pose")
    if verdict.level != ACCEPT:
        advice += _next_touch(attempt.result)
    if not attempt.inputs.targets_ct_mm:
        advice.append("plan targets, so that the error where it matters is known")
    if verdict.level != REFUSE and SKIN_ALONE in verdict.reasons:
        advice.append("verify on bone, near the targets: a landmark planned with 'kind: bone' in its description")
    if verdict.level != REFUSE and verdict.notes:
        free = [name for name in landmarks_ct if name not in attempt.used_landmarks_ct()]
        where = f"at {free[0]}, which was not used" if free else "anywhere on the surface"
        advice.append(f"verify with a touch {where}")
    if verdict.level != REFUSE and not repeated and attempt.used_landmarks_ct():
        first = next(iter(attempt.used_landmarks_ct()))
        advice.append(f"touch {first} again (v): it shows whether the reference crept or was bumped meanwhile")
    if verdict.level == REFUSE:
        advice.append("compute again after that, or register anew; this one cannot be accepted")
    elif not verdict.notes:
        advice.append("accept it" if verdict.level == ACCEPT else "better it, or accept it knowing the reasons")
    return tuple(advice)


def _next_touch(result: AttemptResult) -> list[str]:
    """The most useful next touch, if it reduces the expected error enough."""
    spot = result.next_touch
    if spot is None or spot.p95_then_mm > WORTH_IT * spot.p95_now_mm:
        return []
    what = f"touch {spot.words}" if spot.kind == "landmark" else f"sweep a few cm {spot.words}"
    return [
        f"{what}: the expected 95 % error at '{spot.target}' would fall from {spot.p95_now_mm:.2f} mm "
        f"to some {spot.p95_then_mm:.2f} mm"
    ]


def _doubts(attempt: Attempt) -> list[str]:
    """Which landmark to touch again, where one is suspected or the residuals exceed the stated errors."""
    found = attempt.findings.landmarks
    left_out = attempt.result.left_out if attempt.result else {}
    if found is None or not left_out:
        return []
    excess = found.residual_factor is None or found.residual_factor > attempt.limits.residual_factor[0]
    if not excess and not found.suspects:
        return []
    wrong = _possibly_wrong(attempt)
    if len(wrong) == 1:
        return [f"touch {wrong[0]} again, or leave it out: the others contradict it most"]
    return [f"touch one landmark more: {found.used} contradict one another, and cannot tell which is wrong"]


def _possibly_wrong(attempt: Attempt) -> tuple[str, ...]:
    marks = [mark for mark in attempt.inputs.landmarks if mark.used and mark.reference_mm is not None]
    planned = np.array([mark.ct_mm for mark in marks]).reshape(-1, 3)
    touched = np.array([mark.reference_mm for mark in marks]).reshape(-1, 3)
    sd_mm = np.full(len(marks), STATED_SD_MM)
    return tuple(marks[i].name for i in possibly_wrong(planned, touched, sd_mm))
