"""How far a distance may be off, with 95 %, by the covariance of the way from one end to the other."""

from __future__ import annotations

import math

import numpy as np

from geometry.points import Floats
from registration.uncertainty.expected_error import length_quantile_mm

# Of 100 values of a normal distribution 95 are within this many standard deviations.
SIGMAS_95 = 1.959964


def plane_distance_p95_mm(covariance_mm2: Floats, direction: Floats) -> float:
    """Of the distance of a point from a surface that is nearly flat there.

    Args:
        covariance_mm2: of the point, ``(3, 3)``.
        direction: unit vector ``(3,)`` in which the distance grows; zeros where there is no one direction, and then
            the error in all directions counts.
    """
    if not direction.any():
        return _length_p95_mm(covariance_mm2)
    return SIGMAS_95 * math.sqrt(max(0.0, float(direction @ covariance_mm2 @ direction)))


def length_p95_mm(covariance_mm2: Floats, away_mm: Floats) -> float:
    """Of the length of a vector ``(3,)``.

    What an error across the vector does grows as the vector gets short, ``|e|^2 / 2 d`` to second order: twice its mean
    is added as a square. A length is never off by more than the error is long.
    """
    distance_mm = float(np.linalg.norm(away_mm))
    whole_mm = _length_p95_mm(covariance_mm2)
    if distance_mm <= 0.0:
        return whole_mm
    along_mm2 = float(away_mm @ covariance_mm2 @ away_mm) / distance_mm**2
    across_mm2 = float(np.trace(covariance_mm2)) - along_mm2
    return min(whole_mm, math.hypot(SIGMAS_95 * math.sqrt(max(0.0, along_mm2)), across_mm2 / distance_mm))


def _length_p95_mm(covariance_mm2: Floats) -> float:
    return float(length_quantile_mm(covariance_mm2[None], 0.95)[0])
