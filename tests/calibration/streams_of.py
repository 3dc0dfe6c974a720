"""Streams of poses with a known truth, for the tests of several calibrations."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.streams import PoseStream

TIP_MM = np.array([3.0, -5.0, -160.0])
PIVOT_MM = np.array([120.0, -80.0, -1500.0])


def pivoted(n: int = 200, noise_mm: float = 0.1, seed: int = 2, largest_rad: float = 0.6) -> PoseStream:
    """A stylus rocked about `PIVOT_MM` with its tip at `TIP_MM`, at 20 poses a second."""
    rng = np.random.default_rng(seed)
    # Two slow turns and one about itself, as a hand makes them.
    phase = np.linspace(0.0, 1.0, n)
    angles = largest_rad * np.stack([np.sin(40.0 * phase), np.cos(33.0 * phase), np.sin(7.0 * phase)], axis=1)
    rotations = Rotation.from_rotvec(angles)
    poses = np.tile(np.eye(4), (n, 1, 1))
    poses[:, :3, :3] = rotations.as_matrix()
    poses[:, :3, 3] = PIVOT_MM - rotations.apply(TIP_MM) + rng.normal(0.0, noise_mm, (n, 3))
    return PoseStream("tracker", "stylus", np.arange(n) / 20.0, poses, 0, "made")
