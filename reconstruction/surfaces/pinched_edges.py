"""Edges at which a closed surface touches itself, cut apart: four triangles at one edge become two at each of two.

Collapsing edges can pinch a thin part until its two sides share an edge. The shape is still closed there, but no longer
a manifold. Each pair of triangles that bounds material gets a midpoint of its own on the edge: nothing moves, and two
halves of an edge with different midpoints are different edges.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats, Triangles

# A triangle with several such edges takes a round for each. Where one comes back (triangles folded onto each other)
# there is no end to it.
ROUNDS = 8


def cut_pinched_edges(vertices: Floats, triangles: Triangles) -> tuple[Floats, Triangles]:
    """The same shape, with two triangles at every edge where the windings allow it; new vertices come last."""
    for _ in range(ROUNDS):
        groups = _pinched(triangles, len(vertices))
        untouched = np.ones(len(triangles), dtype=bool)
        new_vertices, new_triangles = [vertices], []
        count = len(vertices)
        for (tail, head), rows in groups.items():
            pairs = _pairs(vertices, triangles, (tail, head), rows) if untouched[rows].all() else []
            for pair in pairs:
                new_vertices.append((vertices[[tail]] + vertices[[head]]) / 2.0)
                new_triangles += [half for row in pair for half in _halves(triangles[row], tail, head, count)]
                untouched[list(pair)] = False
                count += 1
        if not new_triangles:
            break
        vertices = np.concatenate(new_vertices)
        triangles = np.concatenate([triangles[untouched], np.array(new_triangles, np.int32)])
    return vertices, triangles


def _pinched(triangles: Triangles, vertices: int) -> dict[tuple[int, int], NDArray[np.intp]]:
    """Edges with more than two triangles -> the rows of those."""
    ends = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    keys = ends[:, 0].astype(np.int64) * vertices + ends[:, 1]
    _, edge, counts = np.unique(keys, return_inverse=True, return_counts=True)
    crowded = np.flatnonzero(counts[edge] > 2)
    groups: dict[tuple[int, int], list[int]] = {}
    for place in crowded:
        groups.setdefault((int(ends[place, 0]), int(ends[place, 1])), []).append(int(place % len(triangles)))
    return {edge: np.array(rows) for edge, rows in groups.items()}


def _pairs(
    vertices: Floats, triangles: Triangles, edge: tuple[int, int], rows: NDArray[np.intp]
) -> list[tuple[int, int]]:
    """Triangles around an edge that bound the same material, two by two; none where windings do not match.

    A triangle that runs along the edge has material on the side of smaller angles, one that runs against it on the
    other side.
    """
    tail, head = edge
    axis = vertices[head] - vertices[tail]
    towards = np.array([vertices[_third(triangles[row], edge)] - vertices[tail] for row in rows])
    across = np.cross(axis, towards[0])
    angles = np.arctan2(towards @ across * np.linalg.norm(axis), towards @ np.cross(across, axis))
    along = np.array([_runs_along(triangles[row], tail, head) for row in rows])
    forward, backward = rows[along], rows[~along]
    if len(forward) != len(backward):
        return []
    left = dict(zip(backward.tolist(), angles[~along], strict=True))
    pairs = []
    for row, angle in sorted(zip(forward.tolist(), angles[along], strict=True), key=lambda item: item[1]):
        nearest = min(left, key=lambda other: (angle - left[other]) % (2.0 * np.pi))
        del left[nearest]
        pairs.append((row, nearest))
    return pairs


def _third(triangle: NDArray[np.int32], edge: tuple[int, int]) -> int:
    return next(int(corner) for corner in triangle if corner not in edge)


def _runs_along(triangle: NDArray[np.int32], tail: int, head: int) -> bool:
    return (tail, head) in {(int(a), int(b)) for a, b in zip(triangle, np.roll(triangle, -1), strict=True)}


def _halves(triangle: NDArray[np.int32], tail: int, head: int, middle: int) -> list[NDArray[np.int32]]:
    return [np.where(triangle == end, middle, triangle).astype(np.int32) for end in (head, tail)]
