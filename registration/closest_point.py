"""Exact distance from points to a triangle surface, with its gradient: all that registration asks of a surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

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
    """Anything that tells the signed distance to a surface."""

    def distance(self, points_mm: Floats) -> SurfaceDistance:
        """Of points ``(n, 3)`` in the surface's frame."""
        ...


class ExactDistance:
    """Closest points on the triangles themselves, by Open3D's ray casting scene (Embree).

    The sign comes from the normal interpolated between the vertices at the foot point. So it is defined for open
    surfaces too, and right at edges, where one triangle's normal can point the wrong way (Baerentzen and Aanaes, IEEE
    TVCG 11(3), 2005).
    """

    def __init__(self, surface: Surface) -> None:
        import open3d as o3d

        # Single precision inside: centred, coordinates of an organ keep 1e-5 mm.
        self._centre_mm = surface.bounds_mm.mean(axis=0)
        self._triangles = surface.triangles
        self._normals = surface.vertex_normals()
        vertices = o3d.core.Tensor((surface.vertices_mm - self._centre_mm).astype(np.float32))
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(vertices, o3d.core.Tensor(surface.triangles.astype(np.uint32)))

    def distance(self, points_mm: Floats) -> SurfaceDistance:
        import open3d as o3d

        centred = points_mm - self._centre_mm
        hit = self._scene.compute_closest_points(o3d.core.Tensor(centred.astype(np.float32)))
        offsets = centred - hit["points"].numpy()
        corners = self._triangles[hit["primitive_ids"].numpy().astype(np.int64)]
        uv = hit["primitive_uvs"].numpy().astype(np.float64)
        barycentric = np.column_stack([1.0 - uv.sum(axis=1), uv])
        normals = np.einsum("nc,ncj->nj", barycentric, self._normals[corners])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        along = np.einsum("nj,nj->n", offsets, normals)
        sign = np.where(along < 0.0, -1.0, 1.0)
        lengths = np.linalg.norm(offsets, axis=1)
        far = lengths > DIRECTION_TRUSTED_ABOVE_MM
        gradient = normals.copy()
        gradient[far] = (sign / np.maximum(lengths, 1e-12))[far, None] * offsets[far]
        return SurfaceDistance(sign * lengths, gradient)
