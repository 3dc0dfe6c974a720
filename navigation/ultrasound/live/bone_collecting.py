"""Collects the bone of tracked ultrasound frames for a registration, recorded ones or as they come."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import PROBE, REFERENCE
from navigation.acquisition.collecting import Advice
from navigation.acquisition.probe.frames import CollectedFrames, Placed, ProbeMarkers
from navigation.devices.ultrasound.source import UltrasoundFrame
from navigation.errors import DeviceError
from navigation.ultrasound.live.bone import bone_found
from navigation.ultrasound.placing import ProbeInForce
from reconstruction.ultrasound.bone_surface import BoneSurface, find_bone_surface
from registration.surface.bone_sweep import TrackedBone

# Over which the speed of the probe is taken, to both sides.
_BASELINE_S = 0.02
# With so many frames the errors that all of them share are the larger part.
_ENOUGH = 120


class BoneCollecting:
    """Frames with bone, and the probe's poses between them.

    Args:
        probe: its calibrations in force; its images are refused where they are not those of the calibration.

    Attributes:
        n_images: images that came.
    """

    def __init__(self, probe: ProbeInForce) -> None:
        self.markers = ProbeMarkers(probe.name, REFERENCE)
        self.n_images = 0
        self._probe, self._frames = probe, CollectedFrames[BoneSurface](self.markers, self._found)

    def add(self, frame: UltrasoundFrame) -> None:
        """Takes a frame in.

        Raises:
            DeviceError: an image of another size or depth than those of the calibration.
        """
        self._frames.add(frame)

    def undo(self) -> None:
        """Takes the last seconds back."""
        self._frames.undo()

    @property
    def is_enough(self) -> bool:
        return len(self._frames) >= _ENOUGH

    def advice(self) -> Advice:
        """To sweep on until there are frames enough."""
        there = len(self._frames)
        said = f"bone in {there} of {self.n_images} images"
        if self.is_enough:
            return Advice.enough(said)
        step = "move the probe slowly along the spine and back, over both sides of it"
        return Advice(step, there / _ENOUGH, said)

    def tracked(self) -> list[TrackedBone]:
        """The bone of all frames for which the probe's pose is known at the instant that they show.

        Raises:
            ProbeRefusedError: the probe was seen in fewer than two frames.
        """
        return [self._tracked(each) for each in self._frames.placed(self._probe.lag_s)]

    def _tracked(self, placed: Placed[BoneSurface]) -> TrackedBone:
        pose = placed.poses[self._probe.name]
        around = placed.time_s + self._probe.lag_s + _BASELINE_S * np.array([-1.0, 1.0])
        (before, after), _ = self._frames.motion().at(around)  # at the ends, the speed of half the time: less, not more
        turned = Rotation.from_matrix(after[:3, :3] @ before[:3, :3].T).as_rotvec()
        twist = np.append(turned, after[:3, 3] - before[:3, 3]) / (2.0 * _BASELINE_S)
        return bone_found(placed.found, Transform(pose.matrix, REFERENCE, PROBE), twist)

    def _found(self, frame: UltrasoundFrame) -> BoneSurface | None:
        if frame.pixels is None:
            return None
        self.n_images += 1
        trouble = self._probe.trouble((frame.pixels.shape[1], frame.pixels.shape[0]), frame.pixel_mm)
        if trouble:
            raise DeviceError(
                f"image {frame.sequence} with {trouble}",
                f"images as those of the calibration of {self._probe.spatial.made}",
                "set the scanner as it was calibrated, or calibrate the probe for this setting",
            )
        found = find_bone_surface(frame.pixels)
        return found if len(found.columns) else None
