"""The tracked stylus of a registration session: pivot calibration, then touches and sweeps.

Before each measurement the `Hand` is asked to do what the screen asks of the person.
"""

from __future__ import annotations

from collections.abc import Callable

from calibration.pivot import PivotCalibration, calibrate_pivot
from geometry.frames import STYLUS
from geometry.points import Floats
from navigation.acquisition.collect import AcquisitionSettings, SweptPoints, collect_poses, collect_sweep, collect_touch
from navigation.devices.hand import Hand
from navigation.devices.tracker import Tracker
from registration.errors import RegisteringError
from registration.measurements import TouchedPoint
from registration.record.verify import tip_covariance_mm2


class Stylus:
    """Calibrates the stylus and measures with it, on a running tracker.

    Args:
        name: name of the tracker, as the record of the registration has it.
        tracker: a running tracker that sees stylus and reference.
        hand: whoever holds the stylus.
        settings: durations, and conditions under which a measurement is accepted.

    Attributes:
        calibration: the last pivot calibration; None before the first.
    """

    def __init__(self, name: str, tracker: Tracker, hand: Hand, settings: AcquisitionSettings | None = None) -> None:
        self.name = name
        self.calibration: PivotCalibration | None = None
        self._tracker = tracker
        self._hand = hand
        self.settings = settings or AcquisitionSettings()

    def calibrate(self) -> PivotCalibration:
        """Records poses for a pivot calibration, and calibrates the tip from them.

        Raises:
            PivotRefusedError: too few poses, too little tilt, or a tip that slipped.
            AcquisitionError: no new frame came from the tracker in time.
        """
        self._hand.pivot()
        self.calibration = calibrate_pivot(collect_poses(self._tracker, STYLUS, self.settings.pivot_s, self.settings))
        return self.calibration

    def touch(self, point_ct_mm: Floats) -> TouchedPoint:
        """Measures the landmark at `point_ct_mm` ``(3,)``, once the tip is held still on it.

        Raises:
            RegisteringError: the stylus is not calibrated.
            AcquisitionError: as `collect_touch`.
        """
        self._hand.touch(point_ct_mm)
        return collect_touch(self._tracker, self._calibrated.T_stylus_stylus_tip, self.settings)

    def touch_surface(self) -> TouchedPoint:
        """Measures a point anywhere on the surface, once the tip is held still there; raises as `touch`."""
        self._hand.touch_surface()
        return collect_touch(self._tracker, self._calibrated.T_stylus_stylus_tip, self.settings)

    def sweep(self, watch: Callable[[Floats, str], None]) -> SweptPoints:
        """Measures every position of the tip during `settings.sweep_s`; `watch` and errors as in `collect_sweep`."""
        duration_s = self.settings.sweep_s
        self._hand.sweep(duration_s)
        tip = self._calibrated.T_stylus_stylus_tip
        return collect_sweep(self._tracker, tip, duration_s, self.settings, watch)

    @property
    def tip_error_rms_mm(self) -> float | None:
        """Expected RMS error of the tip in mm; None before it is calibrated."""
        return None if self.calibration is None else self.calibration.expected_tip_error_rms_mm

    @property
    def tip_covariance_mm2(self) -> Floats:
        """Covariance ``(3, 3)`` of the tip's position in mm^2.

        Raises:
            RegisteringError: the stylus is not calibrated.
        """
        return tip_covariance_mm2(self._calibrated.expected_tip_error_rms_mm)

    @property
    def _calibrated(self) -> PivotCalibration:
        if self.calibration is None:
            raise RegisteringError(
                "a stylus whose tip is not calibrated", "a calibrated stylus", "pivot the stylus first: press p"
            )
        return self.calibration
