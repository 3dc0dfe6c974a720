"""A stylus that is pivoted, live: what to do next, how far it was tilted, how well the tip is known so far."""

from __future__ import annotations

import numpy as np

from calibration.errors import PivotRefusedError
from calibration.pivot.pivot import PivotCalibration, PivotSettings, calibrate_pivot
from calibration.pivot.results import METHOD, pivot_result
from calibration.result import CalibrationResult, InputFile
from calibration.streams import PoseStream
from geometry.points import Floats
from navigation.acquisition.collecting import Advice
from navigation.acquisition.live_poses import CollectedPoses

# Tilted by 15 degrees to every side an axis has about 10 degrees RMS: twice the least that is accepted.
WANTED_TILTS = 2.0
# A tip that is known to half of what is accepted leaves room for the errors that no residual shows.
ENOUGH = 0.5
# Neighbouring poses repeat one another's error: what counts is time, more than the number of poses.
LEAST_S = 5.0
TOUCH_S = 3.0
_FEW = 10


class PivotCollecting(CollectedPoses):
    """Satisfies `Collecting` for the poses of a stylus whose tip stands in a divot.

    Args:
        source: name of the device or room.
        settings: what the pivot must bring.
    """

    def __init__(self, source: str, settings: PivotSettings | None = None) -> None:
        super().__init__(source)
        self._settings = settings or PivotSettings()
        self._is_enough = False

    @property
    def is_enough(self) -> bool:
        """Whether, at the last advice, the tilts were wide and the tip known to half of what is accepted."""
        return self._is_enough

    def advice(self) -> Advice:
        self._is_enough = False
        if len(self) < _FEW:
            return Advice("put the tip into a divot, and tilt the stylus slowly to all sides", 0.0, "too few poses yet")
        coverage = self._coverage()
        try:
            found = calibrate_pivot(self.poses, self._settings)
        except PivotRefusedError as error:
            return Advice(error.action, min(coverage, 0.99), f"the tip is not known yet: {error.came}")
        known = f"the tip is known to {found.expected_tip_error_rms_mm:.2f} mm RMS, {_poses(found)}"
        self._is_enough = coverage >= 1.0 and (
            found.expected_tip_error_rms_mm <= ENOUGH * self._settings.maximum_tip_error_rms_mm
        )
        if self._is_enough:
            return Advice("it is enough: end it with Enter", 1.0, known)
        if coverage < 1.0:
            return Advice("tilt it farther, also across the direction of the tilts so far", coverage, known)
        return Advice("go on tilting it slowly: more poses make the tip surer", coverage, known)

    def _coverage(self) -> float:
        """The least tilted axis' RMS tilt, or the time, as a share of what is wanted, whichever is less."""
        rotations: Floats = np.stack([pose.rotation_matrix for pose in self.poses])
        # As in the calibration: 1 - |mean(R) u|^2 is the squared tilt of the axis u that moved least.
        least = float(np.linalg.svd(rotations.mean(axis=0))[1][0])
        tilt_rms_rad = float(np.sqrt(max(0.0, 1.0 - least**2)))
        wanted_rad = WANTED_TILTS * self._settings.minimum_tilt_rms_rad
        return min(1.0, tilt_rms_rad / wanted_rad, self.duration_s / LEAST_S)


class TouchCollecting(CollectedPoses):
    """Satisfies `Collecting` for the poses of a tool whose tip is held on a point.

    Args:
        source: name of the device or room.
    """

    @property
    def is_enough(self) -> bool:
        return self.duration_s >= TOUCH_S

    def advice(self) -> Advice:
        share = min(1.0, self.duration_s / TOUCH_S)
        if share >= 1.0:
            return Advice("it is enough: end it with Enter", 1.0, f"seen for {self.duration_s:.0f} s")
        return Advice("hold the tip on the point; the tool may be tilted about it", share, "not seen for long enough")


def pivot_of(stream: PoseStream, made: str, inputs: InputFile) -> CalibrationResult:
    """The result of a pivot, accepted or refused.

    Args:
        made: when, ISO 8601 with a time zone.
        inputs: where the poses come from.
    """
    try:
        return pivot_result(calibrate_pivot(stream), stream, made, [inputs])
    except PivotRefusedError as error:
        return CalibrationResult.refused(
            kind="pivot",
            subject=stream.from_frame,
            made=made,
            method=METHOD,
            error=error,
            n_used=len(stream),
            inputs=[inputs],
        )


def _poses(found: PivotCalibration) -> str:
    rejected = f", {found.n_rejected} left out" if found.n_rejected else ""
    return f"from {found.n_used} poses{rejected}"
