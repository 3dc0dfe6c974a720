"""A tool that is pivoted, turned about its shaft or held on a point, live: how far it was moved, and what is known."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.pivot.pivot import PivotSettings, calibrate_pivot
from calibration.pivot.results import METHOD, pivot_result
from calibration.pivot.spin import SpinSettings, calibrate_spin
from calibration.result import CalibrationResult, InputFile
from calibration.streams import PoseStream
from geometry.points import Floats
from navigation.acquisition.collecting import Advice
from navigation.acquisition.live_poses import CollectedPoses
from navigation.acquisition.trying import Attempt, TriedPoses, Words

# Tilted by 15 degrees to every side an axis has about 10 degrees RMS: twice the least that is accepted.
WANTED_TILTS = 2.0
# An even half turn to and fro has 52 degrees RMS; farther makes the axis surer, as far as the marker stays in view.
WANTED_TURN_RMS_RAD = np.deg2rad(40.0)
TOUCH_S = 3.0


class PivotCollecting(TriedPoses):
    """Satisfies `Collecting` for the poses of a stylus whose tip stands in a divot.

    Args:
        source: name of the device or room.
        settings: what the pivot must bring.
    """

    def __init__(self, source: str, settings: PivotSettings | None = None) -> None:
        words = Words(
            what="the tip",
            begin="put the tip into a divot, and tilt the stylus slowly to all sides",
            farther="tilt it farther, also across the direction of the tilts so far",
            longer="go on tilting it slowly: more poses make the tip surer",
        )
        super().__init__(source, words)
        self._settings = settings or PivotSettings()

    def moved(self) -> float:
        """The least tilted axis' RMS tilt, as a share of what is wanted."""
        rotations: Floats = np.stack([pose.rotation_matrix for pose in self.poses])
        # As in the calibration: 1 - |mean(R) u|^2 is the squared tilt of the axis u that moved least.
        least = float(np.linalg.svd(rotations.mean(axis=0))[1][0])
        tilt_rms_rad = float(np.sqrt(max(0.0, 1.0 - least**2)))
        return tilt_rms_rad / (WANTED_TILTS * self._settings.minimum_tilt_rms_rad)

    def attempt(self) -> Attempt:
        found = calibrate_pivot(self.poses, self._settings)
        rejected = f", {found.n_rejected} left out" if found.n_rejected else ""
        return Attempt(
            error=found.expected_tip_error_rms_mm,
            limit=self._settings.maximum_tip_error_rms_mm,
            known=f"the tip is known to {found.expected_tip_error_rms_mm:.2f} mm RMS, "
            f"from {found.n_used} poses{rejected}",
        )


class SpinCollecting(TriedPoses):
    """Satisfies `Collecting` for the poses of a tool that turns about its shaft.

    Args:
        source: name of the device or room.
        settings: what the spin must bring.
    """

    def __init__(self, source: str, settings: SpinSettings | None = None) -> None:
        words = Words(
            what="the axis",
            begin="keep the shaft where it is, and turn the tool about it slowly",
            farther="turn it farther about its shaft, to and fro, and keep the shaft still",
            longer="go on turning it slowly: more poses make the axis surer",
        )
        super().__init__(source, words)
        self._settings = settings or SpinSettings()

    def moved(self) -> float:
        """The RMS turn from the mean orientation, as a share of what is wanted."""
        rotations = Rotation.from_matrix(np.stack([pose.rotation_matrix for pose in self.poses]))
        turns = (rotations.mean().inv() * rotations).magnitude()
        return float(np.sqrt(np.mean(turns**2))) / WANTED_TURN_RMS_RAD

    def attempt(self) -> Attempt:
        found = calibrate_spin(self.poses, None, self._settings)
        return Attempt(
            error=found.expected_axis_error_rms_rad,
            limit=self._settings.maximum_axis_error_rms_rad,
            known=f"the axis is known to {np.rad2deg(found.expected_axis_error_rms_rad):.2f} degrees RMS",
        )


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
            return Advice.enough(f"seen for {self.duration_s:.0f} s")
        return Advice("hold the tip on the point; the tool may be tilted about it", share, "not seen for long enough")


def pivot_of(stream: PoseStream, made: str, inputs: InputFile) -> CalibrationResult:
    """The result of a pivot, accepted or refused.

    Args:
        made: when, ISO 8601 with a time zone.
        inputs: where the poses come from.
    """
    return CalibrationResult.or_refused(
        lambda: pivot_result(calibrate_pivot(stream), stream, made, [inputs]),
        kind="pivot",
        subject=stream.from_frame,
        made=made,
        method=METHOD,
        n_used=len(stream),
        inputs=[inputs],
    )
