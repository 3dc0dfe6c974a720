"""The tracked stylus of a registration session: pivot calibration, then touches and sweeps.

Before each measurement the `Hand` is asked to do what the screen asks of the person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from calibration.pivot.pivot import PivotCalibration, calibrate_pivot
from calibration.streams import PoseStream
from geometry import Transform
from geometry.frames import STYLUS
from geometry.points import Floats
from navigation.acquisition.collect import (
    AcquisitionSettings,
    SweptPoints,
    collect_sweep,
    collect_timed_poses,
    collect_touch,
)
from navigation.devices.driver import Device, Role, Tool
from navigation.devices.hand import Hand
from navigation.devices.tracker import Tracker
from navigation.room.instruments import instruments_of
from registration.errors import RegisteringError
from registration.measurements import TouchedPoint
from registration.record.accepted import Instruments
from registration.record.verify import tip_covariance_mm2

_STYLUS = Tool(name=STYLUS, role=Role.STYLUS, id=STYLUS, settings=None)


class Stylus:
    """Calibrates the stylus and measures with it, on a running tracker.

    Args:
        name: name of the tracker, as the record of the registration has it.
        tracker: a running tracker that sees stylus and reference.
        hand: whoever holds the stylus.
        settings: durations, and conditions under which a measurement is accepted.
        tool: the stylus: its name among the tracker's tools, and its tip if that is calibrated already.
        keep_pivot: is given the poses of each pivot, whether its tip is believed or not.
        devices: of the room that it is in, for the record of what was measured with.

    Attributes:
        T_stylus_tip: the tip, ``T_<stylus>_<stylus>_tip``; None before it is calibrated.
        tip_error_rms_mm: expected RMS error of the tip in mm; None before it is calibrated.
    """

    def __init__(
        self,
        name: str,
        tracker: Tracker,
        hand: Hand,
        settings: AcquisitionSettings | None = None,
        tool: Tool = _STYLUS,
        keep_pivot: Callable[[PoseStream], None] = lambda stream: None,
        devices: Sequence[Device] = (),
    ) -> None:
        self.name = name
        self.T_stylus_tip: Transform | None = tool.T_tool_tip
        self.tip_error_rms_mm: float | None = tool.tip_error_rms_mm
        self._tracker = tracker
        self._hand = hand
        self._tool = tool.name
        self._keep_pivot, self._devices = keep_pivot, devices
        self.settings = settings or AcquisitionSettings()

    def calibrate(self) -> PivotCalibration:
        """Records poses for a pivot calibration, and calibrates the tip from them.

        Raises:
            PivotRefusedError: too few poses, too little tilt, or a tip that slipped.
            PoseStreamError: it was never seen.
            AcquisitionError: no new frame came from the tracker in time.
        """
        self._hand.pivot()
        timed = collect_timed_poses(self._tracker, self._tool, self.settings.pivot_s, self.settings)
        seen = [(time_s, pose) for time_s, pose in timed if pose is not None]
        times_s, poses = [time_s for time_s, _ in seen], [pose for _, pose in seen]
        stream = PoseStream.of(times_s, poses, len(timed) - len(seen), self.name)
        try:
            found = calibrate_pivot(stream)
            self.T_stylus_tip, self.tip_error_rms_mm = found.T_stylus_stylus_tip, found.expected_tip_error_rms_mm
        finally:
            self._keep_pivot(stream)
        return found

    def touch(self, point_ct_mm: Floats) -> TouchedPoint:
        """Measures the landmark at `point_ct_mm` ``(3,)``, once the tip is held still on it.

        Raises:
            RegisteringError: the stylus is not calibrated.
            AcquisitionError: as `collect_touch`.
        """
        self._hand.touch(point_ct_mm)
        return collect_touch(self._tracker, self._calibrated_tip(), self.settings)

    def touch_surface(self) -> TouchedPoint:
        """Measures a point anywhere on the surface, once the tip is held still there; raises as `touch`."""
        self._hand.touch_surface()
        return collect_touch(self._tracker, self._calibrated_tip(), self.settings)

    def sweep(self, watch: Callable[[Floats, str], None]) -> SweptPoints:
        """Measures every position of the tip during `settings.sweep_s`; `watch` and errors as in `collect_sweep`."""
        duration_s = self.settings.sweep_s
        self._hand.sweep(duration_s)
        return collect_sweep(self._tracker, self._calibrated_tip(), duration_s, self.settings, watch)

    @property
    def instruments(self) -> Instruments:
        """The reference, and this stylus with the tip that it has now."""
        return instruments_of(self._devices, self._tool, self.T_stylus_tip, self.tip_error_rms_mm)

    @property
    def tip_covariance_mm2(self) -> Floats:
        """Covariance ``(3, 3)`` of the tip's position in mm^2.

        Raises:
            RegisteringError: the stylus is not calibrated.
        """
        self._calibrated_tip()
        return tip_covariance_mm2(self.tip_error_rms_mm or 0.0)

    def _calibrated_tip(self) -> Transform:
        if self.T_stylus_tip is None:
            raise RegisteringError(
                "a stylus whose tip is not calibrated", "a calibrated stylus", "pivot the stylus first: press p"
            )
        return self.T_stylus_tip
