"""Closed-form rigid fit of paired points (Kabsch 1976; Arun 1987; Horn, JOSA A 4(4), 1987), and its misfit."""

from __future__ import annotations

from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import CT, REFERENCE
from geometry.points import Floats


def fit_rigid(points_ct: Floats, points_reference: Floats, weights: Floats) -> Transform:
    """``T_reference_ct`` that minimises the weighted squared distances of pairs ``(n, 3)``; never a reflection."""
    centroid_ct = weights @ points_ct / weights.sum()
    centroid_reference = weights @ points_reference / weights.sum()
    rotation, _ = Rotation.align_vectors(points_reference - centroid_reference, points_ct - centroid_ct, weights)
    return Transform.from_rotation(rotation, centroid_reference - rotation.apply(centroid_ct), REFERENCE, CT)


def misfit(points_ct: Floats, points_reference: Floats, weights: Floats) -> float:
    """Weighted sum of squared residuals of the best rigid fit of pairs ``(n, 3)``."""
    residuals = points_reference - fit_rigid(points_ct, points_reference, weights).apply(points_ct)
    return float(weights @ (residuals**2).sum(axis=1))
