"""How a tip moved that should have stood still: it crept, or it stood somewhere else for a while."""

from __future__ import annotations

import numpy as np

from calibration.pivot.equations import Equations
from geometry.points import Bools, Floats

# A slip lasts this many poses at least, shorter ones are single wild poses; two good ones may lie in between.
_SHORTEST, _GAP = 8, 2
# The tip crept if a pivot that moves evenly halves the residual.
_HALVED = 0.5


def how_the_tip_moved(equations: Equations, left_mm: Floats, used: Bools, times_s: Floats | None) -> str:
    """The end of a sentence that says how the tip moved, or nothing where neither of the two explains it.

    Args:
        left_mm: the residuals of all poses, ``(n, 3)``, in the order of time.
        used: the poses that turn about one point, ``(n,)``.
    """
    crept_mm = _crept_mm(equations)
    if crept_mm is not None:
        return f": the tip crept by {crept_mm:.1f} mm from the first pose to the last"
    slip = _longest_slip(used)
    if slip is None:
        return ""
    far_mm = float(np.linalg.norm(np.median(left_mm[slip], axis=0)))
    when = f"poses {slip.start} to {slip.stop - 1}"
    if times_s is not None:
        first_s, last_s = times_s[[slip.start, slip.stop - 1]] - times_s[0]
        when += f" ({first_s:.1f} to {last_s:.1f} s after the first)"
    return f": during {when} the tip was {far_mm:.1f} mm away"


def _crept_mm(equations: Equations) -> float | None:
    """How far an evenly moving pivot moved, from all poses alike; None where that does not explain the residuals."""
    count = len(equations.rotations)
    passed = np.repeat(np.linspace(-0.5, 0.5, count), 3)[:, None]
    still = np.tile(-np.eye(3), (count, 1))
    rows = np.hstack([equations.rotations.reshape(-1, 3), still])
    right = -equations.translations_mm.ravel()
    solution = np.linalg.lstsq(rows, right)[0]
    moving = np.hstack([rows, passed * still])
    with_creep = np.linalg.lstsq(moving, right)[0]
    before, after = (float(np.linalg.norm(right - a @ x)) for a, x in ((rows, solution), (moving, with_creep)))
    return float(np.linalg.norm(with_creep[6:])) if after < _HALVED * before else None


def _longest_slip(used: Bools) -> slice | None:
    """The longest run of poses that were left out."""
    left_out = np.flatnonzero(~used)
    if not len(left_out):
        return None
    runs = np.split(left_out, np.flatnonzero(np.diff(left_out) > _GAP + 1) + 1)
    longest = max(runs, key=len)
    return slice(int(longest[0]), int(longest[-1]) + 1) if len(longest) >= _SHORTEST else None
