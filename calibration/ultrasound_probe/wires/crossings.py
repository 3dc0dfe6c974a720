"""Where wires cross the plane of the image, as a function of the calibration: residuals and their derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.ultrasound_probe.wires.phantom import NWirePhantom
from geometry.points import Floats


@dataclass(frozen=True, eq=False)
class WirePoints:
    """All points of all images, one after the other.

    Attributes:
        image: which image each is of, ``(n,)``, not decreasing.
        wire: which wire of the phantom it is, ``(n,)``.
        points_px: ``(n, 2)`` in px.
    """

    image: np.ndarray
    wire: np.ndarray
    points_px: Floats


@dataclass(frozen=True, eq=False)
class Crossings:
    """Seen minus predicted, at each point.

    Attributes:
        residuals_px: ``(n, 2)`` in px.
        to_px: from a displacement of the wire in the probe's frame to the prediction, ``(n, 2, 3)`` in px per mm.
        points_mm: the predicted crossings in the probe's frame, ``(n, 3)``.
    """

    residuals_px: Floats
    to_px: Floats
    points_mm: Floats


def crossings(columns_mm: Floats, points: WirePoints, phantom: NWirePhantom, T_probe_phantom: Floats) -> Crossings:
    """Intersects each point's wire with the plane of its image.

    ``u x + v y + origin = O + s D`` is linear in the pixel (x, y) and the place s along the wire.

    Args:
        columns_mm: ``[u, v, origin]``, as in `ImageToProbe`.
        points: what was seen.
        phantom: the wires.
        T_probe_phantom: of each image, ``(m, 4, 4)`` in mm.
    """
    turned = T_probe_phantom[points.image, :3, :3]
    starts = np.einsum("nij,nj->ni", turned, phantom.starts_mm[points.wire])
    starts += T_probe_phantom[points.image, :3, 3]
    along = np.einsum("nij,nj->ni", turned, phantom.directions[points.wire])
    u, v, origin = columns_mm.T
    # Rows of the inverse of [u, v, -D], by cross products: a stack of small inverses is several times slower.
    normal = np.cross(u, v)
    rows = np.stack([np.cross(v, -along), np.cross(-along, u)], axis=1)
    determinants = -along @ normal
    to_px = rows / determinants[:, None, None]
    predicted = np.einsum("nij,nj->ni", to_px, starts - origin)
    points_mm = predicted @ columns_mm[:, :2].T + origin
    return Crossings(points.points_px - predicted, to_px, points_mm)


def map_jacobian(found: Crossings, points_px: Floats) -> Floats:
    """Derivative of the prediction by ``(u, v, origin)``, ``(n, 2, 9)`` in px: moving the plane moves it back."""
    weights = np.column_stack([points_px - found.residuals_px, np.ones(len(points_px))])
    jacobian: Floats = -(weights[:, None, :, None] * found.to_px[:, :, None, :]).reshape(len(points_px), 2, 9)
    return jacobian
