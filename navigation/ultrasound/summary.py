"""The numbers of a run: frames used and overtaken, their states, and how old what was shown was."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from navigation.ultrasound.messages import Ended
from navigation.ultrasound.pipeline import FrameResult
from navigation.ultrasound.shown import Shown


class Summary:
    """Counts results and what was shown of them."""

    def __init__(self) -> None:
        self._states: Counter[str] = Counter()
        self._structures: Counter[str] = Counter()
        self._shown: Counter[str] = Counter()
        self._ready_ms: list[float] = []
        self._shown_ms: list[float] = []
        self._finished_ns: list[int] = []

    def add(self, result: FrameResult) -> None:
        """Counts a result."""
        self._states[result.state] += 1
        self._structures.update({contour.structure for contour in result.contours})
        if result.age_ms is not None and result.finished_ns is not None:
            self._ready_ms.append(result.age_ms)
            self._finished_ns.append(result.finished_ns)

    def add_shown(self, shown: Shown) -> None:
        """Counts what was on the screen at one instant."""
        self._shown[shown.state] += 1
        if shown.is_usable and shown.age_ms is not None:
            self._shown_ms.append(shown.age_ms)

    def as_json(self, ended: Ended | None = None) -> dict[str, Any]:
        """The numbers; `ended` adds what the ultrasound process counted."""
        numbers: dict[str, Any] = {
            "frames": self._states.total(),
            "states": dict(self._states.most_common()),
            "frames_with": dict(self._structures.most_common()),
        }
        if self._ready_ms:
            span_s = (self._finished_ns[-1] - self._finished_ns[0]) / 1e9
            numbers["frames_a_second"] = round((len(self._ready_ms) - 1) / span_s, 2) if span_s > 0 else None
            numbers["age_when_ready_ms"] = _spread(self._ready_ms)
        if self._shown:
            numbers["shown"] = dict(self._shown.most_common())
            numbers["age_of_shown_contours_ms"] = _spread(self._shown_ms)
        if ended is not None:
            numbers |= {"ended": ended.reason, "passed_over": ended.passed_over, "results_lost": ended.unsent}
        return numbers


def _spread(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    p50, p99 = np.percentile(values, [50, 99])
    return {"p50": round(float(p50), 2), "p99": round(float(p99), 2), "max": round(max(values), 2)}
