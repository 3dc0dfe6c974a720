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
        vertices_mm = self._surface.vertices_mm
        near = cKDTree(feet_mm).sparse_distance_matrix(cKDTree(vertices_mm), radius_mm, output_type="coo_matrix")
        facing = np.einsum("nj,nj->n", own[near.row], self._normals[near.col]) > 0.0
        rows, columns = near.row[facing], near.col[facing]
        lines = np.hstack([self._normals, np.cross(vertices_mm, self._normals)])
        # The foot's own line stands for patches smaller than a triangle.
        sums = np.hstack([own, np.cross(feet_mm, own)])
        for k in range(6):
            sums[:, k] += np.bincount(rows, lines[columns, k], minlength=len(feet_mm))
        means: Floats = sums / (1.0 + np.bincount(rows, minlength=len(feet_mm)))[:, None]
        return means

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
