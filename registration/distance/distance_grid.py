"""Signed distance on nested grids, interpolated between exact values: a hundred times as fast as `ExactDistance`.

The finest grid has nodes near the surface only; grids of twice, four and eight times its spacing reach farther out, the
last one over the whole box. So the error grows with the distance from the surface, where accuracy matters less.
Between nodes, values and gradients are blended: ``sum w_c (d_c + g_c . (p - x_c) / 2)`` with trilinear weights. On a
quadratic, trilinear interpolation has the error +q and the blend of tangent planes -q: their mean is exact.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geometry import Surface
from geometry.points import Floats
from registration.distance.closest_point import ExactDistance, SurfaceDistance, unit
from registration.distance.grid_file import GridContent, Level, read_grid, surface_fingerprint, write_grid
from registration.distance.normal_trend import NormalTrend
from registration.errors import DistanceGridError

LEVELS = 4
CORNERS = np.array(list(itertools.product((0, 1), repeat=3)))
AXES = np.arange(3)
# Matrix ``(32, 5)`` from the weighted values and gradients of the eight corners ``(8 x 4,)`` to their sum (4), and to
# the sum of the gradient components along the axes in which a corner is one step ahead (1).
BLEND = np.array([[*np.eye(4)[k], corner[k - 1] if k else 0] for corner in CORNERS for k in range(4)], dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class GridSettings:
    """Layout of a distance grid.

    Attributes:
        spacing_mm: spacing of the finest grid.
        margin_mm: how far the grid reaches beyond the surface's box.
        trend_radius_mm: radius for which `mean_normal_lines` is prepared; other radii are computed when needed.
        maximum_nodes: largest number of nodes in the finest grid's box, each of which takes four bytes in memory.
    """

    spacing_mm: float = 2.0
    margin_mm: float = 30.0
    trend_radius_mm: float = 20.0
    maximum_nodes: int = 100_000_000


class DistanceGrid:
    """A `DistanceField` on nested grids, made by `from_surface` or `load`.

    For points beyond the grid, the distance is extrapolated from its border. Where the sign jumps, beyond the rim of an
    open surface, the exact distance is used.

    Attributes:
        lookups: the grids from fine to coarse.
    """

    def __init__(self, surface: Surface, content: GridContent, exact: ExactDistance | None = None) -> None:
        self._surface = surface
        self._content = content
        self._given_exact = exact
        self.lookups = tuple(GridLookup.of(content, number) for number in range(len(content.levels)))

    def __reduce__(self) -> tuple[type[DistanceGrid], tuple[Surface, GridContent]]:
        """As another process gets it: without the exact distance, which is made again when it is needed."""
        return DistanceGrid, (self._surface, self._content)

    @classmethod
    def from_surface(cls, surface: Surface, settings: GridSettings | None = None) -> DistanceGrid:
        """Builds the grids from the exact distance at every node.

        Raises:
            DistanceGridError: a surface without triangles, a length in the settings that is not above zero, or too many
                nodes.
        """
        settings = settings or GridSettings()
        shape = _checked_shape(surface, settings)
        origin_mm = surface.bounds_mm[0] - settings.margin_mm
        exact = ExactDistance(surface)
        covering_mm = _covering_points(surface, 0.8 * settings.spacing_mm)
        levels, feet_mm, normals = [], np.empty((0, 3)), np.empty((0, 3))
        for number in range(LEVELS):
            spacing_mm = settings.spacing_mm * 2**number
            extent = tuple(-(-(n - 1) // 2**number) + 1 for n in shape)
            mask = _near(covering_mm, origin_mm, spacing_mm, extent) if number < LEVELS - 1 else np.ones(extent, bool)
            nodes_mm = origin_mm + spacing_mm * np.argwhere(mask)
            distance, foot_normals = exact.distance_and_normals(nodes_mm)
            if number == 0:
                # One layer of nodes: their closest points are spread evenly over the surface, as the nodes are.
                layer = np.abs(distance.signed_mm) <= spacing_mm / 2.0
                feet_mm = nodes_mm[layer] - distance.signed_mm[layer, None] * distance.gradient[layer]
                normals = foot_normals[layer]
            values = np.column_stack([distance.signed_mm, distance.gradient]).astype(np.float32)
            levels.append(Level(mask, values))
        trend = NormalTrend.of(feet_mm, normals, settings.trend_radius_mm)
        fingerprint = surface_fingerprint(surface)
        content = GridContent(fingerprint, surface.frame, settings.spacing_mm, origin_mm, tuple(levels), trend)
        return cls(surface, content, exact)

    def save(self, path: Path) -> None:
        """Writes the grids to one file, atomically."""
        write_grid(path, self._content)

    @classmethod
    def load(cls, path: Path, surface: Surface) -> DistanceGrid:
        """Reads the file that `save` wrote for the same surface.

        Raises:
            DistanceGridError: no such file, a damaged one, one of another version, or of another surface.
        """
        return cls(surface, read_grid(path, surface))

    @property
    def frame(self) -> str:
        """The surface's frame."""
        return self._content.frame

    @property
    def spacing_mm(self) -> float:
        """Spacing of the finest grid."""
        return self._content.spacing_mm

    @property
    def node_count(self) -> int:
        """Number of nodes that hold a distance, over all grids."""
        return sum(len(level.values) for level in self._content.levels)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the surface's geometry and frame."""
        return self._content.fingerprint

    def distance(self, points_mm: Floats) -> SurfaceDistance:
        """As `DistanceField.distance`."""
        inside_mm = np.clip(points_mm, self.lookups[0].origin_mm, self.lookups[0].end_mm)
        signed_mm, gradient = np.empty(len(points_mm)), np.empty((len(points_mm), 3))
        jumps: list[NDArray[np.int64]] = []
        asked = np.arange(len(points_mm))
        for lookup in self.lookups:
            rows, fractions = lookup.corners(inside_mm[asked])
            held = rows.min(axis=1, initial=np.iinfo(np.int32).max) >= 0
            here = asked[held]
            signed_mm[here], gradient[here], jump = lookup.blend(rows[held], fractions[held])
            jumps.append(here[jump])
            asked = asked[~held]
            if not len(asked):
                break
        self._correct(points_mm, inside_mm, signed_mm, gradient, np.concatenate(jumps))
        return SurfaceDistance(signed_mm, gradient)

    def mean_normal_lines(self, feet_mm: Floats, radius_mm: float) -> Floats:
        """As `DistanceField.mean_normal_lines`."""
        if radius_mm != self._content.trend.radius_mm:
            return self._exact.mean_normal_lines(feet_mm, radius_mm)
        return self._content.trend.lines(feet_mm, self.distance(feet_mm).gradient)

    def sites(self) -> tuple[Floats, Floats]:
        """As `DistanceField.sites`."""
        return self._content.trend.centres_mm, self._content.trend.facing

    @cached_property
    def _exact(self) -> ExactDistance:
        return self._given_exact or ExactDistance(self._surface)

    def _correct(
        self, points_mm: Floats, inside_mm: Floats, signed_mm: Floats, gradient: Floats, jumps: NDArray[np.int64]
    ) -> None:
        """Corrects, in place, what interpolation cannot give: points beyond the grid, and where the sign jumps."""
        if len(jumps):
            exact = self._exact.distance(inside_mm[jumps])
            signed_mm[jumps], gradient[jumps] = exact.signed_mm, exact.gradient
        beyond = np.flatnonzero((points_mm != inside_mm).any(axis=1))
        if len(beyond):
            offsets = points_mm[beyond] - (inside_mm[beyond] - signed_mm[beyond, None] * gradient[beyond])
            sign = np.where(signed_mm[beyond] < 0.0, -1.0, 1.0)
            signed_mm[beyond] = sign * np.linalg.norm(offsets, axis=1)
            gradient[beyond] = sign[:, None] * unit(offsets)


@dataclass(frozen=True, eq=False)
class GridLookup:
    """One grid with an index: for every node of its box the row of its value, or -1 if it holds none."""

    origin_mm: Floats
    spacing_mm: float
    shape: NDArray[np.int64]
    row_of_node: NDArray[np.int32]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, content: GridContent, number: int) -> GridLookup:
        level = content.levels[number]
        row_of_node = np.full(level.mask.size, -1, np.int32)
        row_of_node[np.flatnonzero(level.mask)] = np.arange(len(level.values), dtype=np.int32)
        shape = np.array(level.mask.shape)
        return cls(content.origin_mm, content.spacing_mm * 2**number, shape, row_of_node, level.values)

    @property
    def end_mm(self) -> Floats:
        return self.origin_mm + self.spacing_mm * (self.shape - 1)

    def corners(self, points_mm: Floats) -> tuple[NDArray[np.int32], Floats]:
        """Rows of the values at the corners of each point's cell ``(n, 8)``, and its place in the cell ``(n, 3)``."""
        place = (points_mm - self.origin_mm) / self.spacing_mm
        cell = np.clip(place.astype(np.int64), 0, self.shape - 2)
        strides = np.array([self.shape[1] * self.shape[2], self.shape[2], 1])
        return self.row_of_node[(cell @ strides)[:, None] + CORNERS @ strides], place - cell

    def blend(self, rows: NDArray[np.int32], fractions: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Distance ``(n,)``, unit gradient ``(n, 3)``, and whether the sign jumps within the cell ``(n,)`` bool."""
        steps = np.stack([1.0 - fractions, fractions], axis=1)
        weights = np.prod(steps[:, CORNERS, AXES], axis=2).astype(np.float32)
        shares = (weights[:, :, None] * self.values[rows]).reshape(-1, BLEND.shape[0]) @ BLEND
        gradient = shares[:, 1:4].astype(np.float64)
        along = np.einsum("nj,nj->n", gradient, fractions) - shares[:, 4]
        return shares[:, 0] + (0.5 * self.spacing_mm) * along, unit(gradient), self.jumps[rows[:, 0]]

    @cached_property
    def jumps(self) -> NDArray[np.bool_]:
        """Whether the sign jumps along an edge of a cell, by the row of the cell's first node."""
        strides = np.array([self.shape[1] * self.shape[2], self.shape[2], 1])
        nodes = np.flatnonzero(self.row_of_node >= 0)
        distance_mm = self.values[:, 0]
        edges = np.zeros((3, len(nodes)), bool)
        neighbours = np.empty((3, len(nodes)), np.int32)
        for axis, stride in enumerate(strides):
            # At the box's border this finds a node of the next line, but such a node is not the first of any cell.
            neighbours[axis] = self.row_of_node[np.minimum(nodes + stride, len(self.row_of_node) - 1)]
            # A distance cannot change by more than the step between two nodes, unless its sign jumps.
            step_mm = np.abs(distance_mm[neighbours[axis]] - distance_mm)
            edges[axis] = (neighbours[axis] >= 0) & (step_mm > 1.01 * self.spacing_mm)
        jumps = np.zeros(len(nodes), bool)
        for axis in range(3):
            second, third = neighbours[(axis + 1) % 3], neighbours[(axis + 2) % 3]
            jumps |= edges[axis] | edges[axis][second] | edges[axis][third] | edges[axis][third[second]]
        return jumps


def _checked_shape(surface: Surface, settings: GridSettings) -> tuple[int, int, int]:
    if not len(surface.triangles):
        raise DistanceGridError(
            f"the surface '{surface.name}' without triangles", "at least one triangle", "check its segmentation"
        )
    if not (settings.spacing_mm > 0.0 and settings.margin_mm > 0.0 and settings.trend_radius_mm > 0.0):
        raise DistanceGridError(
            f"a grid with a spacing of {settings.spacing_mm:g} mm, a margin of {settings.margin_mm:g} mm and a trend "
            f"radius of {settings.trend_radius_mm:g} mm",
            "lengths above zero",
            "state them in mm",
        )
    extent_mm = np.ptp(surface.bounds_mm, axis=0) + 2.0 * settings.margin_mm
    shape = np.ceil(extent_mm / settings.spacing_mm) + 1.0
    if not shape.prod() <= settings.maximum_nodes:
        raise DistanceGridError(
            f"a grid of {shape[0]:.0f} x {shape[1]:.0f} x {shape[2]:.0f} nodes for '{surface.name}'",
            f"at most {settings.maximum_nodes} nodes",
            "check that the surface is in mm and without distant fragments, or choose a wider spacing",
        )
    i, j, k = (max(int(n), 2**LEVELS) for n in shape)
    return i, j, k


def _covering_points(surface: Surface, spacing_mm: float) -> Floats:
    """Points on the surface that leave no gap wider than `spacing_mm`: its vertices, and more on long triangles."""
    corners = surface.vertices_mm[surface.triangles]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    parts = np.ceil(longest / spacing_mm).astype(np.int64)
    points = [surface.vertices_mm]
    for count in np.unique(parts[parts > 1]):
        steps = np.array([(a, b, count - a - b) for a in range(count + 1) for b in range(count + 1 - a)]) / count
        points.append(np.einsum("pc,ncj->npj", steps, corners[parts == count]).reshape(-1, 3))
    return np.concatenate(points)


def _near(points_mm: Floats, origin_mm: Floats, spacing_mm: float, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mask of the nodes near the surface: at least all corners of every cell that it passes through."""
    mask = np.zeros(shape, bool)
    mask[tuple(np.rint((points_mm - origin_mm) / spacing_mm).astype(np.int64).T)] = True
    return ndimage.binary_dilation(mask, np.ones((3, 3, 3), bool))
