"""A pinhole with Brown's lens distortion as nine numbers: where points are seen, with every derivative.

The numbers are fx, fy, cx, cy in px, then k1, k2, p1, p2, k3 (Brown, Photogrammetric Engineering 37(8), 1971).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from geometry.points import Floats

NAMES = ("fx_px", "fy_px", "cx_px", "cy_px", "k1", "k2", "p1", "p2", "k3")
# From the simplest; each holds the one before it, so that they can be compared.
MODELS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "no distortion": (0, 1, 2, 3),
        "k1": (0, 1, 2, 3, 4),
        "k1 k2": (0, 1, 2, 3, 4, 5),
        "k1 k2 p1 p2": (0, 1, 2, 3, 4, 5, 6, 7),
        "k1 k2 p1 p2 k3": (0, 1, 2, 3, 4, 5, 6, 7, 8),
    }
)


def project(lens: Floats, points_mm: Floats) -> tuple[Floats, Floats, Floats]:
    """Where points are seen.

    Args:
        lens: the nine numbers, ``(9,)`` or one row for each point ``(n, 9)``.
        points_mm: ``(n, 3)`` in ``camera``, z forward.

    Returns:
        The pixels ``(n, 2)``, their derivatives by the points ``(n, 2, 3)`` and by the lens ``(n, 2, 9)``. A point
        beside or behind the camera is seen at infinity.
    """
    fx, fy, cx, cy, k1, k2, p1, p2, k3 = lens.T if lens.ndim == 2 else lens
    depth = np.where(points_mm[:, 2] > 1e-3, points_mm[:, 2], np.nan)
    x, y = points_mm[:, 0] / depth, points_mm[:, 1] / depth
    xx, yy, xy = x * x, y * y, x * y
    r2 = xx + yy
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    bent = 2.0 * (k1 + r2 * (2.0 * k2 + 3.0 * r2 * k3))  # the derivative of `radial` by x, over x
    u = x * radial + 2.0 * p1 * xy + p2 * (r2 + 2.0 * xx)
    v = y * radial + p1 * (r2 + 2.0 * yy) + 2.0 * p2 * xy
    across = xy * bent + 2.0 * p1 * x + 2.0 * p2 * y  # du/dy = dv/dx
    du_dx = radial + xx * bent + 2.0 * p1 * y + 6.0 * p2 * x
    dv_dy = radial + yy * bent + 6.0 * p1 * y + 2.0 * p2 * x
    count = len(points_mm)
    by_point = np.empty((count, 2, 3))
    by_point[:, 0, 0], by_point[:, 0, 1] = fx * du_dx / depth, fx * across / depth
    by_point[:, 1, 0], by_point[:, 1, 1] = fy * across / depth, fy * dv_dy / depth
    by_point[:, :, 2] = -(by_point[:, :, 0] * x[:, None] + by_point[:, :, 1] * y[:, None])
    by_lens = np.zeros((count, 2, 9))
    by_lens[:, 0, 0], by_lens[:, 1, 1] = u, v
    by_lens[:, 0, 2], by_lens[:, 1, 3] = 1.0, 1.0
    powers = np.stack([r2, r2 * r2, r2 * r2 * r2], axis=1)
    by_lens[:, 0, [4, 5, 8]] = (fx * x)[:, None] * powers
    by_lens[:, 1, [4, 5, 8]] = (fy * y)[:, None] * powers
    by_lens[:, 0, 6], by_lens[:, 0, 7] = fx * 2.0 * xy, fx * (r2 + 2.0 * xx)
    by_lens[:, 1, 6], by_lens[:, 1, 7] = fy * (r2 + 2.0 * yy), fy * 2.0 * xy
    return np.stack([fx * u + cx, fy * v + cy], axis=1), by_point, by_lens


def rays(lens: Floats, pixels: Floats) -> Floats:
    """The directions ``(x / z, y / z)`` of pixels ``(n, 2)``, by fixed-point iteration."""
    aimed = (pixels - lens[2:4]) / lens[:2]
    found = aimed.copy()
    for _ in range(20):
        seen, _, _ = project(lens, np.column_stack([found, np.ones(len(found))]))
        found = found + (aimed - (seen - lens[2:4]) / lens[:2])
    return found
