"""The interface of a signed distance field, and the exact distance from points to a triangle surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from geometry import Surface
from geometry.extras import from_extra
from geometry.points import Floats
from registration.distance.normal_trend import NormalTrend

# For shorter distances, the direction from the closest point is dominated by rounding (float32, some 500 mm).
DIRECTION_TRUSTED_ABOVE_MM = 1e-2
# Radius of the normal trend whose sites are returned, where no trend was made before.
SITES_RADIUS_MM = 20.0


@dataclass(frozen=True, eq=False)
class SurfaceDistance:
    """Signed distances of n points to a surface.

    Attributes:
        signed_mm: signed distances ``(n,)``, positive outside.
        gradient: unit gradients ``(n, 3)`` in the surface's frame.
    """

    signed_mm: Floats
    gradient: Floats


class DistanceField(Protocol):
    """A signed distance field of a surface, with normals averaged over discs."""

    @property
    def frame(self) -> str:
        """The surface's frame."""
        ...

    def distance(self, points_mm: Floats) -> SurfaceDistance:
        """Signed distance and gradient at points ``(n, 3)`` in the surface's frame, in mm."""
        ...

    def mean_normal_lines(self, feet_mm: Floats, radius_mm: float) -> Floats:
        """Normals and their moments about the origin, ``(n, 6)``, averaged within `radius_mm` of feet ``(n, 3)``.

        A normal n through a point p has the moment ``p x n`` (Pluecker coordinates). All normals of a sphere pass
        through its centre: their moments about it are zero, and so is their mean, however coarse the triangles are.
        """
        ...

    def sites(self) -> tuple[Floats, Floats]:
        """Points ``(k, 3)`` spread over the surface, some mm apart, and the unit normals there ``(k, 3)``."""
        ...


class ExactDistance:
    """Exact distance by closest points on the triangles, from Open3D's ray casting scene (Embree).

    The sign is that of the offset along the normal interpolated between the vertices at the closest point (the foot).
    It is defined for open surfaces too, and correct at edges, where one triangle's normal can point the wrong way
    (Baerentzen and Aanaes, IEEE TVCG 11(3), 2005).
    """

    def __init__(self, surface: Surface) -> None:
        with from_extra("registration"):
            import open3d as o3d

        self._surface = surface
        self._trend: NormalTrend | None = None  # made when first needed: half of the callers never need it
        # Open3D computes in single precision: centred coordinates of an organ keep 1e-5 mm.
        self._centre_mm = surface.bounds_mm.mean(axis=0)
        self._normals = surface.vertex_normals()
        vertices = o3d.core.Tensor((surface.vertices_mm - self._centre_mm).astype(np.float32))
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(vertices, o3d.core.Tensor(surface.triangles.astype(np.uint32)))

    @property
    def frame(self) -> str:
        return self._surface.frame

    def distance(self, points_mm: Floats) -> SurfaceDistance:
        """As `DistanceField.distance`."""
        return self.distance_and_normals(points_mm)[0]

    def distance_and_normals(self, points_mm: Floats) -> tuple[SurfaceDistance, Floats]:
        """The distance, and the unit normals ``(n, 3)`` interpolated at the closest points."""
        offsets, normals = self._feet(points_mm)
        sign = np.where(np.einsum("nj,nj->n", offsets, normals) < 0.0, -1.0, 1.0)
        lengths = np.linalg.norm(offsets, axis=1)
        far = lengths > DIRECTION_TRUSTED_ABOVE_MM
        gradient = normals.copy()
        gradient[far] = (sign[far] / lengths[far])[:, None] * offsets[far]
        return SurfaceDistance(sign * lengths, gradient), normals

    def mean_normal_lines(self, feet_mm: Floats, radius_mm: float) -> Floats:
        """As `DistanceField.mean_normal_lines`, averaged over vertices; vertices that face away are left out."""
        if self._trend is None or self._trend.radius_mm != radius_mm:
            self._trend = NormalTrend.of(self._surface.vertices_mm, self._normals, radius_mm)
        return self._trend.lines(feet_mm, self._feet(feet_mm)[1])

    def sites(self) -> tuple[Floats, Floats]:
        """As `DistanceField.sites`."""
        if self._trend is None:
            self._trend = NormalTrend.of(self._surface.vertices_mm, self._normals, SITES_RADIUS_MM)
        return self._trend.centres_mm, self._trend.facing

    def _feet(self, points_mm: Floats) -> tuple[Floats, Floats]:
        """Offsets ``(n, 3)`` in mm from closest point to point, and unit normals ``(n, 3)`` interpolated there."""
        with from_extra("registration"):
            import open3d as o3d

        centred = points_mm - self._centre_mm
        hit = self._scene.compute_closest_points(o3d.core.Tensor(centred.astype(np.float32)))
        corners = self._surface.triangles[hit["primitive_ids"].numpy().astype(np.int64)]
        uv = hit["primitive_uvs"].numpy().astype(np.float64)
        barycentric = np.column_stack([1.0 - uv.sum(axis=1), uv])
        normals = np.einsum("nc,ncj->nj", barycentric, self._normals[corners])
        return centred - hit["points"].numpy(), unit(normals)


def unit(vectors: Floats) -> Floats:
    """Vectors ``(n, 3)`` scaled to length 1."""
    scaled: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return scaled
