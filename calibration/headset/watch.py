"""Whether a headset's calibration still holds: it fails closed, and says what must be done.

A calibration holds for one place of the headset's world. The headset names that place (its anchor), and draws another
name when it finds or makes its world anew, such as after it slept. While it is silent its world may move unseen, so a
gap makes the calibration doubtful until a known point is touched again; a known point that is off by more than was
expected ends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from calibration.headset.alignment import HeadsetToTracker, length_p95_mm
from geometry.points import Floats

_P95_TO_P99 = 1.22  # of the length of a vector of three normal numbers: sqrt(chdtri(3, 0.01) / chdtri(3, 0.05))


class Holds(StrEnum):
    """What may be done with a calibration."""

    YES = "yes"
    DOUBTFUL = "doubtful"
    NO = "no"


@dataclass(frozen=True, kw_only=True)
class WatchSettings:
    """When a calibration is doubted.

    Attributes:
        longest_gap_s: a headset that was silent for longer may have slept.
        touch_error_rms_mm: of a person who touches a point that is drawn in the air, as measured in the calibration or
            assumed.
    """

    longest_gap_s: float = 3.0
    touch_error_rms_mm: float = 3.0


@dataclass(frozen=True)
class Verdict:
    """Whether the calibration holds, why not, and what to do."""

    holds: Holds
    reason: str = ""
    action: str = ""


@dataclass(frozen=True)
class PointCheck:
    """A known point that was touched again.

    Attributes:
        away_mm: between where the headset shows the point and where the calibration puts the tip.
        expected_p95_mm: 95 of 100 checks of a calibration that holds are within it.
        verdict: what follows.
    """

    away_mm: float
    expected_p95_mm: float
    verdict: Verdict

    @property
    def line(self) -> str:
        """The check in one line."""
        said = f"{self.away_mm:.1f} mm off; 95 of 100 are within {self.expected_p95_mm:.1f} mm"
        return said if self.verdict.holds is Holds.YES else f"{said}: {self.verdict.reason}. {self.verdict.action}."


class HeadsetWatch:
    """Follows one headset's stream; `verdict` is what it came to so far."""

    def __init__(self, calibration: HeadsetToTracker, settings: WatchSettings | None = None) -> None:
        self._calibration = calibration
        self._settings = settings or WatchSettings()
        self._last_s: float | None = None
        self._verdict = Verdict(Holds.DOUBTFUL, "nothing was heard of the headset yet", "wait for it")

    @property
    def verdict(self) -> Verdict:
        return self._verdict

    @property
    def has_heard(self) -> bool:
        """Whether the headset has sent anything so far."""
        return self._last_s is not None

    def hear(self, anchor: str, time_s: float) -> Verdict:
        """The headset has sent something: its world is where `anchor` says, at a time on any steady clock."""
        first, last_s = self._last_s is None, self._last_s
        self._last_s = time_s
        if self._verdict.holds is Holds.NO:
            return self._verdict
        if anchor != self._calibration.anchor:
            self._verdict = _ended("the headset has placed its world anew")
        elif last_s is not None and time_s < last_s:
            self._verdict = _ended("the headset's times went back: another program, or a clock that was set")
        elif last_s is not None and time_s - last_s > self._settings.longest_gap_s:
            self._verdict = Verdict(
                Holds.DOUBTFUL,
                f"the headset was silent for {time_s - last_s:.1f} s and may have slept",
                "touch a point that it shows, or calibrate it anew",
            )
        elif first:
            self._verdict = Verdict(Holds.YES)
        return self._verdict

    def camera_moved(self) -> Verdict:
        """The camera that gives ``tracker`` was moved: where it is in the headset's world nobody knows any more."""
        self._verdict = _ended("the tracking camera was moved after it was calibrated")
        return self._verdict

    def age(self, now_s: float) -> Verdict:
        """The verdict at a time at which nothing was heard: silence is not consent."""
        silent_s = 0.0 if self._last_s is None else now_s - self._last_s
        if self._verdict.holds is Holds.YES and silent_s > self._settings.longest_gap_s:
            self._verdict = Verdict(
                Holds.DOUBTFUL,
                f"the headset is silent for {silent_s:.1f} s",
                "wake it, and touch a point that it shows, or calibrate it anew",
            )
        return self._verdict

    def check(self, shown_headset_mm: Floats, tip_tracker_mm: Floats, anchor: str) -> PointCheck:
        """A point ``(3,)`` that the headset shows was touched with the tip, ``(3,)`` in ``tracker``.

        Within its expected error it settles a doubt; beyond it the calibration ends. A changed anchor is not settled.
        """
        calibration = self._calibration
        mapped = calibration.T_headset_tracker.apply(np.asarray(tip_tracker_mm, dtype=np.float64))
        away_mm = float(np.linalg.norm(shown_headset_mm - mapped))
        hand_mm2 = self._settings.touch_error_rms_mm**2 / 3.0 * np.eye(3)
        covariance = calibration.covariance_at_mm2(tip_tracker_mm) + hand_mm2
        expected_mm = float(length_p95_mm(covariance, calibration.degrees)[0])
        if anchor != calibration.anchor:
            self._verdict = _ended("the headset has placed its world anew")
        elif not away_mm <= _P95_TO_P99 * expected_mm:
            self._verdict = _ended(f"a known point is {away_mm:.1f} mm off, where {expected_mm:.1f} mm are expected")
        elif self._verdict.holds is Holds.DOUBTFUL:
            self._verdict = Verdict(Holds.YES)
        return PointCheck(away_mm, expected_mm, self._verdict)


def _ended(reason: str) -> Verdict:
    return Verdict(Holds.NO, reason, "calibrate the headset anew: surgnav calibrate headset")
