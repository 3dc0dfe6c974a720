"""A wall seen as a line: a membrane or the bottom of a water tank, a plane of which nothing is known.

Every point ``(x, y)`` of the line in image i lies on the plane: ``n . (R_i (o + x u + y v) + p_i) = d`` (Prager et al.,
"Rapid calibration for 3-D freehand ultrasound", Ultrasound in Medicine and Biology 24(6), 1998). For a given normal
``n`` that is linear in ``(u, v, o, d)``; so the start looks through all normals, and nothing has to be guessed.
"""

from __future__ import annotations

import numpy as np

from calibration.ultrasound_probe.targets.robust_fit import fit_robustly
from geometry.points import Floats

# Directions that the start tries, 12 degrees apart; how many of them are followed on, and on how many images.
_DIRECTIONS, _FOLLOWED, _IMAGES = 150, 4, 60


class WallModel:
    """Residuals of two points of the wall's line in each image: their distance from the wall, in the image.

    The state is ``(u, v, o, n, d)``, ``(13,)`` in mm, `n` of unit length. A step has 12 parts: n moves across itself.

    Args:
        lines_px: two points of each line, ``(n, 2, 2)`` in px.
        poses: ``T_fixed_probe`` of each image, ``(n, 4, 4)``.
        spacing_mm: nominal spacing that turns px into mm.
        extent_px: the points' extent; found from them if not given.
    """

    def __init__(self, lines_px: Floats, poses: Floats, spacing_mm: float, extent_px: float | None = None) -> None:
        self._lines, self._rotations, self._places = lines_px, poses[:, :3, :3], poses[:, :3, 3]
        self._spacing_mm = spacing_mm
        self.extent_px = extent_px or max(float(np.abs(lines_px).max()), 1.0)
        self._scale = np.r_[np.full(6, 1.0 / self.extent_px), np.ones(3), np.full(2, 0.01), 1.0]

    def _parts(self, state: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """The normal in the probe, the points in the probe, the misses in mm, and mm of a miss per px of the image."""
        u, v, o, normal, d = state[:3], state[3:6], state[6:9], state[9:12], state[12]
        normals = np.einsum("nji,j->ni", self._rotations, normal)
        points = self._lines[..., :1] * u + self._lines[..., 1:] * v + o
        misses_mm = np.einsum("ni,nki->nk", normals, points) + (self._places @ normal - d)[:, None]
        across = np.column_stack([normals @ u, normals @ v])
        steps_mm = np.maximum(np.linalg.norm(across, axis=1), 1e-9)
        return normals, points, misses_mm, across, steps_mm

    def residuals_mm(self, state: Floats) -> Floats:
        """Distances of the points from the wall, measured in the image, ``(n, 2)`` in mm."""
        _, _, misses_mm, _, steps_mm = self._parts(state)
        distances: Floats = misses_mm / steps_mm[:, None] * self._spacing_mm
        return distances

    def jacobian(self, state: Floats) -> Floats:
        """``(n, 2, 12)`` by steps in mm; of the normal, in hundredths of a radian."""
        normals, points, misses_mm, across, steps_mm = self._parts(state)
        u, v, normal = state[:3], state[3:6], state[9:12]
        x, y = self._lines[..., 0], self._lines[..., 1]
        tangents = np.linalg.svd(normal[None])[2][1:]
        fixed = np.einsum("nij,nkj->nki", self._rotations, points) + self._places[:, None]
        by_miss = np.concatenate(
            [
                x[..., None] * normals[:, None],
                y[..., None] * normals[:, None],
                np.broadcast_to(normals[:, None], points.shape),
                fixed @ tangents.T,
                np.full((*misses_mm.shape, 1), -1.0),
            ],
            axis=2,
        )
        turned = np.einsum("nij,nj->ni", self._rotations, across @ np.stack([u, v]))
        by_step = np.zeros((len(normals), 12))
        by_step[:, :3] = across[:, :1] * normals
        by_step[:, 3:6] = across[:, 1:] * normals
        by_step[:, 9:11] = turned @ tangents.T
        by_step /= steps_mm[:, None]
        slope = by_miss - (misses_mm / steps_mm[:, None])[..., None] * by_step[:, None]
        jacobian: Floats = slope / steps_mm[:, None, None] * (self._spacing_mm * self._scale)
        return jacobian

    def moved(self, state: Floats, step: Floats) -> Floats:
        """The state after a step in mm; the normal stays of unit length."""
        steps = step * self._scale
        tangents = np.linalg.svd(state[None, 9:12])[2][1:]
        normal = state[9:12] + steps[9:11] @ tangents
        return np.concatenate([state[:9] + steps[:9], normal / np.linalg.norm(normal), [state[12] + steps[11]]])

    @property
    def scale(self) -> Floats:
        """What a step is multiplied with, ``(12,)``."""
        return self._scale


def start_of_wall(lines_px: Floats, poses: Floats, spacing_mm: float, rng: np.random.Generator) -> Floats:
    """A state to start from: the linear solutions of the best directions of the wall, followed on few images."""
    chosen = np.arange(len(lines_px))
    if len(chosen) > _IMAGES:
        chosen = np.sort(rng.choice(chosen, _IMAGES, replace=False))
    lines_px, poses = lines_px[chosen], poses[chosen]
    normals = _half_sphere(_DIRECTIONS)
    extent_px = max(float(np.abs(lines_px).max()), 1.0)
    in_probe = np.einsum("nji,tj->tni", poses[:, :3, :3], normals)
    x, y = lines_px[..., 0] / extent_px, lines_px[..., 1] / extent_px
    shape = (len(normals), *x.shape)
    spread = np.broadcast_to(in_probe[:, :, None], (*shape, 3))
    rows = np.concatenate([x[..., None] * spread, y[..., None] * spread, spread, np.full((*shape, 1), -1.0)], axis=3)
    rows = rows.reshape(len(normals), -1, 10)
    wanted = np.repeat(-poses[:, :3, 3] @ normals.T, 2, axis=0).T
    solutions = _least_absolute(rows, wanted)
    states = np.column_stack([solutions[:, :9] / np.r_[np.full(6, extent_px), np.ones(3)], normals, solutions[:, 9]])
    model = WallModel(lines_px, poses, spacing_mm)
    costs = [float(np.median(np.abs(model.residuals_mm(state)))) for state in states]
    fits = [fit_robustly(model, states[index]) for index in np.argsort(costs)[:_FOLLOWED]]
    return min(fits, key=lambda fit: float(np.median(np.abs(fit.residuals_mm)))).state


def _least_absolute(rows: Floats, wanted: Floats) -> Floats:
    """Solves many problems of the same size for the least sum of absolute misses: ``(t, m, p)``, ``(t, m)``."""
    weights = np.ones(wanted.shape)
    solutions = np.zeros((len(rows), rows.shape[2]))
    for _ in range(6):
        weighted = rows * weights[..., None]
        normal = weighted.transpose(0, 2, 1) @ rows
        normal += 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(rows.shape[2])
        right = (weighted * wanted[..., None]).sum(axis=1)
        solutions = np.linalg.solve(normal, right[..., None])[..., 0]
        misses = np.abs(np.einsum("tmp,tp->tm", rows, solutions) - wanted)
        weights = 1.0 / np.maximum(misses, np.maximum(np.median(misses, axis=1), 1e-9)[:, None])
    return solutions


def _half_sphere(count: int) -> Floats:
    """Directions spread evenly over a half of the sphere, ``(count, 3)``: a spiral by the golden angle."""
    heights = (np.arange(count) + 0.5) / count
    angles = np.arange(count) * np.pi * (3.0 - np.sqrt(5.0))
    radii = np.sqrt(1.0 - heights**2)
    return np.column_stack([radii * np.cos(angles), radii * np.sin(angles), heights])
