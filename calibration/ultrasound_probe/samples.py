"""What one ultrasound image gives to a calibration: points of the image, and where the probe was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from calibration.ultrasound_probe.errors import ProbeInputError
from geometry import Transform
from geometry.points import Floats, read_only


@dataclass(frozen=True, eq=False)
class ProbeSample:
    """Points seen in one image, and the pose of the probe at that image's time.

    Attributes:
        index: number of the image in its recording; what an outlier is named by.
        time_s: time of the image in s, on the recording's clock.
        points_px: the points, ``(n, 2)`` in px: x along the row, y down the depth, the middle of the first pixel at
            (0, 0). Made read-only.
        T_fixed_probe: pose of the probe's marker in a frame that stands still while the probe moves: the phantom, the
            reference or the tracker.
        names: what each point is, such as the name of its wire; empty where all points are alike.

    Raises:
        ProbeInputError: points of another shape or not finite, a time that is not finite, or not one name per point.
    """

    index: int
    time_s: float
    points_px: Floats
    T_fixed_probe: Transform
    names: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        points_px = np.array(self.points_px, np.float64)
        if points_px.ndim != 2 or points_px.shape[1] != 2 or not np.isfinite(points_px).all():
            raise ProbeInputError(
                f"image points of shape {points_px.shape} in image {self.index}, or some that are not finite",
                "an (n, 2) array of x and y in px",
                "leave out points that were not found",
            )
        if not np.isfinite(self.time_s):
            came = f"the time {self.time_s} of image {self.index}"
            raise ProbeInputError(came, "a finite time in s", "leave out images without a time")
        if self.names and len(self.names) != len(points_px):
            raise ProbeInputError(
                f"{len(self.names)} names for {len(points_px)} points in image {self.index}",
                "one name per point, or none at all",
                "name every point by its wire",
            )
        object.__setattr__(self, "points_px", read_only(points_px))


def check_samples(samples: Sequence[ProbeSample], minimum: int) -> tuple[str, str]:
    """Returns the frames ``(to, from)`` that all samples share.

    Raises:
        ProbeInputError: fewer samples than `minimum`, times that go back or stand still, an image twice, or poses
            between different frames.
    """
    if len(samples) < minimum:
        came = f"{len(samples)} ultrasound images with points"
        raise ProbeInputError(came, f"at least {minimum}", "record for longer, with the phantom in view")
    first = samples[0].T_fixed_probe
    frames = first.to_frame, first.from_frame
    for earlier, later in pairwise(samples):
        pose = later.T_fixed_probe
        if (pose.to_frame, pose.from_frame) != frames:
            came = f"the pose {pose} in image {later.index} among poses {first}"
            raise ProbeInputError(came, "poses between the same two frames", "separate the samples by tool")
        if later.time_s <= earlier.time_s or later.index == earlier.index:
            raise ProbeInputError(
                f"image {later.index} at {later.time_s:.3f} s after image {earlier.index} at {earlier.time_s:.3f} s",
                "images in the order of time, each once",
                "sort them, and leave out repeated ones: a device that sends an image again repeats its time",
            )
    return frames
