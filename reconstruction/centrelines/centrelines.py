"""Centrelines of vessels, with radius, at sub-voxel accuracy: curves between ends and branchings.

The way: skeleton of the 0.5 level (Lee, Kashyap & Chu 1994), pruned by a stated rule; then cross-sections fitted to the
sub-voxel border of the probability, and a smoothing spline over the whole graph that does not shrink arcs. Where a
branch is still inside its neighbour it has no section of its own; there its axis goes on from outside, and the
branching lies where the axes meet (compare Antiga & Steinman, IEEE Trans Med Imaging 23, 2004).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from geometry.errors import SurgNavError
from geometry.frames import CT
from geometry.points import Bools, Floats, read_only
from geometry.volume import Volume
from reconstruction.centrelines.field import NoCentrelineError, TubeField, build_tube_field
from reconstruction.centrelines.refinement import Axes, refine
from reconstruction.centrelines.skeleton import clean, thin, trace


class InvalidCentrelineSettingsError(SurgNavError):
    """Centreline settings outside their range."""


class NodeKind(StrEnum):
    """What a node is: a free end of a tube, a branching, or the arbitrary point where a closed ring was cut open."""

    END = "end"
    BRANCHING = "branching"
    SEAM = "seam"


@dataclass(frozen=True, kw_only=True)
class CentrelineSettings:
    """How centrelines are found.

    Attributes:
        level: the border's value in a probability.
        step_mm: distance between points, and side of the cubes worked on; None for the smallest voxel spacing.
        prune_radii: a branch to a free end is dropped where its last ball stands out of the ball at its branching by
            less than this many times that ball's radius.
        merge_radii: branchings nearer than this many radii are one.
        smoothing_radii: smoothing length in units of a branch's radius, two steps at the least: waves of 2 pi times
            this length are halved, an arc of three times this radius loses 0.14 % of its depth.
        smallest_voxels: connected parts with fewer cubes are dropped.
        rounds: how often sections are fitted and smoothed.
        most_voxels: refuses to work on more cubes than this.
    """

    level: float = 0.5
    step_mm: float | None = None
    prune_radii: float = 1.0
    merge_radii: float = 1.0
    smoothing_radii: float = 1.0
    smallest_voxels: int = 27
    rounds: int = 4
    most_voxels: int = 200_000_000

    def __post_init__(self) -> None:
        radii = np.array([self.prune_radii, self.merge_radii, self.smoothing_radii])
        step = 1.0 if self.step_mm is None else self.step_mm
        if not (np.isfinite([*radii, step, self.level]).all() and (radii >= 0.0).all() and step > 0.0):
            raise InvalidCentrelineSettingsError(
                f"the settings {self}", "finite numbers, not below 0", "correct the settings"
            )
        if not 0.0 < self.level < 1.0 or self.smallest_voxels < 1 or self.rounds < 1:
            raise InvalidCentrelineSettingsError(
                f"level {self.level}, {self.smallest_voxels} voxels, {self.rounds} rounds",
                "a level between 0 and 1, counts of 1 or more",
                "correct the settings",
            )


@dataclass(frozen=True, eq=False)
class CentrelineNode:
    """A point where branches start or end.

    Attributes:
        point_ct_mm: ``(3,)``.
        kind: see `NodeKind`.
        leaves_scan: an end where the structure goes on beyond the scan.
    """

    point_ct_mm: Floats
    kind: NodeKind
    leaves_scan: bool


@dataclass(frozen=True, eq=False)
class Branch:
    """The axis of one tube between two nodes.

    Attributes:
        points_ct_mm: ``(n, 3)`` in order, evenly spaced, both nodes included.
        radius_mm: ``(n,)`` mean radius of the cross-section; where `measured` is False, continued from outside.
        measured: ``(n,)`` whether the cross-section there was the branch's own; False inside a neighbouring branch.
        start, end: indices into `CentrelineGraph.nodes`.
    """

    points_ct_mm: Floats
    radius_mm: Floats
    measured: Bools
    start: int
    end: int

    @property
    def length_mm(self) -> float:
        return float(np.linalg.norm(np.diff(self.points_ct_mm, axis=0), axis=1).sum())

    @property
    def tortuosity(self) -> float:
        """Length over the straight distance between the ends; 1 is straight, infinity a closed ring."""
        chord = float(np.linalg.norm(self.points_ct_mm[-1] - self.points_ct_mm[0]))
        return self.length_mm / chord if chord > 1e-9 else float("inf")


@dataclass(frozen=True, eq=False)
class CentrelineGraph:
    """All centrelines of a structure, in the frame `frame`.

    Attributes:
        branches: longest first.
        nodes: `Branch.start` and `Branch.end` count them.
        parts: connected parts with a centreline.
        loops: independent closed ways in the graph: real for a ring of vessels, else two vessels that touch.
        pruned: branches dropped by the rule of `CentrelineSettings.prune_radii`.
        dropped_parts: connected parts too small for a centreline.
        frame: the frame of all points.
    """

    branches: tuple[Branch, ...]
    nodes: tuple[CentrelineNode, ...]
    parts: int
    loops: int
    pruned: int
    dropped_parts: int
    frame: str = CT

    @property
    def length_mm(self) -> float:
        return sum(branch.length_mm for branch in self.branches)


def extract_centrelines(structure: Volume, settings: CentrelineSettings | None = None) -> CentrelineGraph:
    """Finds the centrelines of one tubular structure.

    Args:
        structure: a probability (float), or a mask (bool, or 0 and one other value), in `ct`; any spacing and
            orientation. A probability is more accurate: it says where in a voxel the border runs.
        settings: see `CentrelineSettings`.

    Raises:
        InvalidVolumeError: several labels in one volume, NaN, or values that are no real numbers.
        NoCentrelineError: nothing reaches the level, every part is too small, or the volume is too large.
    """
    settings = settings or CentrelineSettings()
    field = build_tube_field(structure, settings.level, settings.step_mm, settings.most_voxels)
    voxels, dropped = thin(field, settings.smallest_voxels)
    graph, cleaning = clean(trace(voxels, field), field, settings.prune_radii, settings.merge_radii)
    if not graph.chains:
        raise NoCentrelineError(
            "a structure without any tube in it",
            "a part longer than it is wide",
            "look at the structure, or lower smallest_voxels",
        )
    axes = refine(graph, field, field.step_mm, settings.smoothing_radii, settings.rounds)
    return _result(axes, field, structure, cleaning.twigs, dropped)


def _result(axes: Axes, field: TubeField, structure: Volume, pruned: int, dropped: int) -> CentrelineGraph:
    branches, cut = _within_scan(axes, field, structure)
    branches.sort(key=lambda branch: -branch.length_mm)
    used = sorted({node for branch in branches for node in (branch.start, branch.end)})
    number = {node: n for n, node in enumerate(used)}
    numbered = tuple(replace(branch, start=number[branch.start], end=number[branch.end]) for branch in branches)
    nodes = _nodes(numbered, {number[node] for node in cut if node in number})
    parts = _parts(numbered, len(nodes))
    loops = len(numbered) - len(nodes) + parts
    return CentrelineGraph(numbered, nodes, parts, loops, pruned, dropped, structure.frame)


def _within_scan(axes: Axes, field: TubeField, structure: Volume) -> tuple[list[Branch], set[int]]:
    """The branches up to the edge of the scan, and the ends that were cut there, as numbers of their own."""
    branches, cut = [], set()
    next_node = max(axes.graph.degrees()) + 1
    for chain, radius, measured in zip(axes.graph.chains, axes.radii_mm, axes.measured, strict=True):
        inside = np.flatnonzero(field.within_scan(chain.points_mm))
        if len(inside) < 2:
            continue
        kept = slice(inside[0], inside[-1] + 1)
        start, end = chain.start, chain.end
        if kept.start > 0:
            start, next_node = next_node, next_node + 1
            cut.add(start)
        if kept.stop < len(chain.points_mm):
            end, next_node = next_node, next_node + 1
            cut.add(end)
        points_ct_mm = structure.index_to_mm(chain.points_mm[kept] / structure.spacing_mm)
        radius_mm, own = np.ascontiguousarray(radius[kept]), np.ascontiguousarray(measured[kept])
        branches.append(Branch(read_only(points_ct_mm), read_only(radius_mm), read_only(own), start, end))
    return branches, cut


def _nodes(branches: tuple[Branch, ...], cut: set[int]) -> tuple[CentrelineNode, ...]:
    meeting: dict[int, int] = {}
    places: dict[int, Floats] = {}
    rings = set()
    for branch in branches:
        for node, at in ((branch.start, 0), (branch.end, -1)):
            meeting[node] = meeting.get(node, 0) + 1
            places[node] = branch.points_ct_mm[at]
        if branch.start == branch.end:
            rings.add(branch.start)
    nodes = []
    for node in sorted(meeting):
        kind = NodeKind.END if meeting[node] == 1 else NodeKind.BRANCHING
        if meeting[node] == 2 and node in rings:
            kind = NodeKind.SEAM
        nodes.append(CentrelineNode(read_only(places[node]), kind, node in cut))
    return tuple(nodes)


def _parts(branches: tuple[Branch, ...], nodes: int) -> int:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    starts, ends = [branch.start for branch in branches], [branch.end for branch in branches]
    return int(connected_components(csr_matrix((np.ones(len(starts)), (starts, ends)), shape=(nodes, nodes)))[0])
