"""The wires of an N-wire phantom in ultrasound images, live and recorded; and what is missing yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.result import CalibrationResult, InputFile
from calibration.ultrasound_probe.errors import ProbeInputError, ProbeRefusedError
from calibration.ultrasound_probe.flips import ProbeAxes
from calibration.ultrasound_probe.results import N_WIRE_METHOD, n_wire_result
from calibration.ultrasound_probe.samples import ProbeSample
from calibration.ultrasound_probe.wires.in_image import WireSettings, WiresSeen, find_wires
from calibration.ultrasound_probe.wires.n_wire import NWireCalibration, NWireSettings, calibrate_n_wires
from calibration.ultrasound_probe.wires.phantom import NWirePhantom
from geometry import Transform
from geometry.points import Floats
from navigation.acquisition.collecting import Advice
from navigation.acquisition.probe.frames import CollectedFrames, ProbeMarkers, sample_of

# Images enough for an advice; a calibration of them takes some tens of milliseconds.
_ADVISED_BY = 60
# As many images as an accepted calibration of PLUS's own recordings has, and a probe tilted to two sides.
_WANTED_IMAGES, _WANTED_TILT_DEG = 90, 5.0
# A lag that was estimated is good enough for advice until there are so many times as many images.
_LAG_HOLDS_FOR = 1.5
# A lag that is stated and one that the wires tell are the same within three standard deviations, or this.
_SAME_LAG_S = 0.02


@dataclass(frozen=True, kw_only=True, eq=False)
class WireScan:
    """What is stated of an N-wire calibration before it is made.

    Attributes:
        phantom: the wires.
        T_fixed_phantom: where they are, in the frame that the poses of the probe lead to.
        spacing_mm: size of a pixel, roughly: within a quarter.
        lag_s: of the images against the poses, from a temporal calibration; None to estimate it.
        phantom_error_rms_mm: how well the phantom's place is known; None where nobody knows.
        axes: to which sides the probe looks.
    """

    phantom: NWirePhantom
    T_fixed_phantom: Transform
    spacing_mm: float
    lag_s: float | None = None
    phantom_error_rms_mm: float | None = None
    axes: ProbeAxes = field(default_factory=ProbeAxes)

    @property
    def phantom_covariance(self) -> Floats | None:
        """``(6, 6)`` of a place that is off by this, alike along three axes."""
        if self.phantom_error_rms_mm is None:
            return None
        covariance = np.zeros((6, 6))
        covariance[3:, 3:] = self.phantom_error_rms_mm**2 / 3.0 * np.eye(3)
        return covariance


class WireCollecting(CollectedFrames[WiresSeen]):
    """Satisfies `Collecting` for ultrasound frames with the wires of a phantom.

    Args:
        markers: the probe, and what the phantom is registered to.
        scan: what is stated.
        settings: what the calibration must bring.
    """

    def __init__(self, markers: ProbeMarkers, scan: WireScan, settings: NWireSettings | None = None) -> None:
        how = WireSettings(spacing_mm=scan.spacing_mm)
        super().__init__(
            markers, lambda frame: None if frame.pixels is None else find_wires(frame.pixels, scan.phantom, how)
        )
        self.scan = scan
        self._settings = settings or NWireSettings(probe_axes=scan.axes)
        self._is_enough = False
        self._advised_lag = 0, 0.0  # from how many images, and the lag in s

    @property
    def is_enough(self) -> bool:
        """Whether, at the last advice, there were images enough, the probe was tilted, and the result good enough."""
        return self._is_enough

    def samples(self, lag_s: float = 0.0) -> tuple[ProbeSample, ...]:
        """The wires in each image, from the side that most images show; images that show another are left out."""
        placed = self.placed(lag_s)
        mirrored = 2 * sum(each.found.mirrored for each in placed) > len(placed)
        return tuple(
            sample_of(each, self.markers, each.found.points_px, each.found.names)
            for each in placed
            if each.found.mirrored == mirrored
        )

    def calibration(self) -> NWireCalibration:
        """What the images come to.

        Raises:
            ProbeInputError, ProbeRefusedError: as `calibrate_n_wires`.
        """
        return self._calibrated(self.scan.lag_s)

    def _calibrated(self, lag_s: float | None, most: int | None = None) -> NWireCalibration:
        """With this lag, or with None an estimated one; of `most` images, evenly chosen, or of all."""
        samples = self.samples(lag_s or 0.0)
        if not samples or self.size_px is None:
            raise ProbeRefusedError(
                f"{len(self.frames)} images without wires of the phantom beside a pose of the probe",
                "images with two or more whole Ns",
                "check that the phantom is the one described, and the size of a pixel (--spacing-mm)",
            )
        if most is not None and len(samples) > most:
            samples = tuple(samples[k] for k in np.linspace(0, len(samples) - 1, most).astype(int))
        return calibrate_n_wires(
            samples,
            self.scan.phantom,
            self.scan.T_fixed_phantom,
            self.size_px,
            motion=self.motion() if lag_s is None else None,
            phantom_covariance=self.scan.phantom_covariance,
            settings=self._settings,
        )

    def advice(self) -> Advice:
        self._is_enough = False
        count, wanted = len(self), self._settings.minimum_images
        if count < wanted:
            step = "move the probe slowly over the phantom, square to its wires, with all of them in view"
            return Advice(
                step, 0.5 * count / wanted, f"wires in {count} images; {wanted} are needed before anything is known"
            )
        try:
            found = self._for_advice(count)
        except (ProbeRefusedError, ProbeInputError) as error:
            return Advice(error.action, 0.3, f"not known yet: {error.came}")
        known = (
            f"the image's middle is known to {found.calibration.expected_error_mm:.2f} mm RMS, its worst corner to "
            f"{found.calibration.expected_corner_error_mm:.2f} mm, from {count} images"
        )
        if found.calibration.reasons:
            return Advice(found.calibration.reasons[0], 0.5, known)
        tilt_deg = self._tilt_deg()
        coverage = min(1.0, count / _WANTED_IMAGES, 0.5 + 0.5 * tilt_deg / _WANTED_TILT_DEG)
        self._is_enough = coverage >= 1.0
        if self._is_enough:
            return Advice.enough(known)
        if tilt_deg < _WANTED_TILT_DEG:
            return Advice(
                f"tilt the probe to and fro, by 10 degrees and more ({tilt_deg:.1f} RMS so far)", coverage, known
            )
        return Advice("go on over the phantom's whole length: more images make it surer", coverage, known)

    def _for_advice(self, count: int) -> NWireCalibration:
        """Of some images; where the lag is not stated, with one that is estimated now and then, which takes longest."""
        if self.scan.lag_s is not None:
            return self._calibrated(self.scan.lag_s, _ADVISED_BY)
        before, lag_s = self._advised_lag
        if before <= count < _LAG_HOLDS_FOR * before:
            return self._calibrated(lag_s, _ADVISED_BY)
        found = self._calibrated(None, _ADVISED_BY)
        self._advised_lag = count, found.lag_s or 0.0
        return found

    def result(self, made: str, inputs: Sequence[InputFile]) -> CalibrationResult:
        """The result, accepted or refused, with what was found and what was left out."""
        result = CalibrationResult.or_refused(
            lambda: n_wire_result(self.calibration(), made, inputs),
            kind="probe_spatial",
            subject=self.markers.probe,
            made=made,
            method=N_WIRE_METHOD,
            n_used=len(self),
            inputs=inputs,
        )
        turned = len(self) - len(self.samples())
        said = f"wires were found in {len(self) - turned} of {sum(each.has_image for each in self.frames)} images"
        if turned:
            said += f"; {turned} more were left out, whose pattern was seen from the other side"
        return result.model_copy(update={"coverage": (said, *result.coverage, *self._said_of_lag())})

    def _said_of_lag(self) -> list[str]:
        """Whether the wires tell another lag than the one that was stated."""
        lag_s = self.scan.lag_s
        if lag_s is None:
            return []
        try:
            found = self._calibrated(None, _ADVISED_BY)
        except (ProbeRefusedError, ProbeInputError):
            return []
        stated = f"a lag of {1e3 * lag_s:.0f} ms was stated and used"
        if found.lag_s is None or found.lag_sd_s is None:
            return [stated]
        off_s = abs(found.lag_s - lag_s)
        if off_s <= max(_SAME_LAG_S, 3.0 * found.lag_sd_s):
            return [f"{stated}; the wires agree with it"]
        return [
            f"{stated}, but the wires fit poses at {1e3 * found.lag_s:.0f} ms (standard deviation "
            f"{1e3 * found.lag_sd_s:.0f} ms): measure it anew with 'surgnav calibrate probe-time'"
        ]

    def _tilt_deg(self) -> float:
        """RMS of the second largest of the probe's turns about three axes, in degrees."""
        rotations = Rotation.from_matrix([each.poses[self.markers.probe].rotation_matrix for each in self.placed()])
        turns = (rotations.mean().inv() * rotations).as_rotvec()
        squares = np.linalg.eigvalsh(turns.T @ turns / len(turns))
        return float(np.rad2deg(np.sqrt(max(0.0, squares[1]))))
