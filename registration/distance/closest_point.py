"""Exact distance from points to a triangle surface, with its gradient: all that registration asks of a surface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from geometry import Surface
from geometry.extras import from_extra
from geometry.points import Floats
from registration.distance.normal_trend import NormalTrend

# Nearer than this, the direction from foot to point is rounding noise (float32 feet, coordinates of some 500 mm).
DIRECTION_TRUSTED_ABOVE_MM = 1e-2
# Decides how far apart sites are, where no trend was asked for before.
SITES_RADIUS_MM = 20.0


@dataclass(frozen=True, eq=False)
class SurfaceDistance:
    """Signed distance ``(n,)`` in mm, positive outside, and its unit gradient ``(n, 3)``, in the surface's frame."""

    signed_mm: Floats
    gradient: Floats


class DistanceField(Protocol):
    """Anything that tells the signed distance to a surface, and what the surface looks like from a little afar."""

    @property
    def frame(self) -> str:
        """The surface's frame."""
        ...

    def distance(self, points_mm: Floats) -> SurfaceDistance:
        """Of points ``(n, 3)`` in the surface's frame."""
        ...

    def mean_normal_lines(self, feet_mm: Floats, radius_mm: float) -> Floats:
        """Normals and their moments about the origin, ``(n, 6)``, averaged within `radius_mm` of feet ``(n, 3)``.

        A normal n through a point p has the moment ``p x n`` (Pluecker coordinates). All normals of a sphere meet in
        its centre: their moments about it vanish, and so does their mean, however coarse the triangles are.
        """
        ...

    def sites(self) -> tuple[Floats, Floats]:
        """Points ``(k, 3)`` spread over the surface, some mm apart, and the unit normals there ``(k, 3)``."""
        ...


class ExactDistance:
    """Closest points on the triangles themselves, by Open3D's ray casting scene (Embree).

    The sign comes from the normal interpolated between the vertices at the foot point. So it is defined for open
    surfaces too, and right at edges, where one triangle's normal can point the wrong way (Baerentzen and Aanaes, IEEE
    TVCG 11(3), 2005).
    """

    def __init__(self, surface: Surface) -> None:
        with from_extra("registration"):
            import open3d as o3d

        self._surface = surface
        self._trend: NormalTrend | None = None  # made when first asked for: half of the callers never do
        # Single precision inside: centred, coordinates of an organ keep 1e-5 mm.
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
        """The distance, and the unit normals interpolated at the feet, ``(n, 3)``."""
        offsets, normals = self._feet(points_mm)
        sign = np.where(np.einsum("nj,nj->n", offsets, normals) < 0.0, -1.0, 1.0)
        lengths = np.linalg.norm(offsets, axis=1)
        far = lengths > DIRECTION_TRUSTED_ABOVE_MM
        gradient = normals.copy()
        gradient[far] = (sign[far] / lengths[far])[:, None] * offsets[far]
        return SurfaceDistance(sign * lengths, gradient), normals

    def mean_normal_lines(self, feet_mm: Floats, radius_mm: float) -> Floats:
        """As `DistanceField.mean_normal_lines`, over vertices; those on another sheet, facing away, are left out."""
        if self._trend is None or self._trend.radius_mm != radius_mm:
            self._trend = NormalTrend.of(self._surface.vertices_mm, self._normals, radius_mm)
        return self._trend.lines(feet_mm, self._feet(feet_mm)[1])

    def sites(self) -> tuple[Floats, Floats]:
        """As `DistanceField.sites`."""
        if self._trend is None:
            self._trend = NormalTrend.of(self._surface.vertices_mm, self._normals, SITES_RADIUS_MM)
        return self._trend.centres_mm, self._trend.facing

    def _feet(self, points_mm: Floats) -> tuple[Floats, Floats]:
        """From foot to point ``(n, 3)`` in mm, and the unit normal interpolated at the foot ``(n, 3)``."""
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
