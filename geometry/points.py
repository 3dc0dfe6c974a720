"""Array types, and the check that functions apply to the points they are given."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.errors import InvalidPointsError

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]  # what networks compute in
Bools = NDArray[np.bool_]
Triangles = NDArray[np.int32]  # (m, 3), three vertex indices each
Scalar = TypeVar("Scalar", bound=np.generic)


def as_points(points: ArrayLike, name: str = "points", minimum: int = 0) -> Floats:
    """Returns `points` as a finite float64 array of shape ``(n, 3)``; ``(3,)`` becomes ``(1, 3)``.

    Raises:
        InvalidPointsError: another shape, NaN or infinity, or fewer than `minimum` points.
    """
    try:
        array = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidPointsError(
            f"{name} that are not numbers ({error})",
            "an (n, 3) array of coordinates",
            "pass numeric coordinates",
        ) from error
    if array.ndim == 1 and array.shape == (3,):
        array = array[None, :]
    if array.ndim != 2 or array.shape[1] != 3:
        raise InvalidPointsError(
            f"{name} of shape {array.shape}", "shape (n, 3) or (3,)", "pass one row of x, y, z per point"
        )
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise InvalidPointsError(
            f"{name} with NaN or infinity in row {int(np.flatnonzero(bad)[0])}",
            "finite coordinates",
            "leave out points that were not measured",
        )
    if len(array) < minimum:
        raise InvalidPointsError(f"{len(array)} {name}", f"at least {minimum}", "pass more points")
    return array


def read_only(array: NDArray[Scalar]) -> NDArray[Scalar]:
    """Returns a read-only view of `array`: results must not change under those who hold them."""
    view = array.view()
    view.flags.writeable = False
    return view
