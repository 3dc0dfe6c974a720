"""A Kalman filter for a tool at nearly constant velocity, which also says where it will be in a moment.

Bar-Shalom, Li and Kirubarajan, "Estimation with applications to tracking and navigation", 2001, section 6.2: white
noise acceleration. The axes of the place are independent and alike, and so are those of the turn, taken as a small
rotation from the predicted one: two covariances of 2 x 2 are all there is, in scalars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry import Transform
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.live.filters.filtered import Filtered
from navigation.live.timeline.between import posed
from navigation.live.timeline.timeline import LONGEST_GAP_NS
from navigation.live.timeline.timelines import NoPose
from navigation.live.timeline.turns import rotation_of, rotation_vector

# No display waits longer for a pose, and a hand that was seen longer ago may have turned back.
PREDICTION_CAP_NS = 80_000_000


@dataclass(frozen=True, kw_only=True)
class MotionSettings:
    """Attributes:
    jitter_mm, jitter_rad: standard deviation of one measured place and turn, along each axis, of a tip some 160 mm from
        its marker.
    acceleration_mm2_s3, acceleration_rad2_s3: spectral density of the acceleration: a hand that changes its speed by
        100 mm/s in a second (benchmarks/live/bench_motion.py).
    """

    jitter_mm: float = 0.3
    jitter_rad: float = 3e-3
    acceleration_mm2_s3: float = 1e4
    acceleration_rad2_s3: float = 0.2


class Steps:
    """The covariance of a value and its rate, and the gains that follow from it.

    Args:
        jitter: standard deviation of a measured value.
        density: spectral density of the rate's noise.
    """

    def __init__(self, jitter: float, density: float) -> None:
        self._variance, self._density = jitter * jitter, density
        self._value, self._both, self._rate = self._variance, 0.0, density  # the rate could have any value of a second

    def added(self, ahead_s: float) -> float:
        """By how much the variance of the value grows until `ahead_s` from now, without another measurement."""
        t = ahead_s
        return t * (2.0 * self._both + t * self._rate) + self._density * t**3 / 3.0

    def gains(self, passed_s: float) -> tuple[float, float]:
        """The share of a surprise that the value, and the part of it that the rate takes up, after `passed_s`."""
        t, q = passed_s, self._density
        value = self._value + t * (2.0 * self._both + t * self._rate) + q * t**3 / 3.0
        both = self._both + t * self._rate + q * t**2 / 2.0
        rate = self._rate + q * t
        of_value, of_rate = value / (value + self._variance), both / (value + self._variance)
        self._value, self._both, self._rate = (1.0 - of_value) * value, (1.0 - of_value) * both, rate - of_rate * both
        return of_value, of_rate


class ConstantVelocity:
    """Filters and predicts the poses of one tool; after a gap of more than 100 ms it begins anew.

    It adds no delay to a motion at constant speed; where the speed changes it is late by what the change makes of some
    frames.
    """

    def __init__(self, settings: MotionSettings | None = None) -> None:
        self._settings = settings or MotionSettings()
        self._newest_ns = 0
        self._found: Filtered | None = None
        self._velocity_mm_s: Floats = np.zeros(3)
        self._turning_rad_s: Floats = np.zeros(3)
        self._begin()

    def note(self, pose: Transform, capture_ns: int) -> Filtered:
        """The filtered pose; of one that is no newer than the last, the last."""
        found, passed_ns = self._found, capture_ns - self._newest_ns
        if found is not None and passed_ns <= 0:
            return found
        self._newest_ns = capture_ns
        expected = None if found is None or passed_ns > LONGEST_GAP_NS else self._moved(found.pose, passed_ns)
        surprise = None if expected is None else rotation_vector(pose.rotation_matrix @ expected.rotation_matrix.T)
        if expected is None or surprise is None:
            self._begin()
            self._found = Filtered(pose, pose, 0.0)
            return self._found
        passed_s = passed_ns / NS_PER_S
        of_place, of_velocity = self._places.gains(passed_s)
        of_turn, of_turning = self._turns.gains(passed_s)
        off_mm = pose.translation_mm - expected.translation_mm
        self._velocity_mm_s = self._velocity_mm_s + of_velocity * off_mm
        self._turning_rad_s = self._turning_rad_s + of_turning * np.array(surprise)
        rotation = rotation_of(surprise, of_turn) @ expected.rotation_matrix
        self._found = Filtered(pose, posed(rotation, expected.translation_mm + of_place * off_mm, pose), 0.0)
        return self._found

    def at(self, instant_ns: int) -> Transform | NoPose:
        """Where the tool is at an instant, at the velocity that it had; none more than 80 ms after it was last seen."""
        if self._found is None:
            return NoPose("not seen yet")
        ahead_ns = instant_ns - self._newest_ns
        if ahead_ns > PREDICTION_CAP_NS:
            return NoPose(f"last seen {ahead_ns / 1e6:.0f} ms before: too long to say where it went")
        return self._moved(self._found.pose, max(0, ahead_ns))

    def added_mm2(self, ahead_ns: int) -> float:
        """The variance along each axis that a prediction so far ahead adds to that of the place."""
        return self._places.added(ahead_ns / NS_PER_S)

    def _begin(self) -> None:
        settings = self._settings
        self._velocity_mm_s, self._turning_rad_s = np.zeros(3), np.zeros(3)
        self._places = Steps(settings.jitter_mm, settings.acceleration_mm2_s3)
        self._turns = Steps(settings.jitter_rad, settings.acceleration_rad2_s3)

    def _moved(self, pose: Transform, passed_ns: int) -> Transform:
        passed_s = passed_ns / NS_PER_S
        x, y, z = self._turning_rad_s.tolist()
        rotation = rotation_of((x, y, z), passed_s) @ pose.rotation_matrix
        return posed(rotation, pose.translation_mm + passed_s * self._velocity_mm_s, pose)
