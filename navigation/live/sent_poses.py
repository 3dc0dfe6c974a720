"""Keeps the published pose batches for scoring, in compact arrays up to a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.points import read_only
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

_BLOCK = 1_000
_STATES = tuple(Validity)


@dataclass(frozen=True, eq=False)
class SentPoses:
    """The published poses; rows are batches, columns are tools.

    Attributes:
        tools: names of the columns.
        sequence, capture_ns, published_ns: sequence numbers and times of the batches, ``(n,)`` int64 each.
        matrices: poses ``(n, tools, 4, 4)`` in mm, right-handed; NaN where no pose was sent.
        validity: names of the states, ``(n, tools)``.
    """

    tools: tuple[str, ...]
    sequence: NDArray[np.int64]
    capture_ns: NDArray[np.int64]
    published_ns: NDArray[np.int64]
    matrices: NDArray[np.float64]
    validity: NDArray[np.str_]


class SentLog:
    """Keeps up to `max_batches` batches in blocks of rows; a batch of six tools takes 0.8 kB.

    Args:
        max_batches: 0 keeps nothing. Ten minutes at 100 Hz are 60,000 batches and 50 MB.
    """

    def __init__(self, max_batches: int) -> None:
        self._max_batches = max_batches
        self._tools: tuple[str, ...] = ()
        self._count = 0
        self._times: list[NDArray[np.int64]] = []
        self._matrices: list[NDArray[np.float64]] = []
        self._states: list[NDArray[np.uint8]] = []

    def add(self, sequence: int, capture_ns: int, published_ns: int, states: Sequence[ToolState]) -> None:
        if self._count == self._max_batches:
            return
        row = self._count % _BLOCK
        if row == 0:
            self._tools = tuple(state.tool for state in states)
            self._times.append(np.zeros((_BLOCK, 3), np.int64))
            self._matrices.append(np.full((_BLOCK, len(states), 4, 4), np.nan))
            self._states.append(np.zeros((_BLOCK, len(states)), np.uint8))
        self._times[-1][row] = sequence, capture_ns, published_ns
        for column, state in enumerate(states):
            self._states[-1][row, column] = _STATES.index(state.validity)
            if state.T_to_from is not None:
                self._matrices[-1][row, column] = state.T_to_from.matrix
        self._count += 1

    def finish(self) -> SentPoses:
        """All batches that were kept."""
        count, tools = self._count, len(self._tools)
        times = np.concatenate([np.zeros((0, 3), np.int64), *self._times])[:count]
        matrices = np.concatenate([np.zeros((0, tools, 4, 4)), *self._matrices])[:count]
        states = np.concatenate([np.zeros((0, tools), np.uint8), *self._states])[:count]
        return SentPoses(
            self._tools,
            read_only(times[:, 0]),
            read_only(times[:, 1]),
            read_only(times[:, 2]),
            read_only(matrices),
            read_only(np.array([state.value for state in _STATES])[states]),
        )
