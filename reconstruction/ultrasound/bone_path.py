"""The best path from column to column through a picture of likelihoods, with columns left out where none is likely.

Dynamic programming (Viterbi), after Foroughi et al., SPIE 6513, 2007.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from geometry.points import Singles

_LIKELIEST = 1e-6  # below any likelihood that matters


def best_path(
    likelihood: Singles, absence: float, largest_step: int, step_cost: float, change_cost: float
) -> NDArray[np.intp]:
    """The row of each column ``(columns,)`` of `likelihood` ``(rows, columns)``; -1 where there is none.

    Args:
        absence: likelihood below which a column rather has no row.
        largest_step: how far the row may move from one column to the next.
        step_cost: of one row of such a move, in units of the logarithm of the likelihood.
        change_cost: of a beginning or an end, in the same units.
    """
    rows, columns = likelihood.shape
    cost = -np.log(np.maximum(likelihood, _LIKELIEST)).T.astype(np.float32)
    absent = -float(np.log(absence))
    steps = np.abs(np.arange(-largest_step, largest_step + 1, dtype=np.float32)) * np.float32(step_cost)
    padded = np.full(rows + 2 * largest_step, np.inf, np.float32)
    windows, penalty = sliding_window_view(padded, rows), steps[:, None]  # one row for each step
    offered = np.empty_like(windows)
    inner = padded[largest_step : largest_step + rows]
    best, none = cost.copy(), np.full(columns, absent)
    for column in range(1, columns):
        inner[:] = best[column - 1]
        begun = none[column - 1] + change_cost
        np.add(windows, penalty, out=offered)
        best[column] += np.minimum(offered.min(axis=0), begun)
        none[column] = absent + min(none[column - 1], float(inner.min()) + change_cost)
    return _backwards(best, none, steps, change_cost)


def _backwards(best: Singles, none: NDArray[np.float64], steps: Singles, change_cost: float) -> NDArray[np.intp]:
    """From the cheaper end back: where each state came from is worked out again, on the path alone."""
    columns, rows = best.shape
    largest = len(steps) // 2
    path = np.empty(columns, np.intp)
    state = int(best[-1].argmin()) if best[-1].min() < none[-1] else -1
    for column in range(columns - 1, 0, -1):
        path[column] = state
        before = best[column - 1]
        if state < 0:
            lowest = int(before.argmin())
            state = lowest if before[lowest] + change_cost < none[column - 1] else -1
            continue
        first, last = max(0, state - largest), min(rows, state + largest + 1)
        offered = before[first:last] + steps[first - state + largest : last - state + largest]
        nearest = int(offered.argmin())
        state = first + nearest if offered[nearest] <= none[column - 1] + change_cost else -1
    path[0] = state
    return path
