"""Weights of surface points whose errors are correlated: neighbours share the surface's own error.

A swept stylus gives thousands of points, but the error of the segmentation hardly changes over a centimetre: a thousand
points within it are not a thousand independent observations. Within a patch of `correlation_length_mm` squared, n
points have the covariance ``s^2 I + m^2 1 1'`` (s: each point's own noise, m: the model error they share), so their
mean carries the information ``n / (s^2 + n m^2)``, and each of them ``1 / (s^2 + n m^2)``. If point i has its own noise
s_i, its information is ``1 / (s_i^2 + n_i m^2)`` by the same inverse, with ``n_i = s_i^2 sum_j s_j^-2``, the number of
points with the noise s_i that would carry the same information as the patch.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from geometry.points import Floats


def neighbour_counts(points_mm: Floats, correlation_length_mm: float, noise_mm: Floats | None = None) -> Floats:
    """Effective number of points ``(n,)`` in the patch around each of n points, the point itself included.

    The patch is a disc with the area of the square: unlike grid cells, it does not depend on the axes.

    Args:
        points_mm: ``(n, 3)``.
        correlation_length_mm: side of the square.
        noise_mm: standard deviation of each point ``(n,)``; equal for all if left out.
    """
    pairs = cKDTree(points_mm).query_pairs(correlation_length_mm / np.sqrt(np.pi), output_type="ndarray")
    first, second = pairs.T
    precision = np.ones(len(points_mm)) if noise_mm is None else noise_mm**-2.0
    shared = precision.copy()
    shared += np.bincount(first, precision[second], minlength=len(points_mm))
    shared += np.bincount(second, precision[first], minlength=len(points_mm))
    counts: Floats = shared / precision
    return counts


def point_weights(counts: Floats, point_noise_mm: float | Floats, model_error_mm: float) -> Floats:
    """Information ``(n,)`` in 1/mm^2 of each point along its normal, from its `neighbour_counts`."""
    return 1.0 / (point_noise_mm**2 + counts * model_error_mm**2)
