"""Exact distance from points to a triangle surface, with its gradient: all that registration asks of a surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.spatial import cKDTree

from geometry import Surface
from geometry.points import Floats

# Nearer than this, the direction from foot to point is rounding noise (float32 feet, coordinates of some 500 mm).
DIRECTION_TRUSTED_ABOVE_MM = 1e-2


@dataclass(frozen=True, eq=False)
class SurfaceDistance:
    """Signed distance ``(n,)`` in mm, positive outside, and its unit gradient ``(n, 3)``, in the surface's frame."""

    signed_mm: Floats
    gradient: Floats


class DistanceField(Protocol):
    """Anything that tells the signed distance to a surface, and what the surface looks like from a little afar."""

    def distance(self, points_mm: Floats) -> SurfaceDistance:
        """Of points ``(n, 3)`` in the surface's frame."""
        ...

    def mean_normal_lines(self, feet_mm: Floats, radius_mm: float) -> Floats:
        """Normals and their moments about the origin, ``(n, 6)``, averaged within `radius_mm` of feet ``(n, 3)``.

        A normal n through a point p has the moment ``p x n`` (Pluecker coordinates). All normals of a sphere meet in
        its centre: their moments about it vanish, and so does their mean, however coarse the triangles are.
        """
        ...


class ExactDistance:
    """Closest points on the triangles themselves, by Open3D's ray casting scene (Embree).

    The sign comes from the normal interpolated between the vertices at the foot point. So it is defined for open
    surfaces too, and right at edges, where one triangle's normal can point the wrong way (Baerentzen and Aanaes, IEEE
    TVCG 11(3), 2005).
    """

    def __init__(self, surface: Surface) -> None:
        import open3d as o3d

        self._surface = surface
        # Single precision inside: centred, coordinates of an organ keep 1e-5 mm.
        self._centre_mm = surface.bounds_mm.mean(axis=0)
        self._normals = surface.vertex_normals()
        vertices = o3d.core.Tensor((surface.vertices_mm - self._centre_mm).astype(np.float32))
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(vertices, o3d.core.Tensor(surface.triangles.astype(np.uint32)))

    def distance(self, points_mm: Floats) -> SurfaceDistance:
        offsets, normals = self._feet(points_mm)
        sign = np.where(np.einsum("nj,nj->n", offsets, normals) < 0.0, -1.0, 1.0)
        lengths = np.linalg.norm(offsets, axis=1)
        far = lengths > DIRECTION_TRUSTED_ABOVE_MM
        gradient = normals.copy()
        gradient[far] = (sign[far] / lengths[far])[:, None] * offsets[far]
        return SurfaceDistance(sign * lengths, gradient)

    def mean_normal_lines(self, feet_mm: Floats, radius_mm: float) -> Floats:
        """As `DistanceField.mean_normal_lines`, over vertices; those on another sheet, facing away, are left out."""
        _, own = self._feet(feet_mm)
        centres_mm, lines, sizes = self._cells(radius_mm / 4.0)
        near = cKDTree(feet_mm).sparse_distance_matrix(cKDTree(centres_mm), radius_mm, output_type="coo_matrix")
        facing = np.einsum("nj,nj->n", own[near.row], lines[near.col, :3]) > 0.0
        rows, columns = near.row[facing], near.col[facing]
        # The foot's own line stands for surroundings smaller than a triangle.
        sums = np.hstack([own, np.cross(feet_mm, own)])
        for k in range(6):
            sums[:, k] += np.bincount(rows, lines[columns, k], minlength=len(feet_mm))
        means: Floats = sums / (1.0 + np.bincount(rows, sizes[columns], minlength=len(feet_mm)))[:, None]
        return means

    def _cells(self, edge_mm: float) -> tuple[Floats, Floats, Floats]:
        """Vertices gathered in cubes, apart where they face different octants: centres, sums of lines, and counts.

        So the cost of an average does not grow with the number of triangles.
        """
        vertices_mm, normals = self._surface.vertices_mm, self._normals
        cubes = np.floor((vertices_mm - vertices_mm.min(axis=0)) / edge_mm).astype(np.int64)
        octants = (normals > 0.0) @ np.array([1, 2, 4])
        keys = np.ravel_multi_index((*cubes.T, octants), (*(cubes.max(axis=0) + 1), 8))
        _, cell = np.unique(keys, return_inverse=True)
        sizes = np.bincount(cell).astype(np.float64)
        columns = np.hstack([vertices_mm, normals, np.cross(vertices_mm, normals)])
        sums: Floats = np.column_stack([np.bincount(cell, column) for column in columns.T]).astype(np.float64)
        return sums[:, :3] / sizes[:, None], sums[:, 3:], sizes

    def _feet(self, points_mm: Floats) -> tuple[Floats, Floats]:
        """From foot to point ``(n, 3)`` in mm, and the unit normal interpolated at the foot ``(n, 3)``."""
        import open3d as o3d

        centred = points_mm - self._centre_mm
        hit = self._scene.compute_closest_points(o3d.core.Tensor(centred.astype(np.float32)))
        corners = self._surface.triangles[hit["primitive_ids"].numpy().astype(np.int64)]
        uv = hit["primitive_uvs"].numpy().astype(np.float64)
        barycentric = np.column_stack([1.0 - uv.sum(axis=1), uv])
        normals = np.einsum("nc,ncj->nj", barycentric, self._normals[corners])
        return centred - hit["points"].numpy(), _unit(normals)


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
