"""One image point whose place is the same in all images, or known in each: crossed wires, a bead, a stylus tip.

With ``u, v`` the steps of a pixel and ``o`` the place of the pixel (0, 0), all in the probe's frame, a point seen at
``(x, y)`` lies at ``o + x u + y v``. A tracked stylus tip says where: nine unknowns, linear. Crossed wires, or any
other single point, lie at one unknown place ``c`` that stands still: ``R_i (o + x_i u + y_i v) + p_i = c``, linear in
twelve unknowns (Detmer et al., Ultrasound in Medicine and Biology 20(9), 1994; Prager et al., the same 24(6), 1998).

The linear solutions are starts. What is minimised in the end is measured in the image: across its two axes and out of
its plane, each by its own spread, since a beam is thicker than a pixel is wide.
"""

from __future__ import annotations

import numpy as np

from geometry.points import Bools, Floats

# Random sets of images that a start is made of; with half of the images wrong, one in 16 sets of four is right.
_TRIES, _IN_A_SET = 100, 6
# Judged on this many images, which is enough to find the best of them.
_JUDGES = 200


class PointModel:
    """Residuals of a point, in mm across the image's x and y and out of its plane.

    The state is ``(u, v, o, c)``, ``(12,)``, or ``(u, v, o)`` where the point is known in each image. A step is in mm:
    of u and v, what it moves at the far end of the points' extent.

    Args:
        pixels: image points ``(n, 2)`` in px.
        poses: ``T_fixed_probe`` of each image, ``(n, 4, 4)``.
        points_fixed_mm: where the point is in each image, ``(n, 3)``; None if it is one unknown place.
        spacing_mm: nominal spacings ``(2,)``, which turn px into mm.
        extent_px: the points' extent; found from them if not given.
    """

    def __init__(
        self,
        pixels: Floats,
        poses: Floats,
        points_fixed_mm: Floats | None,
        spacing_mm: Floats,
        extent_px: float | None = None,
    ) -> None:
        self._pixels, self._rotations, self._places = pixels, poses[:, :3, :3], poses[:, :3, 3]
        self._known = None if points_fixed_mm is None else self._in_probe(points_fixed_mm)
        self._spacing_mm = spacing_mm
        self.extent_px = extent_px or max(float(np.abs(pixels).max()), 1.0)
        self._scale = np.r_[np.full(6, 1.0 / self.extent_px), np.ones(3 if points_fixed_mm is not None else 6)]

    def _in_probe(self, points_fixed_mm: Floats) -> Floats:
        return np.einsum("nji,nj->ni", self._rotations, points_fixed_mm - self._places)

    def _seen(self, state: Floats) -> tuple[Floats, Floats]:
        """Rows that take a vector of the probe to ``(x px, y px, mm out of the plane)``; the points so, ``(n, 3)``."""
        u, v, o = state[:3], state[3:6], state[6:9]
        normal = np.cross(u, v)
        rows = np.linalg.inv(np.column_stack([u, v, normal / np.linalg.norm(normal)]))
        points = self._in_probe(state[9:]) if self._known is None else self._known
        return rows, (points - o) @ rows.T

    def residuals_mm(self, state: Floats) -> Floats:
        """Seen minus measured, ``(n, 3)`` in mm: across x, across y, out of the plane."""
        _, seen = self._seen(state)
        return np.column_stack([(seen[:, :2] - self._pixels) * self._spacing_mm, seen[:, 2]])

    def jacobian(self, state: Floats) -> Floats:
        """``(n, 3, p)`` by steps in mm."""
        rows, seen = self._seen(state)
        u, v = state[:3], state[3:6]
        normal = np.cross(u, v)
        normal /= np.linalg.norm(normal)
        blocks = []
        for column, along in ((0, rows[0]), (1, rows[1])):
            # A step of u turns the plane too: its normal follows by minus (the row of u) times (normal . step).
            turn = -np.outer(rows @ along, normal)
            blocks.append(-(seen[:, column, None, None] * rows + seen[:, 2, None, None] * turn))
        blocks.append(np.broadcast_to(-rows, (len(seen), 3, 3)))
        if self._known is None:
            blocks.append(np.einsum("ij,nkj->nik", rows, self._rotations))
        to_mm = np.append(self._spacing_mm, 1.0)
        jacobian: Floats = np.concatenate(blocks, axis=2) * to_mm[:, None] * self._scale
        return jacobian

    def moved(self, state: Floats, step: Floats) -> Floats:
        """The state after a step in mm."""
        return state + self._scale * step

    @property
    def scale(self) -> Floats:
        """What a step is multiplied with, ``(p,)``."""
        return self._scale


def start_of_known(pixels: Floats, points_probe_mm: Floats, rng: np.random.Generator) -> Floats:
    """``(u, v, o)`` from points known in the probe's frame, ``(n, 3)``: linear, by the best of random sets."""
    rows = np.column_stack([pixels, np.ones(len(pixels))])
    tries = _sets(len(pixels), 4, rng)
    solutions = np.linalg.pinv(rows[tries], rcond=1e-9) @ points_probe_mm[tries]
    judges = _judges(len(pixels), rng)
    misses = np.linalg.norm(rows[judges] @ solutions - points_probe_mm[judges], axis=2)
    best = solutions[np.argmin(np.median(misses, axis=1))]
    close = _close(np.linalg.norm(rows @ best - points_probe_mm, axis=1))
    found = np.linalg.lstsq(rows[close], points_probe_mm[close], rcond=1e-9)[0]
    return np.asarray(found, np.float64).reshape(9)


def start_of_unknown(pixels: Floats, poses: Floats, rng: np.random.Generator) -> Floats:
    """``(u, v, o, c)`` of one point that stands still: linear, by the best of random sets."""
    n, rotations = len(pixels), poses[:, :3, :3]
    scale = max(float(np.abs(pixels).max()), 1.0)
    rows = np.concatenate(
        [
            pixels[:, 0, None, None] / scale * rotations,
            pixels[:, 1, None, None] / scale * rotations,
            rotations,
            np.broadcast_to(-np.eye(3), (n, 3, 3)),
        ],
        axis=2,
    )
    wanted = -poses[:, :3, 3]
    tries = _sets(n, _IN_A_SET, rng)
    size = tries.shape[1]
    stacked = rows[tries].reshape(len(tries), 3 * size, 12)
    solutions = np.linalg.pinv(stacked, rcond=1e-6) @ wanted[tries].reshape(len(tries), 3 * size, 1)
    judges = _judges(n, rng)
    seen = (rows[judges].reshape(-1, 12) @ solutions[..., 0].T).reshape(len(judges), 3, -1)
    misses = np.linalg.norm(seen - wanted[judges, :, None], axis=1).T
    best = solutions[np.argmin(np.median(misses, axis=1)), :, 0]
    close = _close(np.linalg.norm(rows @ best - wanted, axis=1))
    found = np.linalg.lstsq(rows[close].reshape(-1, 12), wanted[close].reshape(-1), rcond=1e-9)[0]
    return found * np.r_[np.full(6, 1.0 / scale), np.ones(6)]


def _sets(n: int, size: int, rng: np.random.Generator) -> np.ndarray:
    size = min(size, n)
    return np.array([rng.choice(n, size, replace=False) for _ in range(_TRIES)])


def _judges(n: int, rng: np.random.Generator) -> np.ndarray:
    return np.arange(n) if n <= _JUDGES else rng.choice(n, _JUDGES, replace=False)


def _close(misses_mm: Floats) -> Bools:
    return misses_mm <= max(3.0 * float(np.median(misses_mm)), 1e-6)
