"""How much independent evidence surface points carry: neighbours share the surface's own error.

A swept stylus gives thousands of points, but the segmentation's error hardly changes over a centimetre: a thousand
points within it are one look at the surface, not a thousand. Within a patch of `correlation_length_mm` squared, n
points have the covariance ``s^2 I + m^2 1 1'`` (s: each point's own noise, m: the model error they share), so their
mean carries the information ``n / (s^2 + n m^2)``, and each of them ``1 / (s^2 + n m^2)``.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from geometry.points import Floats


def neighbour_counts(points_mm: Floats, correlation_length_mm: float) -> Floats:
    """Points ``(n,)`` that share a patch with each point, itself included, for points ``(n, 3)``.

    The patch is the disc of the same area: unlike the cells of a grid, it does not depend on where the axes are.
    """
    tree = cKDTree(points_mm)
    radius_mm = correlation_length_mm / np.sqrt(np.pi)
    return np.asarray(tree.query_ball_point(points_mm, radius_mm, return_length=True), dtype=np.float64)


def point_weights(counts: Floats, point_noise_mm: float, model_error_mm: float) -> Floats:
    """Information ``(n,)`` in 1/mm^2 that each point adds along its normal."""
    return 1.0 / (point_noise_mm**2 + counts * model_error_mm**2)
