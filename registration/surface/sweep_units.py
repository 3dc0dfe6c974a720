"""Detects a sweep in another unit than the landmarks: it lies near the surface only once it is converted."""

from __future__ import annotations

import numpy as np

from geometry import Transform
from geometry.points import Floats
from registration.distance.closest_point import DistanceField
from registration.errors import SurfacePointsRefusedError
from registration.landmarks.units import IN_MM

# Points within this distance count as near the surface: landmarks may be some mm off, and a sweep has outliers.
NEAR_MM = 15.0
LEAST_SHARE = 0.8
# Points within a smaller extent are no sweep in mm, even if they lie near the surface.
LEAST_SPREAD_MM = 5.0
ENOUGH_POINTS = 300


def check_sweep_units(points_reference: Floats, field_ct: DistanceField, T_reference_ct: Transform) -> None:
    """Raises `SurfacePointsRefusedError` if swept points fit the surface only once converted to mm.

    Args:
        points_reference: swept points ``(n, 3)``, supposedly in mm.
        field_ct: distance to the surface.
        T_reference_ct: the pose from the landmarks.
    """
    points = points_reference[:: max(1, len(points_reference) // ENOUGH_POINTS)]
    spread = float(np.linalg.norm(np.ptp(np.percentile(points, [5.0, 95.0], axis=0), axis=0)))
    if spread >= LEAST_SPREAD_MM and _share_near(points, field_ct, T_reference_ct) >= 0.5:
        return
    # Largest factor first: with too small a one the sweep stays small, and may lie near the surface by accident.
    for unit, factor in sorted(IN_MM.items(), key=lambda known: -known[1]):
        share = _share_near(factor * points, field_ct, T_reference_ct)
        if share >= LEAST_SHARE and factor * spread >= LEAST_SPREAD_MM:
            raise SurfacePointsRefusedError(
                f"a sweep with an extent of {spread:.3g} that does not lie on the surface under the landmarks' pose "
                f"(taken for {unit}, {share:.0%} of its points lie within {NEAR_MM:g} mm of it)",
                "millimetres in both",
                f"convert the sweep from {unit} to millimetres",
            )


def _share_near(points_reference: Floats, field_ct: DistanceField, T_reference_ct: Transform) -> float:
    distance = field_ct.distance(T_reference_ct.inverse().apply(points_reference))
    return float(np.mean(np.abs(distance.signed_mm) < NEAR_MM))
