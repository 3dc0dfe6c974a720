"""Detects a reference that crept, or was bumped, while the landmarks were touched.

Motion of the reference shows as residuals that follow the order of the touches. The sweep comes last, so the pose is
that of the end of the measurement. The fitted pose absorbs a small drift: touching the first landmark once more at the
end detects it reliably (`verification.repeat_of`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from geometry.points import Floats

# False alarms per registration, over all the courses of motion that are tested.
CHANCE = 0.01


@dataclass(frozen=True)
class OrderTrend:
    """Residuals that follow the order of the touches.

    Attributes:
        moved_mm: how far the reference moved between the first touch and the last measurement.
        words: the finding as a sentence.
        before: number of touches before the jump; None if the reference crept.
    """

    moved_mm: float
    words: str
    before: int | None


def order_trend(
    rows: Floats, information: Floats, residuals_mm: Floats, covariance: Floats, order: tuple[int, ...]
) -> OrderTrend | None:
    """The most significant trend of the residuals with the order of the touches; None where chance explains them.

    Args:
        rows: Jacobian ``(m, 3, k)`` of the m landmarks by the k unknowns of the fit.
        information: inverse covariance of each landmark, ``(m, 3, 3)`` in 1/mm^2.
        residuals_mm: residuals ``(m, 3)`` at the solution.
        covariance: covariance ``(k, k)`` of the unknowns.
        order: the place in which each landmark was touched, counted from 0.
    """
    count = len(residuals_mm)
    if count < 4 or sorted(order) != list(range(count)):
        return None
    place = np.array(order, dtype=np.float64)
    crept = (place - count) / count
    jumps = [np.where(place < before, -1.0, 0.0) for before in range(1, count + 1)]
    # Half of the false-alarm probability goes to creeping, half to all jumps together.
    limits = [float(chdtri(3, CHANCE / 2.0)), *[float(chdtri(3, CHANCE / 2.0 / count))] * count]
    best: tuple[float, int, float] | None = None
    for number, (course, limit) in enumerate(zip([crept, *jumps], limits, strict=True)):
        gain, moved_mm = _gain(rows, information, residuals_mm, covariance, course)
        if gain > limit and (best is None or gain > best[0]):
            best = (gain, number, moved_mm)
    if best is None:
        return None
    _, number, moved_mm = best
    if number == 0:
        words = f"the touches creep with their order, by {moved_mm:.1f} mm in all: the reference moved"
        return OrderTrend(moved_mm, words, None)
    if number == count:
        words = f"the sweep lies {moved_mm:.1f} mm from where landmarks put it: the reference, or their skin, moved"
    else:
        words = f"the touches jump by {moved_mm:.1f} mm between number {number} and {number + 1}: the reference moved"
    return OrderTrend(moved_mm, words, number)


def _gain(
    rows: Floats, information: Floats, residuals_mm: Floats, covariance: Floats, course: Floats
) -> tuple[float, float]:
    """Score test: how much a shift proportional to `course` ``(m,)`` reduces chi-square, and its length in mm."""
    pull = np.einsum("n,nij,nj->i", course, information, residuals_mm)
    mixed = np.einsum("n,nki,nkj->ij", course, rows, information)
    own = np.einsum("n,nij->ij", course**2, information) - mixed.T @ covariance @ mixed
    if np.linalg.eigvalsh(own)[0] <= 1e-6 * np.trace(information.sum(axis=0)):
        return 0.0, 0.0  # the pose absorbs any such shift
    shift_mm = np.linalg.solve(own, pull)
    return float(pull @ shift_mm), float(np.linalg.norm(shift_mm))
