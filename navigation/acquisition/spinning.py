"""A tool that is turned about its shaft, live: what to do next, how far it turned, how well its axis is known."""

from __future__ import annotations

import numpy as np

from calibration.pivot.errors import SpinRefusedError
from calibration.pivot.spin import SpinSettings, calibrate_spin
from navigation.acquisition.collecting import Advice
from navigation.acquisition.live_poses import CollectedPoses

# An even half turn to and fro has 52 degrees RMS; farther makes the axis surer, as far as the marker stays in view.
WANTED_TURN_RMS_RAD = np.deg2rad(40.0)
LEAST_S = 5.0
# An axis that is known to half of what is accepted leaves room for the errors that no residual shows.
ENOUGH = 0.5
_FEW = 10


class SpinCollecting(CollectedPoses):
    """Satisfies `Collecting` for the poses of a tool that turns about its shaft.

    Args:
        source: name of the device or room.
        settings: what the spin must bring.
    """

    def __init__(self, source: str, settings: SpinSettings | None = None) -> None:
        super().__init__(source)
        self._settings = settings or SpinSettings()
        self._is_enough = False

    @property
    def is_enough(self) -> bool:
        """Whether, at the last advice, it had turned far and the axis was known to half of what is accepted."""
        return self._is_enough

    def advice(self) -> Advice:
        self._is_enough = False
        if len(self) < _FEW:
            return Advice("keep the shaft where it is, and turn the tool about it slowly", 0.0, "too few poses yet")
        covered_time = min(1.0, self.duration_s / LEAST_S)
        try:
            found = calibrate_spin(self.poses, None, self._settings)
        except SpinRefusedError as error:
            return Advice(error.action, 0.5 * covered_time, f"the axis is not known yet: {error.came}")
        coverage = min(covered_time, found.turn_rms_rad / WANTED_TURN_RMS_RAD)
        known = f"the axis is known to {np.rad2deg(found.expected_axis_error_rms_rad):.2f} degrees RMS"
        self._is_enough = coverage >= 1.0 and (
            found.expected_axis_error_rms_rad <= ENOUGH * self._settings.maximum_axis_error_rms_rad
        )
        if self._is_enough:
            return Advice("it is enough: end it with Enter", 1.0, known)
        if coverage < 1.0:
            return Advice("turn it farther about its shaft, to and fro, and keep the shaft still", coverage, known)
        return Advice("go on turning it slowly: more poses make the axis surer", coverage, known)
