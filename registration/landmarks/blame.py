"""Finds the wrong one among landmarks that contradict one another, by leave-one-out.

Detecting a contradiction is easier than finding its cause: the others fit without the wrong landmark, but they may fit
without a right one too. All landmarks that may be wrong are returned.
"""

from __future__ import annotations

import math

import numpy as np

from geometry.points import Floats
from registration.landmarks.rigid_fit import misfit

# A landmark counts as possibly wrong unless it is less likely to be so than the most likely one by this factor.
ODDS = 100.0
# Without one of four landmarks, the remaining three have a misfit with three degrees of freedom.
LEAST = 4


def possibly_wrong(ct_mm: Floats, reference_mm: Floats, sd_mm: Floats) -> tuple[int, ...]:
    """Indices of the landmarks that may be the wrong one, most likely first; all of them with fewer than four.

    Without landmark i, the others fit with the weighted squared misfit c_i at d = 3 (n - 1) - 6 degrees of freedom. The
    error of a touch is known by its order of magnitude only, so its scale is estimated from the best fit, but never
    below the stated one: the likelihood ratio of j to i is ``(c_i / c_j) ** (d / 2)``.

    Args:
        ct_mm, reference_mm: pairs ``(n, 3)``.
        sd_mm: standard deviation of a residual along each axis, ``(n,)``.
    """
    count = len(ct_mm)
    if count < LEAST:
        return tuple(range(count))
    degrees = 3.0 * (count - 1) - 6.0
    weights = sd_mm**-2.0
    others = [np.arange(count) != i for i in range(count)]
    costs = np.array([misfit(ct_mm[rest], reference_mm[rest], weights[rest]) for rest in others])
    evidence = 0.5 * degrees * np.log(np.maximum(costs, degrees) / max(float(costs.min()), degrees))
    order = np.argsort(costs, kind="stable")
    return tuple(int(i) for i in order if evidence[i] < math.log(ODDS))


def names_of(indices: tuple[int, ...], names: tuple[str, ...]) -> str:
    """The quoted names of these landmarks in their order, joined for a message."""
    quoted = [f"'{names[i]}'" for i in sorted(indices)]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
