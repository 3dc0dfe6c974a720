"""Checks a tip whenever it rests in a divot that is known, and doubts the tool if it does not rest where it should."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from calibration.accuracy.drift import DriftSettings
from geometry.frames import REFERENCE
from geometry.points import Floats
from navigation.devices.tracker import TrackerFrame
from navigation.live.supervisor import Judgement
from unity_bridge.wire.envelope import Validity

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class DivotSettings:
    """What counts as a rest in the divot.

    Attributes:
        near_mm: a tip that rests within it of the divot is meant to be in it.
        rest_s: how long it rests at least.
        still_mm: how far it may be from the mean of its places meanwhile, RMS: a bent tip wanders about the divot while
            the tool is tilted, and one that passes by wanders farther.
    """

    near_mm: float = 15.0
    rest_s: float = 0.5
    still_mm: float = 2.0


class DivotWatch:
    """Satisfies `navigation.live.supervisor.Watch`.

    Args:
        divot_reference_mm: the divot, ``(3,)`` in ``reference``.
        tips: tool -> its calibrated tip, ``(3,)`` in mm in its marker's frame, and that tip's expected RMS error in mm.
        vouch: is told the tool that rests in the divot as it should.
    """

    def __init__(
        self,
        divot_reference_mm: Floats,
        tips: Mapping[str, tuple[Floats, float]],
        vouch: Callable[[tuple[str]], object],
        settings: DivotSettings | None = None,
    ) -> None:
        self._divot_mm = np.asarray(divot_reference_mm, np.float64)
        self._vouch = vouch
        self._tips, self._settings = tips, settings or DivotSettings()
        self._rests: dict[str, deque[tuple[int, Floats]]] = {tool: deque() for tool in tips}
        self._held: dict[str, Judgement] = {}

    def note(self, frame: TrackerFrame, now_ns: int) -> None:
        reference = frame.tools.get(REFERENCE)
        if reference is None or reference.T_tracker_tool is None:
            return
        for tool, (tip_mm, _) in self._tips.items():
            seen = frame.tools.get(tool)
            rest = self._rests[tool]
            if seen is None or seen.T_tracker_tool is None or seen.capture_ns != reference.capture_ns:
                rest.clear()
                continue
            place_mm = _apply_inverse(reference.T_tracker_tool.matrix, seen.T_tracker_tool.apply(tip_mm))
            if float(np.linalg.norm(place_mm - self._divot_mm)) > self._settings.near_mm:
                rest.clear()
                continue
            rest.append((frame.capture_ns, place_mm))
            if rest[-1][0] - rest[0][0] >= self._settings.rest_s * _NS_PER_S:
                self._check(tool, np.array([place for _, place in rest]))
                rest.clear()

    def doubts(self, now_ns: int) -> Mapping[str, Judgement]:
        return self._held

    def _check(self, tool: str, places_mm: Floats) -> None:
        middle_mm = places_mm.mean(axis=0)
        spread_mm = float(np.sqrt(np.mean(np.sum((places_mm - middle_mm) ** 2, axis=1))))
        if spread_mm > self._settings.still_mm:
            return  # it passes by
        off_mm = float(np.sqrt(np.mean(np.sum((places_mm - self._divot_mm) ** 2, axis=1))))
        limit_mm = self._limit_mm(tool)
        if off_mm <= limit_mm:
            self._held.pop(tool, None)
            self._vouch((tool,))
        else:
            why = f"its tip rested {off_mm:.1f} mm from the divot, {limit_mm:.1f} mm are allowed: calibrate it anew"
            self._held[tool] = Judgement(Validity.SUSPECT, why)

    def _limit_mm(self, tool: str) -> float:
        """Where the tip of a tool that did not change would be in all but a hundredth of the checks."""
        expected = DriftSettings()
        mean_square_mm2 = self._tips[tool][1] ** 2 + expected.common_rms_mm**2 + expected.point_rms_mm**2
        return float(np.sqrt(chdtri(3, expected.false_alarms) * mean_square_mm2 / 3.0))


def _apply_inverse(T_tracker_reference: Floats, point_tracker_mm: Floats) -> Floats:
    moved: Floats = T_tracker_reference[:3, :3].T @ (point_tracker_mm - T_tracker_reference[:3, 3])
    return moved
