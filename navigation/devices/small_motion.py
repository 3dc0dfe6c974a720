"""What a small motion of a body with a known covariance does at a lever arm."""

from __future__ import annotations

import numpy as np

from geometry.points import Floats


def covariance_at(covariance: Floats, lever_mm: Floats) -> Floats:
    """Covariance ``(3, 3)`` in mm^2 of a point at a lever arm ``(3,)`` from the origin that a body turns about.

    Args:
        covariance: ``(6, 6)`` of the body's (rotation vector in rad, translation in mm), along the axes of the lever.
    """
    x, y, z = lever_mm.tolist()
    jacobian = np.array([[0.0, z, -y, 1.0, 0.0, 0.0], [-z, 0.0, x, 0.0, 1.0, 0.0], [y, -x, 0.0, 0.0, 0.0, 1.0]])
    moved: Floats = jacobian @ covariance @ jacobian.T
    return moved
