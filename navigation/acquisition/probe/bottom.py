"""The depth of a flat bottom in ultrasound images while the probe moves up and down; and what is missing yet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.result import CalibrationResult, InputFile
from calibration.ultrasound_probe.bottom_line import find_bottom_line
from calibration.ultrasound_probe.errors import ProbeInputError, ProbeRefusedError
from calibration.ultrasound_probe.results import TEMPORAL_METHOD, probe_temporal_result
from calibration.ultrasound_probe.temporal import TemporalCalibration, TemporalSettings, calibrate_probe_time
from geometry.points import Floats
from navigation.acquisition.collecting import Advice
from navigation.acquisition.probe.frames import CollectedFrames, ProbeMarkers
from navigation.devices.ultrasound.source import UltrasoundFrame

# A lag that is known to half of what is accepted, from strokes of some seconds.
ENOUGH = 0.5
LEAST_S = 8.0


class BottomCollecting(CollectedFrames[float]):
    """Satisfies `Collecting` for ultrasound frames of a flat bottom.

    Args:
        markers: the probe, and what stands still with the tank.
        settings: what the calibration must bring.
    """

    def __init__(self, markers: ProbeMarkers, settings: TemporalSettings | None = None) -> None:
        super().__init__(markers, _depth_px)
        self._settings = settings or TemporalSettings()
        self._is_enough = False

    @property
    def is_enough(self) -> bool:
        """Whether, at the last advice, the lag was accepted, and known to half of what is."""
        return self._is_enough

    def advice(self) -> Advice:
        self._is_enough = False
        time_s, depth_px = self._depths()
        seen, wanted = int(np.isfinite(depth_px).sum()), self._settings.minimum_images
        step = "move the probe up and down over the flat bottom, by centimetres, in strokes of different lengths"
        if seen < wanted:
            return Advice(
                step, 0.5 * seen / wanted, f"the bottom in {seen} of {len(time_s)} images; {wanted} are needed"
            )
        covered = min(1.0, (time_s[-1] - time_s[0]) / LEAST_S)
        try:
            found = self.calibration()
        except (ProbeRefusedError, ProbeInputError) as error:
            return Advice(error.action, 0.5 * covered, f"not known yet: {error.came}")
        known = f"the lag is {1e3 * found.lag_s:.0f} ms, known to {1e3 * found.lag_sd_s:.1f} ms, from {seen} images"
        if found.reasons:
            return Advice(found.reasons[0], 0.5 * covered, known)
        sure = min(1.0, ENOUGH * self._settings.maximum_lag_sd_s / max(found.lag_sd_s, 1e-9))
        coverage = min(covered, sure)
        self._is_enough = coverage >= 1.0
        return Advice.enough(known) if self._is_enough else Advice(step, coverage, known)

    def calibration(self) -> TemporalCalibration:
        """What the images come to.

        Raises:
            ProbeInputError, ProbeRefusedError: as `calibrate_probe_time`.
        """
        return calibrate_probe_time(*self._depths(), self.motion(), self._settings)

    def result(self, made: str, inputs: Sequence[InputFile]) -> CalibrationResult:
        """The result, accepted or refused."""
        time_s, _ = self._depths()
        return CalibrationResult.or_refused(
            lambda: probe_temporal_result(self.calibration(), self.markers.probe, time_s, made, inputs),
            kind="probe_temporal",
            subject=self.markers.probe,
            made=made,
            method=TEMPORAL_METHOD,
            n_used=len(time_s),
            inputs=inputs,
        )

    def _depths(self) -> tuple[Floats, Floats]:
        """Times of the images in s, and the bottom's depth in them in px, ``(n,)`` each; NaN where it was not seen."""
        images = [each for each in self.frames if each.has_image]
        depths = [np.nan if each.found is None else each.found for each in images]
        return np.array([each.time_s for each in images]), np.array(depths, np.float64)


def _depth_px(frame: UltrasoundFrame) -> float | None:
    line = None if frame.pixels is None else find_bottom_line(frame.pixels)
    return None if line is None else line.depth_px
