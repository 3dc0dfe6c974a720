"""Poses as arrays, whether they come as a stream or one by one, and the outliers among them with their names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from calibration.result import Outlier
from calibration.streams import PoseStream
from geometry import Transform
from geometry.errors import FrameMismatchError, SurgNavError
from geometry.points import Bools, Floats


def pose_arrays(
    poses: Sequence[Transform] | PoseStream, minimum: int, refusal: type[SurgNavError]
) -> tuple[Floats, Floats | None, str]:
    """The matrices ``(n, 4, 4)``, their times ``(n,)`` where they have some, and the marker's frame.

    Raises:
        SurgNavError: of the class `refusal`, if there are fewer than `minimum`.
        FrameMismatchError: poses between different frames.
    """
    if len(poses) < minimum:
        action = "keep the tip still and go on moving the tool"
        raise refusal(f"{len(poses)} poses of the tool", f"at least {minimum} poses", action)
    if isinstance(poses, PoseStream):
        return poses.poses, poses.time_s, poses.from_frame
    for first, pose in pairwise(poses):
        if (pose.to_frame, pose.from_frame) != (first.to_frame, first.from_frame):
            came = f"the pose {pose} among poses {first}"
            raise FrameMismatchError(came, "poses between the same two frames", "separate the poses by tool")
    return np.stack([pose.matrix for pose in poses]), None, poses[0].from_frame


def named_outliers(used: Bools, times_s: Floats | None, residuals: Floats) -> tuple[Outlier, ...]:
    """The poses that were left out, with their times and residuals, ``(n,)`` each."""
    return tuple(
        Outlier(index=int(at), time_s=None if times_s is None else float(times_s[at]), residual=float(residuals[at]))
        for at in np.flatnonzero(~used)
    )
