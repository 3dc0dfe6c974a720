"""How much independent evidence surface points carry: neighbours share the surface's own error.

A swept stylus gives thousands of points, but the segmentation's error hardly changes over a centimetre: a thousand
points within it are one look at the surface, not a thousand. Within a patch of `correlation_length_mm` squared, n
points have the covariance ``s^2 I + m^2 1 1'`` (s: each point's own noise, m: the model error they share), so their
mean carries the information ``n / (s^2 + n m^2)``, and each of them ``1 / (s^2 + n m^2)``. With a noise of its own,
s_i, point i has ``1 / (s_i^2 + n_i m^2)`` by the same inverse, n_i = ``s_i^2 sum_j s_j^-2`` being how many points like
itself the patch is worth.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from geometry.points import Floats


def neighbour_counts(points_mm: Floats, correlation_length_mm: float, noise_mm: Floats | None = None) -> Floats:
    """How many points like itself ``(n,)`` share a patch with each point, itself included, for points ``(n, 3)``.

    The patch is the disc of the same area: unlike the cells of a grid, it does not depend on where the axes are.

    Args:
        noise_mm: standard deviation of each point ``(n,)``; all the same if left out.
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
    """Information ``(n,)`` in 1/mm^2 that each point adds along its normal."""
    return 1.0 / (point_noise_mm**2 + counts * model_error_mm**2)
