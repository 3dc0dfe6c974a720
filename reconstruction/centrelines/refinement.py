"""Moves a skeleton's chains to the middle of their tubes, sub-voxel, and to where the tubes end and branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy.spatial import cKDTree

from geometry.points import Bools, Floats
from reconstruction.centrelines.field import TubeField
from reconstruction.centrelines.sections import fit_sections
from reconstruction.centrelines.skeleton import Chain, CurveGraph
from reconstruction.centrelines.smoothing import evenly_spaced, smooth_graph, smooth_values, tangents

_FAINT = 1e-4  # weight that keeps a point without a section near where it was, if nothing else places it
_FIRMER, _HOLDS = 30.0, 5  # a chain that strays is held by this much more, so often
_STRAY_RADII = 1.0  # of the distance from skeleton to border: further from it than this (and a step) is astray
_BACKWARDS = 0.3  # a cosine: an axis that turns from its skeleton's way by more is astray
_GAPS = 3  # how far from a branching, in units of the gap there, the axis is stiff
_GAP_STIFFNESS = 1.0
_MARGIN_RADII, _MARGIN_STEPS = 0.3, 1.5  # around a neighbour's tube: point spread and the rounding where tubes meet


_Tube: TypeAlias = tuple[Chain, Floats, Bools]  # with its radii and which of them were measured


@dataclass(frozen=True, eq=False)
class Axes:
    """A refined graph: per chain the radii ``(n,)`` in mm, and which points had a section of their own ``(n,)``."""

    graph: CurveGraph
    radii_mm: tuple[Floats, ...]
    measured: tuple[Bools, ...]


@dataclass(frozen=True, eq=False)
class _Skeleton:
    """Where one chain was found first: a KD-tree of its points, and how far the border and which way on.

    The way is taken over a few points, since a skeleton goes from voxel to voxel.
    """

    tree: Any
    points_mm: Floats
    reach_mm: Floats
    along: Floats

    def nearest_mm(self, points_mm: Floats) -> Floats:
        return np.asarray(self.points_mm[self.tree.query(points_mm)[1]])

    def lost(self, chain: Chain, judged: Bools, step_mm: float) -> bool:
        """Whether a point of `chain` that is judged lies beyond the border from the skeleton, or heads back."""
        distance, nearest = self.tree.query(chain.points_mm[judged])
        along = (tangents(chain)[judged] * self.along[nearest]).sum(axis=1)
        return bool(((distance > _STRAY_RADII * self.reach_mm[nearest] + step_mm) | (along < _BACKWARDS)).any())


def refine(graph: CurveGraph, field: TubeField, step_mm: float, smoothing_radii: float, rounds: int) -> Axes:
    """Fits sections and smooths, in turns; the free ends are set before each turn.

    Args:
        step_mm: distance between the points.
        smoothing_radii: smoothing length in units of each chain's median radius (two steps at the least).
        rounds: turns.
    """
    graph = CurveGraph(tuple(evenly_spaced(chain, step_mm) for chain in graph.chains))
    radii = tuple(field.distance_mm(chain.points_mm) for chain in graph.chains)
    skeletons = [
        _Skeleton(cKDTree(c.points_mm), c.points_mm, r, _coarse_tangents(c))
        for c, r in zip(graph.chains, radii, strict=True)
    ]
    axes = Axes(graph, radii, tuple(np.ones(len(r), dtype=bool) for r in radii))
    axes = _smoothed(axes, [chain.points_mm for chain in graph.chains], skeletons, smoothing_radii, step_mm)
    for _ in range(rounds):
        axes = _with_ends(axes, field, step_mm)
        axes = _centred(axes, field, skeletons, smoothing_radii, step_mm)
    return _with_ends(axes, field, step_mm)


def _coarse_tangents(chain: Chain) -> Floats:
    index = np.arange(len(chain.points_mm))
    ahead, behind = np.minimum(index + 3, index[-1]), np.maximum(index - 3, 0)
    way = chain.points_mm[ahead] - chain.points_mm[behind]
    return np.asarray(way / np.maximum(np.linalg.norm(way, axis=1), 1e-9)[:, None])


def _centred(axes: Axes, field: TubeField, skeletons: list[_Skeleton], smoothing_radii: float, step_mm: float) -> Axes:
    targets, radii, measured = [], [], []
    crowded = _crowded(axes)
    for chain, radius, shared, skeleton in zip(axes.graph.chains, axes.radii_mm, crowded, skeletons, strict=True):
        sections = fit_sections(field, chain.points_mm, tangents(chain), radius)
        own = sections.found & ~shared
        targets.append(np.where(own[:, None], sections.centres_mm, skeleton.nearest_mm(chain.points_mm)))
        measured.append(own)
        radii.append(np.where(own, sections.radius_mm, radius))
    return _smoothed(Axes(axes.graph, tuple(radii), tuple(measured)), targets, skeletons, smoothing_radii, step_mm)


def _smoothed(
    axes: Axes, targets: list[Floats], skeletons: list[_Skeleton], smoothing_radii: float, step_mm: float
) -> Axes:
    """Smooths; chains that then leave the neighbourhood of their skeleton are held to it more and more firmly.

    An axis that is continued where it has no sections may go astray: after a short stretch, or between branchings that
    follow closely upon one another.
    """
    base = [max(smoothing_radii * float(np.median(r)), 2.0 * step_mm) for r in axes.radii_mm]
    lengths = [_stiffer_at_gaps(own, length, step_mm) for own, length in zip(axes.measured, base, strict=True)]
    hold = [_FAINT] * len(base)
    for _ in range(_HOLDS):
        weights = [np.where(own, 1.0, held) for own, held in zip(axes.measured, hold, strict=True)]
        graph = smooth_graph(axes.graph, targets, weights, lengths, order=3)
        lost = [
            number
            for number, (chain, skeleton, own) in enumerate(zip(graph.chains, skeletons, axes.measured, strict=True))
            if not own.all() and skeleton.lost(chain, ~own, step_mm)
        ]
        if not lost:
            break
        for number in lost:
            hold[number] = min(hold[number] * _FIRMER, 1.0)
            lengths[number] = np.full(len(lengths[number]), base[number])
    radii = tuple(
        smooth_values(r, np.where(own, 1.0, _FAINT), length / step_mm)
        for r, own, length in zip(axes.radii_mm, axes.measured, base, strict=True)
    )
    return Axes(graph, radii, axes.measured)


def _stiffer_at_gaps(measured: Bools, length_mm: float, step_mm: float) -> Floats:
    """The smoothing length at each point: near an end without sections, as long as the gap to be bridged there.

    An axis that is continued over a gap takes its direction from a stretch as long as the gap, not from the few last
    sections, whose errors would grow with the square of the way.
    """
    lengths = np.full(len(measured), length_mm)
    known = np.flatnonzero(measured)
    if not len(known):
        return lengths
    for gap, side in ((int(known[0]), slice(None)), (len(measured) - 1 - int(known[-1]), slice(None, None, -1))):
        near = lengths[side][: _GAPS * gap]  # a view
        near[:] = np.maximum(near, _GAP_STIFFNESS * gap * step_mm)
    return lengths


def _crowded(axes: Axes) -> list[Bools]:
    """Points whose section another chain's tube shares; the branchings themselves always."""
    degrees = axes.graph.degrees()
    chains = axes.graph.chains
    boxes = [
        (np.min(c.points_mm - 2.0 * r[:, None], axis=0), np.max(c.points_mm + 2.0 * r[:, None], axis=0))
        for c, r in zip(chains, axes.radii_mm, strict=True)
    ]
    found = []
    for number, chain in enumerate(chains):
        shared = np.zeros(len(chain.points_mm), dtype=bool)
        for end, at in ((chain.start, 0), (chain.end, -1)):
            shared[at] |= degrees[end] > 2
        for other, neighbour in enumerate(chains):
            apart = (boxes[number][0] > boxes[other][1]).any() or (boxes[other][0] > boxes[number][1]).any()
            if other != number and not apart:
                shared |= _shared(chain, axes.radii_mm[number], neighbour, axes.radii_mm[other])
        found.append(shared)
    return found


def _shared(chain: Chain, radius: Floats, neighbour: Chain, their_radius: Floats) -> Bools:
    """Points ``(n,)`` of `chain` whose section, a disc, comes nearer to a ball of the neighbour's tube than a margin.

    Balls that do not stand out of the chain's own tube do no harm: those of its straight continuation beyond a side
    branch, and those of the side branch where it has not left yet.
    """
    along = tangents(chain)
    step = chain.length_mm / (len(radius) - 1)
    relative = neighbour.points_mm[None, :, :] - chain.points_mm[:, None, :]
    height = np.einsum("nmd,nd->nm", relative, along)
    aside = np.sqrt(np.maximum(np.square(relative).sum(axis=2) - height**2, 0.0))
    stands_out = aside + their_radius > 1.1 * radius[:, None] + 0.5 * step
    away = np.hypot(height, np.maximum(aside - radius[:, None], 0.0))
    near = away < their_radius + np.maximum(_MARGIN_RADII * their_radius, _MARGIN_STEPS * step)
    return np.asarray((stands_out & near).any(axis=1))


# ----------------------------------------------------------------------------------------------------------------- ends
def _with_ends(axes: Axes, field: TubeField, step_mm: float) -> Axes:
    """Cuts or continues each free end to where the tube's end is one radius away, then spaces the points evenly."""
    degrees = axes.graph.degrees()
    tubes = []
    for one in zip(axes.graph.chains, axes.radii_mm, axes.measured, strict=True):
        tube: _Tube = one
        if degrees[tube[0].start] == 1:
            tube = _flipped(_ended(*_flipped(tube), field, step_mm))
        if degrees[tube[0].end] == 1:
            tube = _ended(*tube, field, step_mm)
        tubes.append(_spaced(*tube, step_mm))
    chains, radii, measured = zip(*tubes, strict=True)
    return Axes(CurveGraph(tuple(chains)), tuple(radii), tuple(measured))


def _flipped(tube: _Tube) -> _Tube:
    chain, radius, measured = tube
    return chain.reversed(), radius[::-1], measured[::-1]


def _spaced(chain: Chain, radius: Floats, measured: Bools, step_mm: float) -> _Tube:
    even = evenly_spaced(chain, step_mm)
    old, new = chain.along_mm(), even.along_mm()
    old, new = old / max(old[-1], 1e-9), new / max(new[-1], 1e-9)
    return even, np.interp(new, old, radius), np.interp(new, old, measured) > 0.5


def _ended(chain: Chain, radius: Floats, own: Bools, field: TubeField, step_mm: float) -> _Tube:
    """The chain with its last point where the border straight ahead is as far as the border around it."""
    points = chain.points_mm
    reach = float(np.median(radius[-max(len(radius) // 4, 3) :]))
    back = max(round(reach / step_mm), 2)
    first = max(len(points) - 4 * back, len(points) // 2, 2)
    for last in range(len(points) - 1, first - 1, -1):
        ahead = points[last] - points[max(last - back, 0)]
        ahead /= max(float(np.linalg.norm(ahead)), 1e-9)
        room = _room_mm(points[last], ahead, field, 3.0 * float(radius[last]) + 4.0 * step_mm)
        if room >= radius[last] or last == first:
            break
    further = np.arange(1, int(max(room - radius[last], 0.0) / step_mm) + 2) * step_mm
    further = np.minimum(further, max(room - float(radius[last]), 0.0))
    added = points[last] + further[further > 0.1 * step_mm, None] * ahead
    kept = slice(0, last + 1)
    count = len(added)
    return (
        Chain(chain.start, chain.end, np.concatenate([points[kept], added])),
        np.concatenate([radius[kept], np.full(count, radius[last])]),
        np.concatenate([own[kept], np.ones(count, dtype=bool)]),
    )


def _room_mm(point_mm: Floats, ahead: Floats, field: TubeField, most_mm: float) -> float:
    """How far it is from a point to the border, straight ahead; 0 outside."""
    along = np.arange(0.0, most_mm, 0.25 * field.step_mm)
    excess = field.excess_at(point_mm + along[:, None] * ahead)
    outside = np.flatnonzero(excess <= 0.0)
    if not len(outside):
        return float(along[-1])
    if outside[0] == 0:
        return 0.0
    a, b = excess[outside[0] - 1], excess[outside[0]]
    return float(along[outside[0]] - 0.25 * field.step_mm * b / (b - a))
