"""Which of several landmarks is the wrong one: named only where the others leave no doubt.

That they disagree is soon seen; whose fault it is, is another question. Left out, the wrong one leaves a set that fits,
and so may a right one: three points that disagree by little always look alike.
"""

from __future__ import annotations

import math

import numpy as np

from geometry.points import Floats
from registration.landmarks.rigid_fit import misfit

# Another landmark counts as possibly the wrong one unless the others speak against it by this factor.
ODDS = 100.0
# Of three, two fit whatever they are; of four, three are left, whose misfit has three degrees of freedom.
LEAST = 4


def possibly_wrong(ct_mm: Floats, reference_mm: Floats, sd_mm: Floats) -> tuple[int, ...]:
    """Indices of the landmarks that may be the wrong one, the most likely first; all of them where nobody can tell.

    With landmark i left out, the rest fit with the weighted squared misfit c_i at d = 3 (n - 1) - 6 degrees of freedom.
    The error of a touch is known by its order of magnitude only, so its scale is estimated from the best fit, never
    below what was stated: the likelihoods of j and i are as ``(c_i / c_j) ** (d / 2)``.

    Args:
        ct_mm, reference_mm: pairs ``(n, 3)``.
        sd_mm: of a residual along each axis, ``(n,)``.
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
    """For a message, in the landmarks' order."""
    quoted = [f"'{names[i]}'" for i in sorted(indices)]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
