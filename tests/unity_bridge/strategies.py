"""What several test files draw from: rigid transforms, and a closed surface without any symmetry."""

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from geometry.surface import Surface
from geometry.transform import Transform

coordinates_mm = st.floats(-2000.0, 2000.0, allow_nan=False, width=64)
points = st.tuples(coordinates_mm, coordinates_mm, coordinates_mm).map(np.array)
_component = st.floats(-1.0, 1.0, allow_nan=False, width=64)
rotations = (
    st.tuples(_component, _component, _component, _component)
    .filter(lambda quaternion: np.linalg.norm(quaternion) > 0.1)
    .map(Rotation.from_quat)
)


def transforms(to_frame: str = "reference", from_frame: str = "stylus_tip") -> st.SearchStrategy[Transform]:
    return st.builds(
        lambda rotation, translation: Transform.from_rotation(rotation, translation, to_frame, from_frame),
        rotations,
        points,
    )


def tetrahedron(scale_mm: float = 100.0) -> Surface:
    """Corner at the origin, edges of 1, 2 and 3 `scale_mm` along x, y and z; outward counter-clockwise."""
    vertices = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]]) * scale_mm
    triangles = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.int32)
    return Surface(vertices, triangles, "ct", "tetrahedron")


def bumpy_sphere(rows: int = 60, columns: int = 90, radius_mm: float = 120.0) -> Surface:
    """A closed surface of `rows` x `columns` + 2 vertices, bulging differently along each axis."""
    theta = np.linspace(0.0, np.pi, rows + 2)[1:-1, None]
    phi = np.linspace(0.0, 2.0 * np.pi, columns, endpoint=False)[None, :]
    direction = np.stack(np.broadcast_arrays(np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)))
    radius = radius_mm * (1.0 + 0.2 * direction[0] ** 3 + 0.1 * direction[1] * direction[2])
    ring = (direction * radius).reshape(3, -1).T + (30.0, -200.0, 950.0)
    poles = np.array([[0.0, 0.0, radius_mm], [0.0, 0.0, -radius_mm]]) + (30.0, -200.0, 950.0)
    index = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(index, -1, axis=1)
    quads = [(index[:-1], index[1:], right[:-1]), (right[:-1], index[1:], right[1:])]
    north, south = rows * columns, rows * columns + 1
    caps = [
        (np.full(columns, north), index[0], right[0]),
        (np.full(columns, south), right[-1], index[-1]),
    ]
    triangles = [np.stack([corner.ravel() for corner in part], axis=1) for part in quads + caps]
    return Surface(np.concatenate([ring, poles]), np.concatenate(triangles).astype(np.int32), "ct", "bumpy sphere")
