"""What an earlier session measured and did not finish: whether it can be gone on with, and what is assumed then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geometry.points import Floats
from navigation.commands.register.session import Session
from navigation.commands.register.session_file import Kept, minutes_between, newest
from registration.errors import RegisteringError

# A patient on the table is the same one for so long, and the reference in one place.
LONGEST_MIN = 6 * 60.0
# Tips of two pivots of one stylus are nearer than this, besides what is expected of them.
SAME_TIP_MM = 1.0
ASSUMED = (
    "Assumed: the reference has stayed where it was on this patient. If it was taken off, bumped or moved, say n and "
    "touch everything again"
)


@dataclass(frozen=True, eq=False)
class Offer:
    """Measurements of an earlier session.

    Attributes:
        what: in words, with how long ago.
        problem: why they cannot be gone on with; empty if they can.
    """

    kept: Kept
    what: str
    problem: str


def find_offer(folder: Path, rests_on: Mapping[str, object], session: Session, now: str) -> Offer | None:
    """The newest session's measurements, if no registration was computed from them; None if there are none.

    Args:
        folder: the case's ``registration``.
        rests_on: what measurements of now rest on, as the first line of a session's file has it.
        session: with the plan of now.
    """
    kept = newest(folder)
    if kept is None or any(event["step"] == "declined" for event in kept.steps):
        return None
    replayed = Session(session.landmarks_ct, session.targets_ct)
    minutes = minutes_between(kept.last_time, now)
    try:
        kept.replay(replayed)
        moment = replayed.now
        if moment.attempt is not None or not (moment.touched or moment.sweeps):
            return None
        swept = sum(len(piece) for piece in moment.sweeps)
        problem = _problem(kept, rests_on, minutes)
    except (RegisteringError, KeyError, TypeError, ValueError) as error:
        touched = sum(event.get("step") == "touch" for event in kept.steps)
        problem = _problem(kept, rests_on, minutes) or f"its steps do not follow from one another ({error})"
        return Offer(kept, f"{_counted(touched, 0)} of {_ago(minutes)}", problem)
    return Offer(kept, f"{_counted(len(moment.touched), swept)} of {_ago(minutes)}", problem)


def tip_problem(kept: Kept, tip_stylus_mm: Floats, expected_mm: float) -> str:
    """Whether the stylus is another one, or bent, or its marker was put on anew; empty if it is as it was."""
    if kept.tip_stylus_mm is None:
        return ""
    apart_mm = float(np.linalg.norm(tip_stylus_mm - kept.tip_stylus_mm))
    if apart_mm <= SAME_TIP_MM + 3.0 * expected_mm:
        return ""
    return (
        f"the stylus' tip is {apart_mm:.1f} mm from where it was, seen from its marker: another stylus, or a bent one"
    )


def _problem(kept: Kept, rests_on: Mapping[str, object], minutes: float) -> str:
    for key, value in rests_on.items():
        if kept.began.get(key) != value:
            return f"the {key.replace('_', ' ')} is another one than then"
    if not -1.0 <= minutes <= LONGEST_MIN:
        return (
            f"they are too old: at most {LONGEST_MIN / 60.0:.0f} hours" if minutes > 0.0 else "they lie in the future"
        )
    return ""


def _counted(touched: int, swept: int) -> str:
    parts = [f"{touched} {'touch' if touched == 1 else 'touches'}"] if touched else []
    parts += [f"a sweep of {swept:,} points"] if swept else []
    return " and ".join(parts)


def _ago(minutes: float) -> str:
    if minutes < 1.0:
        return "less than a minute ago"
    if minutes < 120.0:
        return f"{minutes:.0f} minute{'' if round(minutes) == 1 else 's'} ago"
    return f"{minutes / 60.0:.0f} hours ago" if minutes < 48 * 60 else f"{minutes / 1440.0:.0f} days ago"
