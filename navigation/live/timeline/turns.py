"""Small turns as rotation vectors, and back."""

from __future__ import annotations

import math

import numpy as np

from geometry.points import Floats

# Of a quarter turn and more between two observations it is not known which way round the tool went.
MOST_COSINE_LOST = math.cos(math.pi / 2.0)
_SMALL = 1e-9

Vector = tuple[float, float, float]


def rotation_vector(turn: Floats) -> Vector | None:
    """The rotation vector in rad of a rotation ``(3, 3)``; None of a quarter turn and more.

    The trace has the cosine of the angle, what is not symmetric the axis times the sine. SciPy's is the reference in
    the tests; it takes ten times as long for one rotation.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = turn.tolist()
    cosine = (xx + yy + zz - 1.0) / 2.0
    if cosine <= MOST_COSINE_LOST:
        return None
    x, y, z = (zy - yz) / 2.0, (xz - zx) / 2.0, (yx - xy) / 2.0
    sine = math.sqrt(x * x + y * y + z * z)
    stretch = 1.0 if sine < _SMALL else math.atan2(sine, cosine) / sine
    return x * stretch, y * stretch, z * stretch


def rotation_of(vector: Vector, share: float = 1.0) -> Floats:
    """The rotation ``(3, 3)`` by `share` of a rotation vector in rad, by Rodrigues' formula."""
    x, y, z = (share * each for each in vector)
    angle = math.sqrt(x * x + y * y + z * z)
    across, along = (1.0, 0.5) if angle < _SMALL else (math.sin(angle) / angle, (1.0 - math.cos(angle)) / angle**2)
    return np.array(
        [
            [1.0 - along * (y * y + z * z), along * x * y - across * z, along * x * z + across * y],
            [along * x * y + across * z, 1.0 - along * (x * x + z * z), along * y * z - across * x],
            [along * x * z - across * y, along * y * z + across * x, 1.0 - along * (x * x + y * y)],
        ]
    )
