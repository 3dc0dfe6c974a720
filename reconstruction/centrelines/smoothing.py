"""Smooths all chains of a graph at once, so that they still meet at their branchings, and does not shrink curves.

A discrete smoothing spline: the points x minimise ``sum w |x - y|^2 + sum (l / step)^(2 m) |D^m x|^2`` over all chains,
where the points at a branching are one unknown. A wave of wavelength 2 pi / k is damped by ``1 / (1 + (l k)^(2 m))``:
with m = 3 an arc of radius R loses (l / R)^6 of its depth, which for l = R / 3 is 0.14 %. Where the weight is 0 the
chain goes on as it came (quadratically), so a branching lies where its branches' axes meet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import bsr_matrix, csr_matrix, diags, identity, kron, vstack
from scipy.sparse.linalg import splu

from geometry.points import Floats
from reconstruction.centrelines.field import Ints
from reconstruction.centrelines.skeleton import Chain, CurveGraph

_ALONG = 0.01  # how firmly a target holds its point along the chain, against 1 across it
_DIFFERENCES = {1: (-1.0, 1.0), 2: (1.0, -2.0, 1.0), 3: (-1.0, 3.0, -3.0, 1.0)}


def smooth_graph(
    graph: CurveGraph, targets_mm: Sequence[Floats], weights: Sequence[Floats], lengths_mm: Sequence[Floats], order: int
) -> CurveGraph:
    """The graph with smooth chains near their targets.

    A target holds its point across the chain, and along it only faintly: a section says nothing about where along the
    tube it lies, and a branching must be free to move along all of its branches.

    Args:
        graph: its points are spaced evenly along each chain.
        targets_mm: per chain ``(n, 3)``.
        weights: per chain ``(n,)``, 0 to 1.
        lengths_mm: per chain ``(n,)``, the smoothing length l at each point.
        order: m.
    """
    unknowns, count = _shared_unknowns(graph)
    degrees = graph.degrees()
    holding, right = np.zeros((count, 3, 3)), np.zeros((count, 3))
    rows = []
    for chain, index, target, weight, length in zip(
        graph.chains, unknowns, targets_mm, weights, lengths_mm, strict=True
    ):
        firm = _across_only(chain, degrees) * weight[:, None, None]
        np.add.at(holding, index, firm)
        np.add.at(right, index, np.einsum("nij,nj->ni", firm, target))
        step = chain.length_mm / (len(index) - 1)
        rows.append(_penalty(index, count, order, step, length, _is_ring(graph, chain)))
    penalty = vstack(rows)
    blocks = bsr_matrix((holding, np.arange(count), np.arange(count + 1)), shape=(3 * count, 3 * count))
    system = blocks + kron(penalty.T @ penalty, identity(3))
    solved = splu(system.tocsc()).solve(right.reshape(-1)).reshape(count, 3)
    return CurveGraph(
        tuple(Chain(c.start, c.end, solved[index]) for c, index in zip(graph.chains, unknowns, strict=True))
    )


def _across_only(chain: Chain, degrees: Mapping[int, int]) -> Floats:
    """Matrices ``(n, 3, 3)`` that pass what lies across the chain; a free end is held in all directions."""
    along = tangents(chain)
    matrices = np.eye(3) - (1.0 - _ALONG) * along[:, :, None] * along[:, None, :]
    for node, at in ((chain.start, 0), (chain.end, -1)):
        if degrees[node] == 1:
            matrices[at] = np.eye(3)
    return matrices


def smooth_values(values: Floats, weights: Floats, length_in_steps: float) -> Floats:
    """Values along one chain, smoothed with m = 1: constant where the weight is 0 at an end, straight in between."""
    index = np.arange(len(values))
    penalty = _penalty(index, len(values), 1, 1.0, np.full(len(values), length_in_steps), ring=False)
    return np.asarray(splu((diags(weights) + penalty.T @ penalty).tocsc()).solve(weights * values))


def evenly_spaced(chain: Chain, step_mm: float) -> Chain:
    """The same curve with points about `step_mm` apart, five at least."""
    along = chain.along_mm()
    count = max(round(along[-1] / step_mm) + 1, 5)
    wanted = np.linspace(0.0, along[-1], count)
    columns = [np.interp(wanted, along, chain.points_mm[:, axis]) for axis in range(3)]
    return Chain(chain.start, chain.end, np.stack(columns, axis=1))


def tangents(chain: Chain) -> Floats:
    """Unit vectors along a chain, ``(n, 3)``."""
    along = np.gradient(chain.points_mm, axis=0)
    return np.asarray(along / np.maximum(np.linalg.norm(along, axis=1), 1e-12)[:, None])


def _shared_unknowns(graph: CurveGraph) -> tuple[list[Ints], int]:
    nodes = {node: number for number, node in enumerate(graph.degrees())}
    count, unknowns = len(nodes), []
    for chain in graph.chains:
        inner = np.arange(count, count + len(chain.points_mm) - 2)
        unknowns.append(np.concatenate([[nodes[chain.start]], inner, [nodes[chain.end]]]).astype(np.intp))
        count += len(inner)
    return unknowns, count


def _is_ring(graph: CurveGraph, chain: Chain) -> bool:
    return chain.start == chain.end and graph.degrees()[chain.start] == 2


def _penalty(index: Ints, count: int, order: int, step_mm: float, length_mm: Floats, ring: bool) -> csr_matrix:
    """The rows ``(l / step)^m D^m`` of one chain; a ring's go across its seam."""
    path = np.concatenate([index, index[1 : order + 1]]) if ring else index
    terms = _DIFFERENCES[order]
    rows = np.arange(len(path) - order)
    columns = np.stack([path[n : n + len(rows)] for n in range(order + 1)], axis=1)
    middle = np.minimum(rows + (order + 1) // 2, len(index) - 1)
    values = np.outer((length_mm[middle] / max(step_mm, 1e-9)) ** order, terms)
    return csr_matrix((values.reshape(-1), (np.repeat(rows, order + 1), columns.reshape(-1))), shape=(len(rows), count))
