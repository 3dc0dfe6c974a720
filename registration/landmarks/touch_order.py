"""Finds the orders in which landmarks fit, where they were touched in another order than their names say."""

from __future__ import annotations

import math

from geometry.points import Floats
from registration.landmarks.correspondence_search import search

# Largest distance between a touched point and its mapped landmark, in standard deviations.
GATE_SD = 5.0
# Likelihood ratio below which another order counts as possible.
ODDS = 1000.0


def orders_that_fit(ct_mm: Floats, reference_mm: Floats, sd_mm: Floats) -> tuple[tuple[int, ...], ...]:
    """All orders in which all pairs fit, best first: for each touched point the index of its landmark; may be empty.

    Args:
        ct_mm, reference_mm: pairs as they were named, ``(n, 3)`` each.
        sd_mm: standard deviation of a residual along each axis, ``(n,)``.
    """
    whole = [way for way in search(ct_mm, reference_mm, sd_mm, GATE_SD) if way.matched == len(ct_mm)]
    possible = [way for way in whole if way.cost - whole[0].cost < 2.0 * math.log(ODDS)]
    return tuple(tuple(way.planned_of_touched.tolist()) for way in possible)


def order_in_words(order: tuple[int, ...], names: tuple[str, ...]) -> str:
    """Says in words which landmark each misnamed point is."""
    wrong = [(names[i], names[planned]) for i, planned in enumerate(order) if i != planned]
    return ", ".join(f"the point touched as '{named}' is '{true}'" for named, true in wrong)
