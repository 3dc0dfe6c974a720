"""The One-Euro filter: smooth where the tool rests, quick where it moves.

Casiez, Roussel and Vogel, "1 Euro filter: a simple speed-based low-pass filter for noisy input in interactive systems",
CHI 2012. A first-order low-pass whose cutoff grows with the speed, once for the place and once for the turn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from geometry import Transform
from navigation.clock import NS_PER_S
from navigation.live.filters.filtered import Filtered
from navigation.live.timeline.between import posed
from navigation.live.timeline.timeline import LONGEST_GAP_NS
from navigation.live.timeline.turns import rotation_of, rotation_vector


@dataclass(frozen=True, kw_only=True)
class OneEuroSettings:
    """Attributes:
    rest_hz: cutoff at rest.
    per_mm_s: by how much it grows for each mm/s, in Hz.
    per_rad_s: by how much that of the turn grows for each rad/s, in Hz.
    speed_hz: cutoff of the speed itself.
    """

    rest_hz: float = 1.5
    per_mm_s: float = 0.3
    per_rad_s: float = 20.0
    speed_hz: float = 3.0


class OneEuro:
    """Filters the poses of one tool; after a gap of more than 100 ms, or a turn that cannot be followed, anew."""

    def __init__(self, settings: OneEuroSettings | None = None) -> None:
        self._settings = settings or OneEuroSettings()
        self._last: tuple[int, Filtered] | None = None
        self._velocity_mm_s = np.zeros(3)
        self._turning_rad_s = np.zeros(3)

    def note(self, pose: Transform, capture_ns: int) -> Filtered:
        """The filtered pose; of one that is no newer than the last, the last."""
        if self._last is None:
            return self._begin(pose, capture_ns)
        last_ns, last = self._last
        passed_ns = capture_ns - last_ns
        if passed_ns <= 0:
            return last
        turned = rotation_vector(pose.rotation_matrix @ last.raw.rotation_matrix.T)
        ahead = rotation_vector(pose.rotation_matrix @ last.pose.rotation_matrix.T)
        if passed_ns > LONGEST_GAP_NS or turned is None or ahead is None:
            return self._begin(pose, capture_ns)
        passed_s, settings = passed_ns / NS_PER_S, self._settings
        share = _share(passed_s, _lag_s(settings.speed_hz))
        moved_mm = pose.translation_mm - last.raw.translation_mm
        self._velocity_mm_s = self._velocity_mm_s + share * (moved_mm / passed_s - self._velocity_mm_s)
        self._turning_rad_s = self._turning_rad_s + share * (np.array(turned) / passed_s - self._turning_rad_s)
        place_lag_s = _lag_s(settings.rest_hz + settings.per_mm_s * float(np.linalg.norm(self._velocity_mm_s)))
        turn_lag_s = _lag_s(settings.rest_hz + settings.per_rad_s * float(np.linalg.norm(self._turning_rad_s)))
        place = last.pose.translation_mm + _share(passed_s, place_lag_s) * (
            pose.translation_mm - last.pose.translation_mm
        )
        rotation = rotation_of(ahead, _share(passed_s, turn_lag_s)) @ last.pose.rotation_matrix
        found = Filtered(pose, posed(rotation, place, pose), 1e3 * max(place_lag_s, turn_lag_s))
        self._last = capture_ns, found
        return found

    def _begin(self, pose: Transform, capture_ns: int) -> Filtered:
        self._velocity_mm_s, self._turning_rad_s = np.zeros(3), np.zeros(3)
        begun = Filtered(pose, pose, 0.0)
        self._last = capture_ns, begun
        return begun


def _lag_s(cutoff_hz: float) -> float:
    """Time constant of a low-pass, by which it lags behind a motion at constant speed."""
    return 1.0 / (2.0 * math.pi * cutoff_hz)


def _share(passed_s: float, lag_s: float) -> float:
    return passed_s / (passed_s + lag_s)
