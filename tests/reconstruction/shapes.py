"""Shapes known in closed form, and grids to sample them on.

A shape maps points ``(n, 3)`` and a centre to the signed distance in mm, negative inside.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Volume

TURN = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()


def straight(n=72, origin=(-40.0, 12.0, 300.0), spacing=1.0):
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = origin
    return Volume(np.zeros((n, n, n), np.float32), affine)


def oblique(n=72):
    affine = np.eye(4)
    affine[:3, :3] = TURN @ np.diag([0.8, 1.0, 1.2])
    affine[:3, 3] = (31.0, -250.0, 77.0)
    return Volume(np.zeros((n, n, n), np.float32), affine)


def centre_of(grid, shift_voxels=0.137):
    return grid.index_to_mm([(np.array(grid.shape_ijk) - 1) / 2 + shift_voxels])[0]


def voxel_centres_mm(grid):
    k, j, i = np.indices(grid.voxels.shape)
    return grid.index_to_mm(np.stack([i, j, k], axis=-1).reshape(-1, 3))


def binary(grid, distance_mm):
    return grid.with_voxels((distance_mm < 0.0).reshape(grid.voxels.shape).astype(np.uint8))


def sphere_mm(points, centre, radius):
    return np.linalg.norm(points - centre, axis=1) - radius


def torus_mm(points, centre, ring, tube):
    x, y, z = (points - centre).T
    return np.hypot(np.hypot(x, y) - ring, z) - tube


def ellipsoid_mm(points, centre, axes):
    """First-order distance f/|grad f|: right to second order near the surface, where it is used."""
    q = (points - centre) / axes
    norm = np.linalg.norm(q, axis=1)
    gradient = np.linalg.norm(q / axes, axis=1) / np.maximum(norm, 1e-9)
    return (norm - 1.0) / np.maximum(gradient, 1e-9)


def plate_mm(points, centre, half, rounding):
    """A flat box of half sizes `half`, its rims rounded."""
    beyond = np.abs(points - centre) - (np.array(half) - rounding)
    outside = np.linalg.norm(np.maximum(beyond, 0.0), axis=1)
    return outside + np.minimum(beyond.max(axis=1), 0.0) - rounding


def turned(distance, turn=TURN):
    """The same shape, turned about its centre."""
    return lambda points, centre: distance((points - centre) @ turn, np.zeros(3))


SHAPES = {
    "sphere": lambda p, c: sphere_mm(p, c, 18.0),
    "small sphere": lambda p, c: sphere_mm(p, c, 8.0),
    "ellipsoid": lambda p, c: ellipsoid_mm(p, c, np.array([24.0, 15.0, 18.0])),
    "torus": lambda p, c: torus_mm(p, c, 18.0, 7.0),
    "thin plate": lambda p, c: plate_mm(p, c, (20.0, 18.0, 1.5), 1.5),
}
