"""Exhaustive search for all poses under which touched points in unknown order match planned landmarks.

Distances do not depend on the pose: pairs (touched, planned) with equal mutual distances form a graph whose triangles
are the consistent choices of three pairs (the association graph of Bolles and Cain, Int. J. Robotics Research 1(3),
1982). Each triangle gives a pose, each pose an optimal one-to-one assignment, and both are repeated alternately until
they agree. A symmetric arrangement gives several solutions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from geometry import Transform
from geometry.points import Floats
from registration.landmarks.rigid_fit import fit_rigid

Indices = NDArray[np.int64]
UNMATCHED = -1
# The pose of three pairs is extrapolated to the other points, so the first assignment uses a gate this much wider.
WIDE_GATES = 3.0
# Triangles with a smaller height, in standard deviations, determine the rotation about their long side too poorly.
FLATTEST_SD = 6.0
MAXIMUM_TRIANGLES = 8_000
MAXIMUM_CANDIDATES = 100
MAXIMUM_ROUNDS = 20


@dataclass(frozen=True, eq=False)
class Candidate:
    """One pairing of touched points and planned landmarks.

    Attributes:
        planned_of_touched: index of the planned landmark of each touched point ``(n,)``, or `UNMATCHED`.
        T_reference_ct: the pose of these pairs.
        cost: sum of squared residuals over their variances; an unmatched point costs the squared gate.
    """

    planned_of_touched: Indices
    T_reference_ct: Transform
    cost: float

    @property
    def matched(self) -> int:
        """Number of pairs."""
        return int(np.count_nonzero(self.planned_of_touched >= 0))


def search(ct_mm: Floats, reference_mm: Floats, sd_mm: Floats, gate_sd: float) -> list[Candidate]:
    """All distinct pairings of planned points ``(m, 3)`` with touched ones ``(n, 3)``, best first; may be empty.

    Args:
        ct_mm, reference_mm: planned points in ct and touched points in reference.
        sd_mm: standard deviation of a residual along each axis, by planned landmark, ``(m,)``.
        gate_sd: largest distance of a pair, in standard deviations.
    """
    triangles = _triangles(ct_mm, reference_mm, sd_mm, gate_sd)
    if not len(triangles):
        return []
    rotations, translations = _poses(ct_mm, reference_mm, triangles)
    found: dict[bytes, Candidate] = {}
    for chosen in _most_promising(ct_mm, reference_mm, sd_mm, gate_sd, rotations, translations):
        mapped_mm = ct_mm @ rotations[chosen].T + translations[chosen]
        candidate = _settled(ct_mm, reference_mm, mapped_mm, sd_mm, gate_sd)
        if candidate is not None:
            found[candidate.planned_of_touched.tobytes()] = candidate
    return sorted(found.values(), key=lambda candidate: candidate.cost)


def _triangles(ct_mm: Floats, reference_mm: Floats, sd_mm: Floats, gate_sd: float) -> Indices:
    """Consistent triples of pairs ``(k, 3)``; the index of a pair is ``touched * m + planned``."""
    m, n = len(ct_mm), len(reference_mm)
    planned_mm = np.linalg.norm(ct_mm[:, None] - ct_mm, axis=2)
    touched_mm = np.linalg.norm(reference_mm[:, None] - reference_mm, axis=2)
    allowed_mm = gate_sd * np.hypot(sd_mm[:, None], sd_mm)
    difference_mm = np.abs(touched_mm[:, None, :, None] - planned_mm[None, :, None, :])
    agrees = difference_mm <= allowed_mm[None, :, None, :]
    later = np.arange(n)[:, None] < np.arange(n)
    other = ~np.eye(m, dtype=bool)
    graph = (agrees & later[:, None, :, None] & other[None, :, None, :]).reshape(n * m, n * m)
    first, second = np.nonzero(graph)
    edge, third = np.nonzero(graph[first] & graph[second])
    triangles = np.column_stack([first[edge], second[edge], third])
    corners = reference_mm[triangles // m]
    sides = np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], corners[:, 2] - corners[:, 1]])
    areas = np.linalg.norm(np.cross(sides[0], sides[1]), axis=1)
    wide = areas > FLATTEST_SD * sd_mm.max() * np.linalg.norm(sides, axis=2).max(axis=0, initial=0.0)
    triangles, areas = triangles[wide], areas[wide]
    # Symmetric solutions share the touched triangles, so dropping the small ones loses no solution.
    return triangles[np.argsort(-areas, kind="stable")[:MAXIMUM_TRIANGLES]]


def _poses(ct_mm: Floats, reference_mm: Floats, triangles: Indices) -> tuple[Floats, Floats]:
    """Rotations ``(k, 3, 3)`` and translations ``(k, 3)`` from ct to reference of all triples (Arun 1987)."""
    a, b = ct_mm[triangles % len(ct_mm)], reference_mm[triangles // len(ct_mm)]
    mean_a, mean_b = a.mean(axis=1), b.mean(axis=1)
    u, _, vt = np.linalg.svd((b - mean_b[:, None]).transpose(0, 2, 1) @ (a - mean_a[:, None]))
    u[:, :, 2] *= np.linalg.det(u @ vt)[:, None]
    rotations = u @ vt
    return rotations, mean_b - np.einsum("nij,nj->ni", rotations, mean_a)


def _most_promising(
    ct_mm: Floats, reference_mm: Floats, sd_mm: Floats, gate_sd: float, rotations: Floats, translations: Floats
) -> Indices:
    """Indices of the poses of distinct pairings, those that explain the points best first."""
    wide = (WIDE_GATES * gate_sd) ** 2
    nearest, costs = [], []
    for part in np.array_split(np.arange(len(rotations)), -(-len(rotations) // 5_000)):
        mapped_mm = np.einsum("kij,mj->kmi", rotations[part], ct_mm) + translations[part, None]
        squared = _squared_mm2(reference_mm, mapped_mm) / sd_mm**2
        index = squared.argmin(axis=2)
        least = np.take_along_axis(squared, index[:, :, None], axis=2)[:, :, 0]
        nearest.append(np.where(least < wide, index, UNMATCHED))
        costs.append(np.minimum(least, wide).sum(axis=1))
    cost = np.concatenate(costs)
    order = np.argsort(cost, kind="stable")
    _, firsts = np.unique(np.concatenate(nearest)[order], axis=0, return_index=True)
    return order[np.sort(firsts)[:MAXIMUM_CANDIDATES]]


def _settled(ct_mm: Floats, reference_mm: Floats, mapped_mm: Floats, sd_mm: Floats, gate_sd: float) -> Candidate | None:
    """Alternates assignment and pose, starting from planned points mapped to reference, until neither changes."""
    gate, before = WIDE_GATES * gate_sd, None
    for _ in range(MAXIMUM_ROUNDS):
        squared = _squared_mm2(reference_mm, mapped_mm) / sd_mm**2
        planned_of_touched = _assigned(squared, gate)
        touched = np.flatnonzero(planned_of_touched >= 0)
        if len(touched) < 3:
            return None
        if gate == gate_sd and before is not None and np.array_equal(before, planned_of_touched):
            break
        before, gate = planned_of_touched, gate_sd
        planned = planned_of_touched[touched]
        pose = fit_rigid(ct_mm[planned], reference_mm[touched], sd_mm[planned] ** -2.0)
        mapped_mm = pose.apply(ct_mm)
    cost = squared[touched, planned_of_touched[touched]].sum() + gate_sd**2 * (len(reference_mm) - len(touched))
    return Candidate(planned_of_touched, pose, float(cost))


def _squared_mm2(reference_mm: Floats, mapped_mm: Floats) -> Floats:
    """Squared distances ``(..., n, m)`` of points ``(n, 3)`` from mapped ones ``(..., m, 3)``."""
    centre_mm = reference_mm.mean(axis=0)  # centred, to avoid cancellation far from the origin
    points_mm, mapped_mm = reference_mm - centre_mm, mapped_mm - centre_mm
    lengths = np.sum(points_mm**2, axis=1)[:, None] + np.sum(mapped_mm**2, axis=-1)[..., None, :]
    return np.maximum(lengths - 2.0 * points_mm @ mapped_mm.swapaxes(-1, -2), 0.0)


def _assigned(squared: Floats, gate: float) -> Indices:
    """The one-to-one assignment ``(n,)`` of least cost; pairs beyond the gate are `UNMATCHED`."""
    rows, columns = linear_sum_assignment(np.minimum(squared, gate**2))
    planned_of_touched = np.full(len(squared), UNMATCHED)
    within = squared[rows, columns] < gate**2
    planned_of_touched[rows[within]] = columns[within]
    return planned_of_touched
