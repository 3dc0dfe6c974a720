"""Whether the touches wander with the order they were made in: a reference that creeps, or was bumped between two.

Every touch is one look at its landmark; a pose that changed on the way shows as residuals that follow the order. The
sweep comes last, so the pose that counts is that of the end. A small drift hides within the pose itself: the touch that
shows it for certain is a second one of the first landmark, at the end (`verification.repeat_of`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from geometry.points import Floats

# By chance once in so many registrations, over all ways that were tried.
CHANCE = 0.01


@dataclass(frozen=True)
class OrderTrend:
    """Residuals that follow the order of the touches.

    Attributes:
        moved_mm: how far the reference moved, from the first touch to the last measurement.
        words: for a person, without the landmark's name.
        before: number of touches before the jump; None if it crept.
    """

    moved_mm: float
    words: str
    before: int | None


def order_trend(
    rows: Floats, information: Floats, residuals_mm: Floats, covariance: Floats, order: tuple[int, ...]
) -> OrderTrend | None:
    """The trend that the residuals speak for; None where chance explains them.

    Args:
        rows: of the landmarks ``(m, 3, k)``, their information ``(m, 3, 3)`` and residuals ``(m, 3)`` at the solution.
        covariance: of its k unknowns, ``(k, k)``.
        order: in which place each landmark was touched, counted from 0.
    """
    count = len(residuals_mm)
    if count < 4 or sorted(order) != list(range(count)):
        return None
    place = np.array(order, dtype=np.float64)
    crept = (place - count) / count
    jumps = [np.where(place < before, -1.0, 0.0) for before in range(1, count + 1)]
    # Half of the chance to creeping, half to all jumps.
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
    """By how much a shift that goes with `course` ``(m,)`` lowers chi-square, and its length in mm (a score test)."""
    pull = np.einsum("n,nij,nj->i", course, information, residuals_mm)
    mixed = np.einsum("n,nki,nkj->ij", course, rows, information)
    own = np.einsum("n,nij->ij", course**2, information) - mixed.T @ covariance @ mixed
    if np.linalg.eigvalsh(own)[0] <= 1e-6 * np.trace(information.sum(axis=0)):
        return 0.0, 0.0  # the pose explains any such shift
    shift_mm = np.linalg.solve(own, pull)
    return float(pull @ shift_mm), float(np.linalg.norm(shift_mm))
