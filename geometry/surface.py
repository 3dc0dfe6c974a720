"""A triangle surface that knows its frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geometry.errors import FrameMismatchError, InvalidSurfaceError
from geometry.frames import check_frame
from geometry.points import Floats, as_points, read_only
from geometry.transform import Transform


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles with outward winding: counter-clockwise seen from outside, so that a closed surface has volume > 0.

    Attributes:
        vertices_mm: ``(n, 3)`` float64, in `frame`; read-only.
        triangles: ``(m, 3)`` int32 indices into the vertices; read-only.
        frame: the frame of the vertices.
        name: what it shows, such as ``liver``.

    Raises:
        InvalidSurfaceError: wrong shapes, or an index out of range.
    """

    vertices_mm: Floats
    triangles: NDArray[np.int32]
    frame: str
    name: str

    def __post_init__(self) -> None:
        vertices = as_points(self.vertices_mm, f"vertices of '{self.name}'")
        raw = np.asarray(self.triangles)
        if raw.ndim != 2 or raw.shape[1] != 3 or not np.issubdtype(raw.dtype, np.integer):
            came = f"triangles of shape {raw.shape} and type {raw.dtype}"
            raise InvalidSurfaceError(came, "integers of shape (m, 3)", "pass three vertex indices per triangle")
        if raw.size and (int(raw.min()) < 0 or int(raw.max()) >= len(vertices)):
            raise InvalidSurfaceError(
                f"triangle indices from {int(raw.min())} to {int(raw.max())}",
                f"indices from 0 to {len(vertices) - 1}",
                "check that vertices and triangles belong together",
            )
        object.__setattr__(self, "vertices_mm", read_only(vertices))
        object.__setattr__(self, "triangles", read_only(raw.astype(np.int32, copy=False)))
        check_frame(self.frame)

    @cached_property
    def _corners_mm(self) -> Floats:
        return self.vertices_mm[self.triangles]

    @cached_property
    def _area_vectors_mm2(self) -> Floats:
        a, b, c = self._corners_mm.transpose(1, 0, 2)
        return np.cross(b - a, c - a) / 2.0

    @property
    def area_mm2(self) -> float:
        return float(np.linalg.norm(self._area_vectors_mm2, axis=1).sum())

    @cached_property
    def volume_ml(self) -> float:
        """Enclosed volume by the divergence theorem, positive for outward winding; meaningful if watertight."""
        if not len(self.triangles):
            return 0.0
        centred = self._corners_mm - self.vertices_mm.mean(axis=0)  # far from the origin, digits would cancel
        return float(np.einsum("ij,ij->", centred.mean(axis=1), self._area_vectors_mm2)) / 3.0 / 1000.0

    @cached_property
    def is_watertight(self) -> bool:
        """True if every directed edge is met exactly once by its opposite: closed, manifold, consistently oriented."""
        if not len(self.triangles):
            return False
        tail = self.triangles.reshape(-1).astype(np.int64)
        head = np.roll(self.triangles, -1, axis=1).reshape(-1).astype(np.int64)
        forward = np.sort(tail * len(self.vertices_mm) + head)
        backward = np.sort(head * len(self.vertices_mm) + tail)
        unique = bool((forward[1:] != forward[:-1]).all())
        return unique and np.array_equal(forward, backward) and not bool((tail == head).any())

    @cached_property
    def bounds_mm(self) -> Floats:
        """``(2, 3)``: the smallest and the largest coordinate along each axis."""
        if not len(self.vertices_mm):
            raise InvalidSurfaceError(
                f"the empty surface '{self.name}'", "at least one vertex", "check its segmentation"
            )
        return np.stack([self.vertices_mm.min(axis=0), self.vertices_mm.max(axis=0)])

    def vertex_normals(self) -> Floats:
        """Area-weighted unit normals pointing outward, ``(n, 3)``; zero at a vertex that no triangle uses."""
        count, corners = len(self.vertices_mm), self.triangles.ravel()
        areas = np.repeat(self._area_vectors_mm2, 3, axis=0)
        # bincount adds up a million triangles four times as fast as np.add.at
        sums = [np.bincount(corners, weights=areas[:, axis], minlength=count) for axis in range(3)]
        normals = np.stack(sums, axis=1).astype(np.float64)  # of nothing, bincount makes integers
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        return np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)

    def transformed(self, transform: Transform) -> Surface:
        """The same surface in ``transform.to_frame``."""
        if transform.from_frame != self.frame:
            raise FrameMismatchError(
                f"{transform} for the surface '{self.name}' in '{self.frame}'",
                f"a transform from '{self.frame}'",
                "invert the transform, or use another one",
            )
        return Surface(transform.apply(self.vertices_mm), self.triangles, transform.to_frame, self.name)
