"""A pose between two others: on a straight line, and turning at constant speed about one axis (slerp)."""

from __future__ import annotations

import math

import numpy as np

from geometry import Transform

# Beyond a quarter turn between two observations it is not known which way round the tool went.
MOST_COSINE_LOST = math.cos(math.pi / 2.0)
_SMALL = 1e-9


def between(first: Transform, second: Transform, share: float) -> Transform | None:
    """The pose that lies `share` of the way from `first` to `second`, which connect the same frames.

    SciPy's Slerp is the reference in the tests; it takes ten times as long for one pose.

    Args:
        share: 0 for `first`, 1 for `second`; above 1 the motion goes on as it was.

    Returns:
        None where the tool turned by a quarter or more: the way it took is not known.
    """
    # The turn R_first^T R_second: its trace has the angle, what is not symmetric of it the axis times the sine.
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (first.rotation_matrix.T @ second.rotation_matrix).tolist()
    cosine = (xx + yy + zz - 1.0) / 2.0
    if cosine <= MOST_COSINE_LOST:
        return None
    x, y, z = (zy - yz) / 2.0, (xz - zx) / 2.0, (yx - xy) / 2.0
    sine = math.sqrt(x * x + y * y + z * z)
    angle = math.atan2(sine, cosine) * share
    across, along = (share, 0.0) if sine < _SMALL else (math.sin(angle) / sine, (1.0 - math.cos(angle)) / sine**2)
    # Rodrigues' rotation I + across [u]x + along [u]x^2.
    turn = [
        [1.0 - along * (y * y + z * z), along * x * y - across * z, along * x * z + across * y],
        [along * x * y + across * z, 1.0 - along * (x * x + z * z), along * y * z - across * x],
        [along * x * z - across * y, along * y * z + across * x, 1.0 - along * (x * x + y * y)],
    ]
    matrix = np.eye(4)
    matrix[:3, :3] = first.rotation_matrix @ turn
    matrix[:3, 3] = first.translation_mm + share * (second.translation_mm - first.translation_mm)
    return Transform(matrix, first.to_frame, first.from_frame)
