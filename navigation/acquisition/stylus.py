"""The tracked stylus of a session: calibrated, then touching and sweeping. The hand is told what the screen asks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from calibration.pivot import PivotCalibration, calibrate_pivot
from geometry.frames import STYLUS
from geometry.points import Floats
from navigation.acquisition.collect import AcquisitionSettings, SweptPoints, collect_poses, collect_sweep, collect_touch
from navigation.devices.hand import Hand
from navigation.devices.tracker import Tracker
from registration.errors import RegisteringError
from registration.measurements import TouchedPoint

PIVOT_S = 12.0


class Stylus:
    """Measures with a running tracker.

    Args:
        name: of the tracker, for the record.
    """

    def __init__(self, name: str, tracker: Tracker, hand: Hand, settings: AcquisitionSettings | None = None) -> None:
        self.name = name
        self.calibration: PivotCalibration | None = None
        self._tracker = tracker
        self._hand = hand
        self._settings = settings or AcquisitionSettings()

    def calibrate(self) -> PivotCalibration:
        """Pivots for some seconds.

        Raises:
            PivotRefusedError, AcquisitionError: too few poses, too little tilt, a tip that slipped, a silent tracker.
        """
        self._hand.pivot()
        self.calibration = calibrate_pivot(collect_poses(self._tracker, STYLUS, PIVOT_S, self._settings))
        return self.calibration

    def touch(self, point_ct_mm: Floats) -> TouchedPoint:
        """The landmark that lies at `point_ct_mm` ``(3,)``, once the tip is held still on it."""
        self._hand.touch(point_ct_mm)
        return collect_touch(self._tracker, self._calibrated.T_stylus_stylus_tip, self._settings)

    def touch_surface(self) -> TouchedPoint:
        """Wherever on the surface the tip is held still."""
        self._hand.touch_surface()
        return collect_touch(self._tracker, self._calibrated.T_stylus_stylus_tip, self._settings)

    def sweep(self, duration_s: float, watch: Callable[[Floats, str], None]) -> SweptPoints:
        """Every position of the tip during `duration_s`; `watch` as in `collect_sweep`."""
        self._hand.sweep(duration_s)
        tip = self._calibrated.T_stylus_stylus_tip
        return collect_sweep(self._tracker, tip, duration_s, self._settings, watch)

    @property
    def tip_error_rms_mm(self) -> float | None:
        """Expected error of the tip; None before it is calibrated."""
        return None if self.calibration is None else self.calibration.expected_tip_error_rms_mm

    @property
    def tip_covariance_mm2(self) -> Floats:
        """Of the tip's position ``(3, 3)``, the same along every axis: how the stylus will be held is not known."""
        return self._calibrated.expected_tip_error_rms_mm**2 / 3.0 * np.eye(3)

    @property
    def _calibrated(self) -> PivotCalibration:
        if self.calibration is None:
            raise RegisteringError("a stylus whose tip is not known", "a calibrated one", "pivot it first: press p")
        return self.calibration
