"""Surfaces with a known shape, sweeps over them, and the errors that real ones carry."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Surface, Transform
from registration.uncertainty.perturbation import moved

T_TRUE = Transform.from_rotation(Rotation.from_rotvec([0.4, -1.2, 0.9]), [50.0, -30.0, -900.0], "reference", "ct")


def icosphere(subdivisions: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit sphere: vertices ``(n, 3)`` and outward triangles ``(20 * 4**subdivisions, 3)``."""
    import trimesh

    mesh = trimesh.creation.icosphere(subdivisions=subdivisions, radius=1.0)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces, dtype=np.int32)


def organ(subdivisions: int = 5) -> Surface:
    """A closed, smooth, asymmetric body of about 1.8 l, 200 mm long, off the origin."""
    directions, triangles = icosphere(subdivisions)
    x, y, z = directions.T
    dent = 0.2 * np.exp(-3.0 * ((x - 0.6) ** 2 + (y - 0.5) ** 2 + (z - 0.4) ** 2))
    radius = 1.0 + 0.15 * x * y + 0.12 * z * x * x - dent + 0.1 * np.sin(3.0 * y + 1.0) * z
    return Surface(directions * radius[:, None] * [100.0, 75.0, 60.0] + [20.0, -150.0, 300.0], triangles, "ct", "organ")


def sphere(radius_mm: float, subdivisions: int = 5) -> Surface:
    directions, triangles = icosphere(subdivisions)
    return Surface(directions * radius_mm, triangles, "ct", "sphere")


def tube(radius_mm: float, length_mm: float) -> Surface:
    """An open cylinder about z."""
    around, along = 360, 81
    angle = np.linspace(0.0, 2.0 * np.pi, around, endpoint=False)
    z = np.linspace(-length_mm / 2, length_mm / 2, along)
    ring = np.column_stack([radius_mm * np.cos(angle), radius_mm * np.sin(angle)])
    vertices = np.column_stack([np.tile(ring, (along, 1)), np.repeat(z, around)])
    return Surface(vertices, _grid_triangles(along, around, closed=True), "ct", "tube")


def plate(size_mm: float) -> Surface:
    """A square in z = 0, outside is z > 0."""
    line = np.linspace(-size_mm / 2, size_mm / 2, 41)
    x, y = np.meshgrid(line, line)
    vertices = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
    return Surface(vertices, _grid_triangles(41, 41, closed=False), "ct", "plate")


def _grid_triangles(rows: int, columns: int, closed: bool) -> np.ndarray:
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    right = (column + 1) % columns
    a, b = row * columns + column, row * columns + right
    c, d = a + columns, b + columns
    return np.vstack([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, d), (a, d, c))]).astype(np.int32)


def sample(surface: Surface, count: int, rng: np.random.Generator, above: np.ndarray | None = None) -> np.ndarray:
    """Points ``(count, 3)`` spread evenly over the surface; with `above`, only on the side of its centre that way."""
    corners = surface.vertices_mm[surface.triangles]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    if above is not None:
        areas = areas * ((corners.mean(axis=1) - surface.vertices_mm.mean(axis=0)) @ above > 0.0)
    chosen = corners[rng.choice(len(areas), size=count, p=areas / areas.sum())]
    u, v = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.column_stack([1.0 - u, u * (1.0 - v), u * v])
    return np.einsum("nc,ncj->nj", weights, chosen)


def with_model_error(surface: Surface, sd_mm: float, reach_mm: float, rng: np.random.Generator) -> Surface:
    """The surface with a smooth error along its normals, correlated as ``exp(-d^2 / 2 reach^2)``."""
    waves = 300
    frequency = rng.normal(size=(waves, 3)) / reach_mm
    phase = rng.uniform(0.0, 2.0 * np.pi, waves)
    error = sd_mm * np.sqrt(2.0 / waves) * np.cos(surface.vertices_mm @ frequency.T + phase).sum(axis=1)
    return Surface(
        surface.vertices_mm + error[:, None] * surface.vertex_normals(), surface.triangles, surface.frame, surface.name
    )


def displaced(
    pose: Transform, surface: Surface, angle_rad: float, shift_mm: float, rng: np.random.Generator
) -> Transform:
    """`pose` turned about the surface's centre and shifted, by the given amounts in random directions."""
    axis, direction = rng.normal(size=(2, 3))
    motion = np.concatenate(
        [
            angle_rad * axis / np.linalg.norm(axis),
            shift_mm * direction / np.linalg.norm(direction),
        ]
    )
    return moved(pose, motion, pose.apply(surface.vertices_mm.mean(axis=0)))
