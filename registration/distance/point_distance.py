"""Signed distance of one point at a time from a distance grid, in microseconds: for what is asked in every frame.

The grids and the blend are those of `DistanceGrid`, in scalars: array code costs a hundred microseconds a call,
however few points it is given. Where `DistanceGrid` asks for the exact distance, which a live loop cannot wait for, it
gives a distance that the point has at least, so that whoever warns by it warns too early rather than too late.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from registration.distance.distance_grid import DistanceGrid, GridLookup
from registration.errors import DistanceGridError

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class PointSample:
    """The distance of one point, and the direction in which it grows.

    Attributes:
        signed_mm: signed distance, positive outside.
        gradient: unit vector in the surface's frame; zeros where there is no one direction.
    """

    signed_mm: float
    gradient: Point


class PointDistance:
    """A distance grid that is asked for one point at a time.

    Args:
        grid: the grid, whose arrays are shared.
    """

    def __init__(self, grid: DistanceGrid) -> None:
        self.frame = grid.frame
        self._levels = tuple(_Level(lookup) for lookup in grid.lookups)
        self._low, self._high = self._levels[0].low_mm, self._levels[0].high_mm

    def at(self, point_mm: Point) -> PointSample:
        """The distance at a point in the surface's frame, in mm.

        Beyond the grid it is the smallest distance that is possible there, since all of the surface is within.
        """
        (x, y, z), (a, b, c), (d, e, f) = point_mm, self._low, self._high
        inside = (min(max(x, a), d), min(max(y, b), e), min(max(z, c), f))
        for level in self._levels:
            found = level.at(inside)
            if found is not None:
                return found if inside == point_mm else _beyond(point_mm, inside, found)
        raise DistanceGridError("a coarsest grid with gaps", "one that holds every node", "build the grid anew")


class _Level:
    """One of the nested grids; memory views, since single elements of NumPy arrays are slow to read."""

    def __init__(self, lookup: GridLookup) -> None:
        self._spacing_mm = lookup.spacing_mm
        self._cells = tuple((lookup.shape - 2).tolist())
        self._strides = (int(lookup.shape[1] * lookup.shape[2]), int(lookup.shape[2]))
        self._row_of_node = lookup.row_of_node.data
        self._values = lookup.values.reshape(-1).data
        self._jumps = lookup.jumps.data
        x, y, z = lookup.origin_mm.tolist()
        self.low_mm: Point = (x, y, z)
        x, y, z = lookup.end_mm.tolist()
        self.high_mm: Point = (x, y, z)

    def at(self, point_mm: Point) -> PointSample | None:
        """As `PointDistance.at`, at a point within the box; None where this grid has no nodes about it."""
        spacing_mm, cells, rows = self._spacing_mm, self._cells, self._row_of_node
        (x, y, z), (low_x, low_y, low_z) = point_mm, self.low_mm
        x, y, z = (x - low_x) / spacing_mm, (y - low_y) / spacing_mm, (z - low_z) / spacing_mm
        i, j, k = min(int(x), cells[0]), min(int(y), cells[1]), min(int(z), cells[2])
        x, y, z = x - i, y - j, z - k
        of_i, of_j = self._strides
        first = i * of_i + j * of_j + k
        corners = (
            (rows[first], 0.0, 0.0, 0.0),
            (rows[first + 1], 0.0, 0.0, 1.0),
            (rows[first + of_j], 0.0, 1.0, 0.0),
            (rows[first + of_j + 1], 0.0, 1.0, 1.0),
            (rows[first + of_i], 1.0, 0.0, 0.0),
            (rows[first + of_i + 1], 1.0, 0.0, 1.0),
            (rows[first + of_i + of_j], 1.0, 1.0, 0.0),
            (rows[first + of_i + of_j + 1], 1.0, 1.0, 1.0),
        )
        if min(corners)[0] < 0:
            return None
        if self._jumps[corners[0][0]]:
            return self._least(corners)
        return self._blend(corners, x, y, z)

    def _blend(self, corners: tuple[tuple[int, float, float, float], ...], x: float, y: float, z: float) -> PointSample:
        """The mean of the trilinear interpolation and of the blended tangent planes, as in `distance_grid`."""
        values = self._values
        distance = along = gx = gy = gz = 0.0
        for row, a, b, c in corners:
            weight = (x if a else 1.0 - x) * (y if b else 1.0 - y) * (z if c else 1.0 - z)
            at = 4 * row
            ux, uy, uz = values[at + 1], values[at + 2], values[at + 3]
            distance += weight * values[at]
            along += weight * (ux * (x - a) + uy * (y - b) + uz * (z - c))
            gx, gy, gz = gx + weight * ux, gy + weight * uy, gz + weight * uz
        length = sqrt(gx * gx + gy * gy + gz * gz)
        if length < 1e-9:
            return PointSample(distance + 0.5 * self._spacing_mm * along, (0.0, 0.0, 0.0))
        return PointSample(distance + 0.5 * self._spacing_mm * along, (gx / length, gy / length, gz / length))

    def _least(self, corners: tuple[tuple[int, float, float, float], ...]) -> PointSample:
        """Beyond the rim of an open surface the sign is not known: the nearest that any corner allows, as if inside."""
        nearest = min(abs(self._values[4 * row]) for row, *_ in corners)
        return PointSample(-(nearest + sqrt(3.0) * self._spacing_mm), (0.0, 0.0, 0.0))


def _beyond(point_mm: Point, inside_mm: Point, found: PointSample) -> PointSample:
    """At a point outside of the box, from that of the nearest point on its border.

    All of the surface lies on the other side of that border, so that ``|p - s|^2 >= |p - q|^2 + |q - s|^2``.
    """
    out = [p - q for p, q in zip(point_mm, inside_mm, strict=True)]
    x, y, z = (gap + found.signed_mm * step for gap, step in zip(out, found.gradient, strict=True))
    length = sqrt(x * x + y * y + z * z)
    least_mm = sqrt(sum(gap * gap for gap in out) + found.signed_mm * found.signed_mm)
    return PointSample(least_mm, (x / length, y / length, z / length) if length else (0.0, 0.0, 0.0))
