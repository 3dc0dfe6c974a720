"""One body that two devices see, live: how far it was turned, how well hand and eye are known to one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.errors import CalibrationRefusedError
from calibration.hand_eye.settings import HandEyeSettings
from calibration.hand_eye.streams import calibrate_hand_eye_streams
from calibration.streams import PoseStream
from geometry import Transform
from navigation.acquisition.collecting import Advice
from navigation.acquisition.live_poses import CollectedPoses, LivePoses, PoseSample
from navigation.acquisition.trying import ENOUGH

HAND, EYE = 0, 1
# Turned by 15 degrees to every side an axis has about 10 degrees RMS; the clocks' offset needs some strokes.
WANTED_TILT_RMS_RAD = np.deg2rad(10.0)
LEAST_S = 12.0
# Poses of each device enough for an advice: every so manyth, so that their spacing stays even.
_ADVISED_BY = 300


@dataclass(frozen=True)
class PairSample:
    """A pose that one of the two devices gave."""

    which: int
    sample: PoseSample


@dataclass(frozen=True)
class PairFrames:
    """What the poses are called.

    Attributes:
        base, hand: ``T_base_hand``, as the first device gives it.
        world, eye: ``T_world_eye``.
        is_eye_the_device: the second device moves with the hand, and what it sees stands still: its poses are turned
            round.
    """

    base: str
    hand: str
    world: str
    eye: str
    is_eye_the_device: bool

    def of(self, which: int, pose: Transform) -> Transform:
        """A device's pose under its name here."""
        if which == HAND:
            return Transform(pose.matrix, self.base, self.hand)
        return Transform((pose.inverse() if self.is_eye_the_device else pose).matrix, self.world, self.eye)


class LivePairs:
    """The poses of the two devices in turn, each as it comes.

    Args:
        hand, eye: of running devices, which wait for a short while only.
    """

    def __init__(self, hand: LivePoses, eye: LivePoses) -> None:
        self._sources = hand, eye
        self._turn = EYE

    @property
    def why(self) -> str:
        """What is not seen, and why; empty if both are."""
        return "; ".join(each.why for each in self._sources if each.why)

    @property
    def n_missing(self) -> tuple[int, int]:
        """Frames of each device without a pose."""
        hand, eye = self._sources
        return hand.n_missing, eye.n_missing

    def next(self) -> PairSample | None:
        """The next pose of the device whose turn it is; None if it has none.

        Raises:
            AcquisitionError: nothing at all comes from a device.
        """
        self._turn = EYE if self._turn == HAND else HAND
        sample = self._sources[self._turn].next()
        return None if sample is None else PairSample(self._turn, sample)


class HandEyeCollecting:
    """Satisfies `Collecting` for the poses of two devices.

    Args:
        source: name of the room.
        frames: what the poses are called.
        settings: what the calibration must bring.
    """

    def __init__(self, source: str, frames: PairFrames, settings: HandEyeSettings | None = None) -> None:
        self._frames, self._settings = frames, settings or HandEyeSettings()
        self._streams = CollectedPoses(f"{source} {frames.hand}"), CollectedPoses(f"{source} {frames.eye}")
        self._is_enough = False

    @property
    def is_enough(self) -> bool:
        """Whether, at the last advice, the motion was wide and the result known to half of what is accepted."""
        return self._is_enough

    def add(self, sample: PairSample) -> None:
        """Takes a pose in."""
        pose = self._frames.of(sample.which, sample.sample.pose)
        self._streams[sample.which].add(PoseSample(sample.sample.time_s, pose))

    def undo(self) -> None:
        """Takes the last seconds of both back."""
        for each in self._streams:
            each.undo()

    def streams(self, n_missing: tuple[int, int] = (0, 0)) -> tuple[PoseStream, PoseStream]:
        """``T_base_hand`` and ``T_world_eye``.

        Raises:
            PoseStreamError: a device saw nothing.
        """
        hand, eye = self._streams
        return hand.stream(n_missing[HAND]), eye.stream(n_missing[EYE])

    def advice(self) -> Advice:
        self._is_enough = False
        step = "turn the body slowly about all three axes, by 20 degrees and more, while both devices see it"
        counts = tuple(map(len, self._streams))
        seconds = min(each.duration_s for each in self._streams)
        if min(counts) < 2 or seconds < self._settings.least_overlap_s:
            doubt = f"{counts[HAND]} poses of the hand, {counts[EYE]} of the eye, over {seconds:.0f} s"
            return Advice(step, 0.3 * min(1.0, seconds / LEAST_S), doubt)
        tilt = min(1.0, _tilt_rms_rad(self._streams[HAND]) / WANTED_TILT_RMS_RAD)
        coverage = min(tilt, 1.0, seconds / LEAST_S)
        try:
            hand, eye = self.streams()
            found = calibrate_hand_eye_streams(_thinned(hand), _thinned(eye), self._settings)
        except CalibrationRefusedError as error:
            return Advice(error.action, min(coverage, 0.99), f"not known yet: {error.came}")
        error_mm, error_rad = found.expected_error_rms_mm(), found.expected_error_rms_rad
        known = f"the eye is known to {error_mm:.2f} mm and {np.rad2deg(error_rad):.2f} degrees RMS"
        self._is_enough = (
            coverage >= 1.0
            and error_mm <= ENOUGH * self._settings.maximum_expected_error_rms_mm
            and error_rad <= ENOUGH * self._settings.maximum_expected_error_rms_rad
        )
        return Advice.enough(known) if self._is_enough else Advice(step, coverage, known)


def _tilt_rms_rad(poses: CollectedPoses) -> float:
    """RMS tilt of the body's least tilted axis."""
    least = float(np.linalg.svd(np.stack([pose.rotation_matrix for pose in poses.poses]).mean(axis=0))[1][0])
    return float(np.sqrt(max(0.0, 1.0 - least**2)))


def _thinned(stream: PoseStream) -> PoseStream:
    every = -(-len(stream) // _ADVISED_BY)
    return PoseStream(
        stream.to_frame, stream.from_frame, stream.time_s[::every], stream.poses[::every], 0, stream.source
    )
