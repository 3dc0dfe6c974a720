"""Search for the pose of a sweep without an initial one: thousands of starting poses, optimised together.

Each starting pose maps the middle of the sweep, with its tangent plane, to one of some hundred spots of the surface, at
one of some angles about the normal: three degrees of freedom are searched instead of six. All poses take Gauss-Newton
steps on a coarse distance field with robust weights (Geman and McClure) of decreasing width. After each round the
worse ones are dropped, and the others are evaluated with more points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from geometry import Surface
from geometry.points import Floats
from registration.distance.coarse_field import CoarseField, Singles

# Damping of undetermined directions, relative to the information of a well determined one.
DAMPING = 1e-3
MAXIMUM_TURN_RAD = 0.4
CHUNK = 400  # poses processed at a time, so that their arrays stay in the processor's cache


@dataclass(frozen=True)
class Round:
    """Settings of one round of the search.

    Attributes:
        starts: largest number of poses that take part.
        points: number of swept points used.
        steps: number of Gauss-Newton steps.
        widths_mm: width of the robust weights at the first and at the last step.
        apart_mm: of two poses that differ by less than this at the end, RMS over the points, the better one is kept.
    """

    starts: int
    points: int
    steps: int
    widths_mm: tuple[float, float]
    apart_mm: float


@dataclass(frozen=True, eq=False)
class Poses:
    """Rotations ``(s, 3, 3)`` and translations ``(s, 3)`` from the centred sweep to the centred surface."""

    rotations: Singles
    translations: Singles

    def taken(self, index: NDArray[np.int64]) -> Poses:
        """The poses with these indices, in this order."""
        return Poses(self.rotations[index], self.translations[index])

    def __len__(self) -> int:
        return len(self.rotations)


def lay_on(
    sweep_mm: Floats, surface: Surface, coarse: CoarseField, spots: int, angles: int, rng: np.random.Generator
) -> Poses:
    """All starting poses: spots times angles times two, since the sweep does not tell which of its sides is outside.

    Args:
        sweep_mm: points ``(n, 3)`` relative to their centre.
        surface, coarse: the surface and its coarse distance field.
        spots, angles: numbers of spots and of angles.
        rng: draws the spots.
    """
    middle_mm, normal = _tangent(sweep_mm)
    centres_mm = _spread(surface, spots, rng) - coarse.centre_mm
    onto = _frames(coarse.distance(centres_mm.astype(np.float32))[1].astype(np.float64))
    turns = Rotation.from_rotvec(np.linspace(0.0, 2.0 * np.pi, angles, endpoint=False)[:, None] * [0.0, 0.0, 1.0])
    sides = np.stack([_frames(side[None])[0] for side in (normal, -normal)])
    rotations = np.einsum("kab,tbc,sdc->kstad", onto, turns.as_matrix(), sides).reshape(-1, 3, 3)
    at_mm = np.repeat(centres_mm, 2 * angles, axis=0)
    return Poses(rotations.astype(np.float32), (at_mm - rotations @ middle_mm).astype(np.float32))


def run(
    sweep_mm: Floats, coarse: CoarseField, poses: Poses, rounds: tuple[Round, ...], keep: int, rng: np.random.Generator
) -> Poses:
    """Runs all rounds and returns up to `keep` distinct poses, best first."""
    order = rng.permutation(len(sweep_mm))
    limits = (*(turn.starts for turn in rounds[1:]), keep)
    for turn, limit in zip(rounds, limits, strict=True):
        poses = poses.taken(np.arange(min(turn.starts, len(poses))))
        points = sweep_mm[order[: turn.points]].astype(np.float32)
        widths_mm = np.geomspace(*turn.widths_mm, turn.steps)
        parts = [poses.taken(part) for part in np.array_split(np.arange(len(poses)), -(-len(poses) // CHUNK))]
        ends = [_descend(points, coarse, part, widths_mm) for part in parts]
        best = np.argsort(np.concatenate([cost for _, cost in ends]), kind="stable")
        rotations = np.concatenate([end.rotations for end, _ in ends])[best]
        poses = Poses(rotations, np.concatenate([end.translations for end, _ in ends])[best])
        poses = poses.taken(_distinct(poses, points, turn.apart_mm, limit))
    return poses


def _distinct(poses: Poses, points: Singles, apart_mm: float, limit: int) -> NDArray[np.int64]:
    """Indices of up to `limit` poses, best first, that map the points more than `apart_mm` RMS apart."""
    spread = np.linalg.cholesky(np.cov(points.T) + 1e-6 * np.eye(3))
    # The distance of two rows is the RMS distance between the points mapped by the two poses.
    images = np.concatenate([(poses.rotations @ spread).reshape(len(poses), 9), poses.translations], axis=1)
    left = np.arange(len(images))
    kept: list[int] = []
    while len(left) and len(kept) < limit:
        kept.append(int(left[0]))
        left = left[np.linalg.norm(images[left] - images[left[0]], axis=1) > apart_mm]
    return np.array(kept)


def _descend(points: Singles, coarse: CoarseField, poses: Poses, widths_mm: Floats) -> tuple[Poses, Floats]:
    """The poses after one Gauss-Newton step per width, and their mean robust cost ``(s,)`` at the last width."""
    reach_mm = float(np.sqrt(np.mean(np.sum(points**2, axis=1))))
    damping = DAMPING * len(points) * np.repeat([reach_mm**2, 1.0], 3)
    rotations, translations = poses.rotations, poses.translations
    for width_mm in widths_mm:
        arms = points @ rotations.transpose(0, 2, 1)
        distance, gradient = coarse.distance(arms + translations[:, None])
        weights = (width_mm**2 / (width_mm**2 + distance**2)) ** 2
        jacobian = np.concatenate([_cross(arms, gradient), gradient], axis=2)
        weighted = (jacobian * weights[:, :, None].astype(np.float32)).transpose(0, 2, 1)
        hessian = (weighted @ jacobian).astype(np.float64) + np.diag(damping)
        motion = -np.linalg.solve(hessian, (weighted @ distance[:, :, None]).astype(np.float64))[:, :, 0]
        turn = motion[:, :3]
        length = np.linalg.norm(turn, axis=1, keepdims=True)
        turn = turn * np.minimum(1.0, MAXIMUM_TURN_RAD / np.maximum(length, 1e-12))
        rotations = (Rotation.from_rotvec(turn).as_matrix() @ rotations).astype(np.float32)
        translations = (translations + motion[:, 3:]).astype(np.float32)
    distance, _ = coarse.distance(points @ rotations.transpose(0, 2, 1) + translations[:, None])
    return Poses(rotations, translations), np.mean(distance**2 / (widths_mm[-1] ** 2 + distance**2), axis=1)


def _cross(a: Singles, b: Singles) -> Singles:
    return np.stack(
        [
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
        ],
        axis=-1,
    )


def _tangent(sweep_mm: Floats) -> tuple[Floats, Floats]:
    """A point ``(3,)`` in the middle of the sweep and the normal ``(3,)`` of the points around it, of unknown sign."""
    middle_mm = np.median(sweep_mm, axis=0)
    nearest_mm = sweep_mm[np.argsort(np.linalg.norm(sweep_mm - middle_mm, axis=1))[: max(len(sweep_mm) // 20, 10)]]
    middle_mm = np.median(nearest_mm, axis=0)
    away_mm = np.linalg.norm(sweep_mm - middle_mm, axis=1)
    disc = sweep_mm[np.argsort(away_mm)[: max(len(sweep_mm) // 10, 10)]]
    for _ in range(3):
        # Points with a distance from the plane above three medians are outliers.
        _, _, axes = np.linalg.svd(disc - np.median(disc, axis=0))
        off_mm = np.abs((disc - np.median(disc, axis=0)) @ axes[2])
        disc = disc[off_mm <= 3.0 * max(float(np.median(off_mm)), 1e-9)]
    return np.median(disc, axis=0), axes[2]


def _spread(surface: Surface, count: int, rng: np.random.Generator) -> Floats:
    """At least about `count` spots ``(k, 3)`` spread evenly over the surface: one vertex per cube."""
    vertices_mm = surface.vertices_mm[surface.triangles[rng.integers(0, len(surface.triangles), 50 * count), 0]]
    edge_mm = float(np.ptp(surface.bounds_mm, axis=0).max())
    first = np.zeros(1, np.int64)
    for _ in range(40):
        cubes = np.floor((vertices_mm - vertices_mm.min(axis=0)) / edge_mm).astype(np.int64)
        _, first = np.unique(np.ravel_multi_index(tuple(cubes.T), tuple(cubes.max(axis=0) + 1)), return_index=True)
        if len(first) >= count:
            break
        edge_mm *= 0.9
    return vertices_mm[first]


def _frames(normals: Floats) -> Floats:
    """Right-handed frames ``(k, 3, 3)`` whose third axes are the unit normals ``(k, 3)``."""
    helper = np.eye(3)[np.abs(normals).argmin(axis=1)]
    first = np.cross(helper, normals)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(normals, first), normals], axis=2)
