"""Mistakes that clients make when they convert to Unity: in the mesh, in the pose and in the world."""

import numpy as np

from unity_bridge.client import placing

TO_UNITY = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def inverted(position, rotation):
    conjugate = rotation * [-1.0, -1.0, -1.0, 1.0]
    return -placing.rotated(conjugate, position), conjugate


def again(position, rotation):
    x, y, z, w = rotation
    return TO_UNITY @ position, np.array([x, -z, y, w])  # what the server has done already, done again


POSE_MISTAKES = {
    "quaternion order: (x, y, z, w) was read as (w, x, y, z)": lambda p, q: (p, q[[1, 2, 3, 0]]),
    "transposed matrices or conjugated quaternions": lambda p, q: (p, q * [-1.0, -1.0, -1.0, 1.0]),
    "each pose was inverted": inverted,
    "quaternion (x, y, z, w) was read as (x, -y, z, w)": lambda p, q: (p, q * [1.0, -1.0, 1.0, 1.0]),
    "quaternion (x, y, z, w) was read as (x, z, y, w)": lambda p, q: (p, q[[0, 2, 1, 3]]),
    "the rotations were not applied": lambda p, q: (p, np.array([0.0, 0.0, 0.0, 1.0])),
    "the poses' positions were not applied": lambda p, q: (0.0 * p, q),
    "the poses' positions were scaled by 1000": lambda p, q: (1000.0 * p, q),
    "the poses' positions were scaled by 0.001": lambda p, q: (0.001 * p, q),
    "the poses' positions alone: mirrored along z": lambda p, q: (p * [1.0, 1.0, -1.0], q),
    "the poses' positions alone: axes exchanged: (x, y, z) became (x, z, y), which mirrors": lambda p, q: (
        p[[0, 2, 1]],
        q,
    ),
    "the poses alone: axes exchanged: (x, y, z) became (-x, z, -y), which mirrors": again,
}


def unit(vertices):
    low = vertices.min(axis=0)
    return (vertices - low) / (vertices - low).max()


MESH_MISTAKES = {
    "the surface's minimum was not applied": lambda v: v - v.min(axis=0),
    "the surface's edge was not applied": lambda v: v.min(axis=0) + unit(v),
    "neither the surface's minimum nor its edge": unit,
    "the vertices were not divided by 65,535": lambda v: v.min(axis=0) + (v - v.min(axis=0)) * 65535.0,
    "the surface was scaled by 1000": lambda v: v * 1000.0,
    "the surface alone: mirrored along x": lambda v: v * [-1.0, 1.0, 1.0],
    "the surface alone: axes exchanged: (x, y, z) became (-x, z, -y), which mirrors": lambda v: v @ TO_UNITY.T,
}
WORLD_MISTAKES = {
    "mirrored along x": lambda p: p * [-1.0, 1.0, 1.0],
    "mirrored along z": lambda p: p * [1.0, 1.0, -1.0],
    "mirrored along x and y and z": lambda p: -p,
    "turned by 180 degrees about y": lambda p: p * [-1.0, 1.0, -1.0],
    "scaled by 1000": lambda p: p * 1000.0,
    "scaled by 0.001": lambda p: p * 0.001,
    "mirrored along x and scaled by 1000": lambda p: p * [-1000.0, 1000.0, 1000.0],
    "axes exchanged: (x, y, z) became (x, z, y), which mirrors": lambda p: p[:, [0, 2, 1]],
    "axes exchanged: (x, y, z) became (y, z, x)": lambda p: p[:, [1, 2, 0]],
    "converted to Unity's convention once more": lambda p: p @ TO_UNITY.T,
    "turned by 30.0 degrees": lambda p: placing.rotated(
        np.array([0.0, np.sin(np.pi / 12), 0.0, np.cos(np.pi / 12)]), p
    ),
    "shifted by (100, 0, 0) mm": lambda p: p + [0.1, 0.0, 0.0],
    "shifted by (0.2, 0, -0.15) mm": lambda p: p + [0.0002, 0.0, -0.00015],  # seen rounded to (0, 0, 0) m
    "shifted by (2.5, 0, 0.004) m": lambda p: p + [2.5, 0.0, 0.004],
    "stretched or sheared": lambda p: p * [1.0, 1.0, 1.2],
}
