"""Implicit shapes for the phantom: negative inside, zero on the surface, positive outside.

Every field is a function of (x, y, z) that may be broadcast: three flat arrays for points, three open axes for a grid.
A field grows roughly by 1 per mm near its surface; `signed_distance_mm` turns it into a true distance there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[Any]  # single or double precision, as it comes
Field = Callable[[Values, Values, Values], Values]

# Where a shape is not evaluated (further than REACH_MM from its box) it counts as this far away.
FAR_MM = 40.0
REACH_MM = 8.0


@dataclass(frozen=True)
class Shape:
    """One implicit field and the box that holds its surface.

    Attributes:
        field: see the module.
        low_mm, high_mm: ``(3,)`` opposite corners of a box around the shape; it is evaluated to `REACH_MM` beyond.
    """

    field: Field
    low_mm: tuple[float, float, float]
    high_mm: tuple[float, float, float]

    def at(self, points_mm: Values) -> Values:
        """The field at points ``(n, 3)``: ``(n,)``; `FAR_MM` away from the box."""
        near = ((points_mm > np.array(self.low_mm) - REACH_MM) & (points_mm < np.array(self.high_mm) + REACH_MM)).all(1)
        values = np.full(len(points_mm), FAR_MM)
        if near.any():
            values[near] = self._near(points_mm[near])
        return values

    def _near(self, points_mm: Values) -> Values:
        return self.field(*points_mm.T)

    def on_grid(self, axes_mm: Sequence[Values]) -> tuple[tuple[slice, slice, slice], Values]:
        """The field on the part of a grid that it reaches: slices (k, j, i) and a float32 block.

        Args:
            axes_mm: coordinates of the voxel centres along x, y and z.
        """
        window = self.window(axes_mm)
        z, y, x = (axes_mm[2 - axis][part].astype(np.float32) for axis, part in enumerate(window))
        shape = tuple(len(axis) for axis in (z, y, x))
        values = self.field(x[None, None, :], y[None, :, None], z[:, None, None])
        return window, np.broadcast_to(values, shape).astype(np.float32)

    def window(self, axes_mm: Sequence[Values]) -> tuple[slice, slice, slice]:
        bounds = []
        for axis in (2, 1, 0):
            first = int(np.searchsorted(axes_mm[axis], self.low_mm[axis] - REACH_MM))
            last = int(np.searchsorted(axes_mm[axis], self.high_mm[axis] + REACH_MM))
            bounds.append(slice(first, last))
        return bounds[0], bounds[1], bounds[2]


@dataclass(frozen=True)
class Union(Shape):
    """Many shapes in one, blended over `blend_mm` where they meet. Build it with `union`."""

    parts: tuple[Shape, ...] = ()
    blend_mm: float = 1.0

    def _near(self, points_mm: Values) -> Values:
        values = np.full(len(points_mm), FAR_MM)
        for part in self.parts:
            values = smooth_min(values, part.at(points_mm), self.blend_mm)
        return values

    def on_grid(self, axes_mm: Sequence[Values]) -> tuple[tuple[slice, slice, slice], Values]:
        window = self.window(axes_mm)
        block = np.full([max(part.stop - part.start, 0) for part in window], FAR_MM, dtype=np.float32)
        for part in self.parts:
            inner, values = part.on_grid(axes_mm)
            here = tuple(slice(a.start - w.start, a.stop - w.start) for a, w in zip(inner, window, strict=True))
            block[here] = smooth_min(block[here], values, self.blend_mm)
        return window, block


def union(parts: Sequence[Shape], blend_mm: float = 1.0) -> Union:
    low = np.min([part.low_mm for part in parts], axis=0)
    high = np.max([part.high_mm for part in parts], axis=0)
    nothing: Field = _nothing
    return Union(nothing, _corner(low), _corner(high), tuple(parts), blend_mm)


def _nothing(x: Values, y: Values, z: Values) -> Values:
    return np.full(np.broadcast_shapes(np.shape(x), np.shape(y), np.shape(z)), FAR_MM)


def smooth_min(a: Values, b: Values, blend_mm: float) -> Values:
    """The smaller of two fields, rounded where they differ by less than `blend_mm` (polynomial, C1)."""
    overlap = np.maximum(blend_mm - np.abs(a - b), 0.0)
    return np.minimum(a, b) - overlap * overlap * (0.25 / blend_mm)


def smooth_max(a: Values, b: Values, blend_mm: float) -> Values:
    return -smooth_min(-a, -b, blend_mm)


def ellipsoid_field(centre_mm: ArrayLike, semi_axes_mm: ArrayLike) -> Field:
    """``|q| (|q| - 1) / |q / axes|`` with ``q = p / axes``: the distance to first order; exact for a sphere."""
    centre, axes = np.asarray(centre_mm, dtype=float), np.asarray(semi_axes_mm, dtype=float)

    def field(x: Values, y: Values, z: Values) -> Values:
        parts = zip((x, y, z), centre.tolist(), axes.tolist(), strict=True)
        scaled = [((p - c) / a, a) for p, c, a in parts]
        q2 = sum(np.square(part) for part, _ in scaled) + 1e-12  # the centre itself has no direction
        steepness2 = sum(np.square(part / a) for part, a in scaled) + 1e-12 / axes.max() ** 2
        q = np.sqrt(q2)
        return q * (q - 1.0) / np.sqrt(steepness2)

    return field


def ellipsoid(centre_mm: ArrayLike, semi_axes_mm: ArrayLike) -> Shape:
    centre, axes = np.asarray(centre_mm, dtype=float), np.asarray(semi_axes_mm, dtype=float)
    return Shape(ellipsoid_field(centre, axes), _corner(centre - axes), _corner(centre + axes))


def capsule(a_mm: ArrayLike, b_mm: ArrayLike, radius_a_mm: float, radius_b_mm: float | None = None) -> Shape:
    """A round stick from a to b; with two radii it tapers (the field is then a distance to first order)."""
    a, b = np.asarray(a_mm, dtype=float), np.asarray(b_mm, dtype=float)
    along = (b - a).tolist()
    length2 = float(np.square(b - a).sum())
    end = radius_a_mm if radius_b_mm is None else radius_b_mm

    def field(x: Values, y: Values, z: Values) -> Values:
        dx, dy, dz = x - a.tolist()[0], y - a.tolist()[1], z - a.tolist()[2]
        t = np.clip((dx * along[0] + dy * along[1] + dz * along[2]) / length2, 0.0, 1.0)
        square = np.square(dx - t * along[0]) + np.square(dy - t * along[1]) + np.square(dz - t * along[2])
        return np.sqrt(square) - (radius_a_mm + t * (end - radius_a_mm))

    widest = max(radius_a_mm, end)
    return Shape(field, _corner(np.minimum(a, b) - widest), _corner(np.maximum(a, b) + widest))


def tube(points_mm: ArrayLike, radii_mm: float | Sequence[float], blend_mm: float = 0.5) -> Union:
    """A round tube along a polyline ``(n, 3)`` with one radius, or one per point."""
    points = np.asarray(points_mm, dtype=float)
    radii = np.broadcast_to(np.asarray(radii_mm, dtype=float), (len(points),)).tolist()
    sticks = [capsule(points[n], points[n + 1], radii[n], radii[n + 1]) for n in range(len(points) - 1)]
    return union(sticks, blend_mm)


def rounded_box(centre_mm: ArrayLike, half_mm: ArrayLike, rounding_mm: float) -> Shape:
    """An axis-parallel box with rounded edges; exact outside and near its faces."""
    centre, half = np.asarray(centre_mm, dtype=float), np.asarray(half_mm, dtype=float)
    inner = (half - rounding_mm).tolist()

    def field(x: Values, y: Values, z: Values) -> Values:
        q = [np.abs(p - c) - h for p, c, h in zip((x, y, z), centre.tolist(), inner, strict=True)]
        outside = np.sqrt(sum(np.square(np.maximum(d, 0.0)) for d in q))
        return outside + np.minimum(np.maximum(np.maximum(q[0], q[1]), q[2]), 0.0) - rounding_mm

    return Shape(field, _corner(centre - half), _corner(centre + half))


def signed_distance_mm(shape: Shape, points_mm: Values, iterations: int = 8) -> Values:
    """Distance of points ``(n, 3)`` to the shape's zero level, negative inside.

    Follows the normal at the foot point until foot and normal agree, which then is the closest point as long as the
    distance is below the radius of curvature. Where they never agree (the far side of a crease) the distance is
    ``f / |grad f|``, right to first order. Points with a field beyond `REACH_MM` keep the field's value: their sign is
    right, their size is a rough guess.
    """
    values = shape.at(points_mm)
    near = np.abs(values) < REACH_MM
    points = points_mm[near]
    if not len(points):
        return values
    gradient = _gradient(shape, points)
    steepness = np.linalg.norm(gradient, axis=1)
    first_order = values[near] / np.maximum(steepness, 1e-3)
    distance, normal = first_order, gradient / np.maximum(steepness, 1e-3)[:, None]
    for _ in range(iterations):
        foot = points - distance[:, None] * normal
        gradient = _gradient(shape, foot)
        steepness = np.maximum(np.linalg.norm(gradient, axis=1), 1e-3)
        distance = distance + shape.at(foot) / steepness
        normal = gradient / steepness[:, None]
    missed = np.abs(shape.at(points - distance[:, None] * normal))
    agreed = (missed < 1e-3) & (np.abs(distance) < 2.0 * np.abs(first_order) + 0.1)
    values[near] = np.where(agreed, distance, first_order)
    return values


def _gradient(shape: Shape, points_mm: Values) -> Values:
    step = 1e-3  # mm: in double precision, far above rounding and far below any curvature
    offsets = np.concatenate([np.eye(3), -np.eye(3)])[:, None, :] * step
    # One call for all: unions of hundreds of parts cost by the call, not by the point.
    shifted = shape.at((points_mm[None] + offsets).reshape(-1, 3)).reshape(2, 3, len(points_mm))
    return (shifted[0] - shifted[1]).T / (2.0 * step)


def _corner(values: Values) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
