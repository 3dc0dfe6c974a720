"""The noise of a marker's pose to be expected from the jitter of its spheres, as a tracker's firmware may state it.

The distortion of the tracker is not in it. It is the same from one frame to the next and nearly so for what is near, so
that it is an error of a registration (`Assumptions.tracker_shift_mm`), with which it is counted.
"""

from __future__ import annotations

import numpy as np

from geometry import Transform
from geometry.points import Floats
from registration.uncertainty.perturbation import motion_jacobian


class MarkerNoise:
    """Gives the covariance of a marker's pose, to first order, for a rigid fit that weights all spheres alike.

    Args:
        spheres_mm: ``(n, 3)`` in the marker's frame.
        jitter_rms_mm: RMS length of a sphere's error, independent of the others'.
        depth_ratio: ratio of that error along the line of sight, z, to that across it.
        reference_depth_mm: beyond this distance the errors grow with the square of it.
    """

    def __init__(self, spheres_mm: Floats, jitter_rms_mm: float, depth_ratio: float, reference_depth_mm: float) -> None:
        fit = np.linalg.pinv(motion_jacobian(spheres_mm, np.zeros(3)).reshape(-1, 6)).reshape(6, -1, 3)
        self._of_axes = np.einsum("aic,bid->abcd", fit, fit).reshape(36, 9)
        across = jitter_rms_mm**2 / (2.0 + depth_ratio**2)
        self._axes_mm2 = np.array([across, across, across * depth_ratio**2])
        self._reference_depth_mm = reference_depth_mm

    def covariance(self, T_tracker_marker: Transform) -> Floats:
        """Covariance ``(6, 6)`` of (rotation vector in rad, translation in mm) about its origin, in ``tracker``."""
        turn = T_tracker_marker.rotation_matrix
        growth = max(1.0, float(T_tracker_marker.translation_mm[2]) / self._reference_depth_mm) ** 4
        axes = (turn.T * (growth * self._axes_mm2)) @ turn
        own = (self._of_axes @ axes.reshape(9)).reshape(6, 6)
        both = np.zeros((6, 6))
        both[:3, :3] = both[3:, 3:] = turn
        turned: Floats = both @ own @ both.T
        return (turned + turned.T) / 2.0
