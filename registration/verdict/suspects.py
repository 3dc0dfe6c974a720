"""Reports a landmark that the others contradict, by name only where there is no doubt which one is wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geometry.points import Floats
from registration.landmarks.blame import names_of, possibly_wrong
from registration.verdict.verification import Verification

# Leave-one-out needs three remaining landmarks for a pose.
LEAST = 4
# 7 of 10,000 errors exceed this multiple of their 95 % length; of the worst of ten landmarks, fewer than 1 of 100.
SUSPECT_FACTOR = 1.5


def name_suspects(
    names: tuple[str, ...], planned_ct: Floats, touched: Floats, fle_rms_mm: float, left_out: Mapping[str, Verification]
) -> tuple[str, ...] | None:
    """A sentence if the landmarks contradict one another, naming the wrong one if that can be decided; else empty.

    None if there are fewer than four landmarks, so that no contradiction could show.

    Args:
        names: one per landmark.
        planned_ct, touched: pairs ``(n, 3)`` in mm, in ct and in reference.
        fle_rms_mm: RMS length of the 3-D error of a landmark.
        left_out: leave-one-out result of each landmark, by name.
    """
    if len(names) < LEAST:
        return None
    worst = max(left_out.values(), key=lambda touch: touch.distance_mm / touch.expected_p95_mm, default=None)
    if worst is None or worst.distance_mm <= SUSPECT_FACTOR * worst.expected_p95_mm:
        return ()
    wrong = possibly_wrong(planned_ct, touched, np.full(len(names), fle_rms_mm / np.sqrt(3.0)))
    named = left_out.get(names[wrong[0]])
    if len(wrong) == 1 and named is not None:
        return (
            f"'{named.name}' was touched {named.distance_mm:.1f} mm from where the other landmarks put it, "
            f"{named.expected_p95_mm:.1f} mm are expected in 95 %: touch it again, or leave it out",
        )
    more = "touch a fifth, then it shows" if len(names) == 4 else "touch these again, or one landmark more"
    return (
        f"one of the landmarks is wrong: one lies {worst.distance_mm:.1f} mm from where the others put it, "
        f"{worst.expected_p95_mm:.1f} mm are expected in 95 %. Which one, {len(names)} landmarks cannot tell "
        f"({names_of(wrong, names)} may be): {more}",
    )
