"""Hypothesis strategies shared by the tests of geometry and of the workshops."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from geometry import Transform

coordinates_mm = st.floats(-2000.0, 2000.0, allow_nan=False, width=64)
points_mm = st.tuples(coordinates_mm, coordinates_mm, coordinates_mm).map(np.array)
_angles_rad = st.floats(-np.pi, np.pi, allow_nan=False)


@st.composite
def transforms(draw: st.DrawFn, to_frame: str = "tracker", from_frame: str = "ct") -> Transform:
    """Any rotation (by three Euler angles) with a translation of up to 2 m along each axis."""
    rotation = Rotation.from_euler("xyz", [draw(_angles_rad) for _ in range(3)])
    return Transform.from_rotation(rotation, draw(points_mm), to_frame, from_frame)
