"""The skeleton of a structure as a graph of voxel chains, without the twigs and knots that voxels leave in it.

Thinning: Lee, Kashyap & Chu, CVGIP: Graphical Models and Image Processing 56, 1994 (scikit-image). It keeps the
topology: a tunnel through the structure is a loop in the graph, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, label
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from geometry.extras import from_extra
from geometry.points import Floats
from reconstruction.centrelines.field import Ints, TubeField


@dataclass(frozen=True, eq=False)
class Chain:
    """A curve from one node to another: points ``(n, 3)`` in grid mm, the nodes' own included."""

    start: int
    end: int
    points_mm: Floats

    @property
    def length_mm(self) -> float:
        return float(self.along_mm()[-1])

    def along_mm(self) -> Floats:
        """Way from the start to each point: ``(n,)``."""
        steps = np.linalg.norm(np.diff(self.points_mm, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])

    def reversed(self) -> Chain:
        return Chain(self.end, self.start, self.points_mm[::-1])


@dataclass(frozen=True, eq=False)
class CurveGraph:
    """Chains between nodes; a node is a number, its place is where its chains end."""

    chains: tuple[Chain, ...]

    def degrees(self) -> dict[int, int]:
        """How many chain ends meet at each node: 1 at a free end."""
        found: dict[int, int] = {}
        for chain in self.chains:
            for node in (chain.start, chain.end):
                found[node] = found.get(node, 0) + 1
        return found

    def without(self, number: int) -> CurveGraph:
        return CurveGraph(self.chains[:number] + self.chains[number + 1 :])


@dataclass(frozen=True)
class Cleaning:
    """What was taken out of a skeleton: `twigs` pruned, `loops` too tight to be one, and its lone `parts`."""

    twigs: int = 0
    loops: int = 0
    parts: int = 0


def thin(field: TubeField, smallest_voxels: int) -> tuple[Ints, int]:
    """The skeleton's voxels (i, j, k), ``(n, 3)``, and how many parts were too small for one.

    Cavities are filled first: around one, thinning would leave a shell.
    """
    with from_extra("reconstruction"):
        from skimage.morphology import skeletonize

    filled = binary_fill_holes(field.inside)
    parts, count = label(filled, structure=np.ones((3, 3, 3)))
    large = np.bincount(parts.reshape(-1)) >= smallest_voxels
    large[0] = False
    skeleton = skeletonize(np.ascontiguousarray(large[parts]), method="lee") > 0
    return np.argwhere(skeleton)[:, ::-1], count - int(large.sum())


def trace(voxels_ijk: Ints, field: TubeField) -> CurveGraph:
    """Cuts the skeleton's voxels into chains between ends and branchings. A ring is a chain from a node to itself."""
    edges = _neighbours(voxels_ijk)
    count = len(voxels_ijk)
    both = np.concatenate([edges, edges[:, ::-1]])
    links = csr_matrix((np.ones(len(both), dtype=np.int8), (both[:, 0], both[:, 1])), shape=(count, count))
    degree = np.diff(links.indptr)
    node_of = _nodes(edges, degree)
    places = field.to_mm(voxels_ijk)
    centre = {int(n): places[node_of == n].mean(axis=0) for n in np.unique(node_of[node_of >= 0])}
    chains = []
    for path in _paths(links, node_of, degree):
        start, end = int(node_of[path[0]]), int(node_of[path[-1]])
        inner = places[path[1:-1]]
        chains.append(Chain(start, end, np.concatenate([[centre[start]], inner, [centre[end]]])))
    return CurveGraph(tuple(chains))


def _neighbours(voxels_ijk: Ints) -> Ints:
    """Pairs of neighbouring voxels; a diagonal is left out where two shorter steps join the same voxels."""
    pairs = cKDTree(voxels_ijk).query_pairs(1.8, output_type="ndarray")
    length2 = np.square(voxels_ijk[pairs[:, 0]] - voxels_ijk[pairs[:, 1]]).sum(axis=1)
    keep = length2 == 1
    count = len(voxels_ijk)
    for longer in (2, 3):
        shorter = pairs[length2 < longer]
        both = np.concatenate([shorter, shorter[:, ::-1]])
        links = csr_matrix((np.ones(len(both), dtype=np.int32), (both[:, 0], both[:, 1])), shape=(count, count))
        candidates = np.flatnonzero(length2 == longer)
        if len(candidates):
            detours = np.asarray((links @ links)[pairs[candidates, 0], pairs[candidates, 1]]).reshape(-1)
            keep[candidates[detours == 0]] = True
    return pairs[keep]


def _nodes(edges: Ints, degree: NDArray[Any]) -> Ints:
    """The node that each voxel belongs to, -1 for none: ends, knots of neighbouring branchings, one voxel of a ring."""
    crowded = degree >= 3
    inner = edges[crowded[edges].all(axis=1)]
    count = len(degree)
    knots = connected_components(csr_matrix((np.ones(len(inner)), (inner[:, 0], inner[:, 1])), shape=(count, count)))[1]
    node_of = np.where(crowded | (degree == 1), knots, -1)
    parts, part_of = connected_components(csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (count, count)))
    for part in np.setdiff1d(np.arange(parts), part_of[node_of >= 0]):
        members = np.flatnonzero(part_of == part)
        if len(members) > 1:
            node_of[members[0]] = knots[members[0]]
    return node_of


def _paths(links: csr_matrix, node_of: Ints, degree: NDArray[Any]) -> Iterator[list[int]]:
    """Walks from every node along every chain, each once."""
    done: set[tuple[int, int]] = set()
    for first in np.flatnonzero((node_of >= 0) & (degree > 0)).tolist():
        for second in links.indices[links.indptr[first] : links.indptr[first + 1]].tolist():
            if (first, second) in done or node_of[second] == node_of[first]:
                continue
            path = [first, second]
            while node_of[path[-1]] < 0:
                here = path[-1]
                ahead = links.indices[links.indptr[here] : links.indptr[here + 1]]
                path.append(int(ahead[ahead != path[-2]][0]))
            done.update([(first, second), (path[-1], path[-2])])
            yield path


# ------------------------------------------------------------------------------------------------------------- cleaning
def clean(graph: CurveGraph, field: TubeField, prune_radii: float, merge_radii: float) -> tuple[CurveGraph, Cleaning]:
    """Takes out what the surface's roughness and the voxels put in: twigs, double branchings, tight loops.

    Rules, with r the distance from the surface at the branching:

    - a twig, from a branching to a free end, is pruned where its last ball stands out of the branching's ball by less
      than ``prune_radii * r``: length + radius at its end - r. The least of all goes first, then all are judged again,
      so that of two twigs at a flat end one remains as the branch itself;
    - two branchings joined by less than ``merge_radii * r`` (the larger r) are one;
    - a loop back to its own branching shorter than 4 r is a knot, not a way around something.
    """
    twigs = loops = 0
    graph = _joined(graph)
    while (twig := _least_twig(graph, field, prune_radii)) is not None:
        graph, twigs = _joined(graph.without(twig)), twigs + 1
    graph = _merged(graph, field, merge_radii)
    while (knot := _tightest_loop(graph, field)) is not None:
        graph, loops = _joined(graph.without(knot)), loops + 1
    return graph, Cleaning(twigs=twigs, loops=loops)


def _least_twig(graph: CurveGraph, field: TubeField, prune_radii: float) -> int | None:
    degrees = graph.degrees()
    least, found = 0.0, None
    for number, chain in enumerate(graph.chains):
        if 1 not in (degrees[chain.start], degrees[chain.end]) or degrees[chain.start] == degrees[chain.end]:
            continue
        outward = chain if degrees[chain.end] == 1 else chain.reversed()
        at_branching, at_end = field.distance_mm(outward.points_mm[[0, -1]])
        stands_out = (chain.length_mm + at_end - at_branching) / at_branching - prune_radii
        if stands_out < least:
            least, found = float(stands_out), number
    return found


def _tightest_loop(graph: CurveGraph, field: TubeField) -> int | None:
    degrees = graph.degrees()
    for number, chain in enumerate(graph.chains):
        returns = chain.start == chain.end and degrees[chain.start] > 2
        if returns and chain.length_mm < 4.0 * field.distance_mm(chain.points_mm[:1])[0]:
            return number
    return None


def _joined(graph: CurveGraph) -> CurveGraph:
    """Makes one chain of two that meet at a node where nothing branches off."""
    chains = list(graph.chains)
    while True:
        degrees = CurveGraph(tuple(chains)).degrees()
        at: dict[int, list[int]] = {}
        for number, chain in enumerate(chains):
            for node in {chain.start, chain.end}:
                at.setdefault(node, []).append(number)
        pair = next(((n, c) for n, c in at.items() if degrees[n] == 2 and len(c) == 2), None)
        if pair is None:
            return CurveGraph(tuple(chains))
        node, (first, second) = pair
        a = chains[first] if chains[first].end == node else chains[first].reversed()
        b = chains[second] if chains[second].start == node else chains[second].reversed()
        joined = Chain(a.start, b.end, np.concatenate([a.points_mm, b.points_mm[1:]]))
        chains = [chain for number, chain in enumerate(chains) if number not in (first, second)] + [joined]


def _merged(graph: CurveGraph, field: TubeField, merge_radii: float) -> CurveGraph:
    while True:
        degrees = graph.degrees()
        for number, chain in enumerate(graph.chains):
            if chain.start == chain.end or min(degrees[chain.start], degrees[chain.end]) < 3:
                continue
            radius = field.distance_mm(chain.points_mm[[0, -1]]).max()
            if chain.length_mm < merge_radii * radius:
                graph = _contracted(graph.without(number), chain)
                break
        else:
            return graph


def _contracted(graph: CurveGraph, bridge: Chain) -> CurveGraph:
    """Both nodes of `bridge` become one, half-way between them; the chains' points there move along."""
    middle = 0.5 * (bridge.points_mm[0] + bridge.points_mm[-1])
    chains = []
    for chain in graph.chains:
        points = chain.points_mm.copy()
        start, end = chain.start, chain.end
        if start in (bridge.start, bridge.end):
            start, points[0] = bridge.start, middle
        if end in (bridge.start, bridge.end):
            end, points[-1] = bridge.start, middle
        chains.append(replace(chain, start=start, end=end, points_mm=points))
    return CurveGraph(tuple(chains))
