"""The bundle adjustment of one or several cameras that see a flat board: least squares over lenses, poses and bend.

The poses of the board are eliminated view by view (Schur complement: Triggs et al., "Bundle Adjustment - A Modern
Synthesis", Vision Algorithms 1999, section 6), so that time grows with the number of views. What is left of each view
tells two more things at no cost: what the calibration would be without it, and how far the errors of its corners go
together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.camera.lens import project
from geometry.points import Floats

_STEPS = 40
_CONVERGED = 1e-9
# A printed sheet on something stiff is flat to about this share of its half diagonal; corners say more, if they can.
_BEND_SHARE = 0.005
N_BEND = 3


@dataclass(frozen=True, eq=False)
class Corners:
    """All corners that were seen, sorted by view.

    Attributes:
        view, camera, corner: ``(n,)`` int, of each corner: the picture or pair of pictures, which camera, and its
            number on the board.
        board_mm: ``(n, 3)``.
        pixels: ``(n, 2)``.
        starts: ``(v + 1,)``, where each view begins.
    """

    view: np.ndarray
    camera: np.ndarray
    corner: np.ndarray
    board_mm: Floats
    pixels: Floats
    starts: np.ndarray

    @property
    def n_views(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def half_mm(self) -> float:
        """Half the diagonal of the board's corners."""
        return float(np.linalg.norm(np.ptp(self.board_mm[:, :2], axis=0)) / 2.0)

    @cached_property
    def hollows(self) -> Floats:
        """The three shapes in which a sheet bends, ``(n, 3)``: x^2, xy and y^2, 1 at the length `half_mm`."""
        middle = (self.board_mm.min(axis=0) + self.board_mm.max(axis=0)) / 2.0
        x, y = ((self.board_mm - middle)[:, :2] / self.half_mm).T
        return np.stack([x * x, x * y, y * y], axis=1)

    def of_views(self, kept: np.ndarray, most: int | None = None) -> Corners:
        """Only some views, numbered anew, with at most about `most` corners of each, spread evenly."""
        starts, counts = self.starts[kept], np.diff(self.starts)[kept]
        steps = np.ones_like(counts) if most is None else np.maximum(counts // most, 1)
        rows = [np.arange(a, a + n, step) for a, n, step in zip(starts, counts, steps, strict=True)]
        chosen, counts = np.concatenate(rows), np.array([len(each) for each in rows])
        return Corners(
            np.repeat(np.arange(len(kept)), counts),
            self.camera[chosen],
            self.corner[chosen],
            self.board_mm[chosen],
            self.pixels[chosen],
            np.concatenate([[0], np.cumsum(counts)]),
        )


@dataclass(frozen=True, eq=False)
class State:
    """What is estimated.

    Attributes:
        lenses: ``(c, 9)``, as `lens.NAMES`.
        rig: ``(c, 4, 4)``, T_camera_first of each camera; the first is the identity by definition.
        poses: ``(v, 4, 4)``, T_first_board of each view.
        bend_mm: ``(3,)``, how far the board is from flat in its three shapes.
    """

    lenses: Floats
    rig: Floats
    poses: Floats
    bend_mm: Floats

    def of_views(self, kept: np.ndarray) -> State:
        """Only some views."""
        return replace(self, poses=self.poses[kept])

    @property
    def is_finite(self) -> bool:
        return all(np.isfinite(each).all() for each in (self.lenses, self.rig, self.poses, self.bend_mm))


@dataclass(frozen=True, eq=False)
class Linear:
    """The least-squares problem about a state, with the views' poses eliminated. ``g`` numbers are common to all views.

    Attributes:
        residuals: ``(n, 2)`` in px, seen less expected; not weighted.
        reduced: ``(n, 2, g)``, derivatives of what is expected by the common numbers, the poses following.
        information: ``(v, g, g)`` and ``gradient`` ``(v, g)``, what each view says of them, weighted.
        prior: ``(g, g)``, what is known of the bend beforehand.
    """

    residuals: Floats
    reduced: Floats
    information: Floats
    gradient: Floats
    prior: Floats

    @property
    def total(self) -> Floats:
        return self.information.sum(axis=0) + self.prior

    def held_out(self, corners: Corners) -> Floats:
        """Residuals ``(n, 2)`` of each view under the calibration from all others, its own pose fitted: one Gauss-
        Newton step (Miller, Biometrika 61(1), 1974).
        """
        without = self.total - self.information
        shifts = np.stack([_solved(matrix, -gradient) for matrix, gradient in zip(without, self.gradient, strict=True)])
        return self.residuals - np.einsum("nig,ng->ni", self.reduced, shifts[corners.view])


@dataclass(frozen=True, eq=False)
class Problem:
    """Corners, and which numbers of each lens are free.

    Attributes:
        corners: what was seen.
        free: numbers of the lens that are estimated; the others stay 0.
        weights: ``(n,)`` of the corners, 0 for those left out.
        sigma_px: of a corner in each direction; it weighs the corners against what is known of the bend.
    """

    corners: Corners
    free: tuple[int, ...]
    weights: Floats
    sigma_px: float = 0.3

    @cached_property
    def n_cameras(self) -> int:
        return int(self.corners.camera.max()) + 1

    @cached_property
    def n_common(self) -> int:
        return self.n_cameras * len(self.free) + 6 * (self.n_cameras - 1) + N_BEND

    @cached_property
    def prior(self) -> Floats:
        known = np.zeros((self.n_common, self.n_common))
        bend = np.arange(self.n_common - N_BEND, self.n_common)
        known[bend, bend] = (self.sigma_px / (_BEND_SHARE * self.corners.half_mm)) ** 2
        return known

    def cost(self, state: State) -> float:
        """Weighted sum of squares; infinite where a corner lies behind a camera."""
        residuals = self.residuals(state)
        known = np.diag(self.prior)[-N_BEND:] @ state.bend_mm**2
        squares = float(self.weights @ np.sum(residuals**2, axis=1) + known)
        return squares if np.isfinite(squares) else np.inf

    def residuals(self, state: State) -> Floats:
        seen, _, _ = project(state.lenses[self.corners.camera], self._placed(state)[1])
        return self.corners.pixels - seen

    def _placed(self, state: State) -> tuple[Floats, Floats]:
        """The corners turned as the board is in the first camera, and in their own camera, ``(n, 3)`` each."""
        corners = self.corners
        bent = corners.board_mm.copy()
        bent[:, 2] += corners.hollows @ state.bend_mm
        poses, rig = state.poses[corners.view], state.rig[corners.camera]
        turned = np.einsum("nij,nj->ni", poses[:, :3, :3], bent)
        first = turned + poses[:, :3, 3]
        return turned, np.einsum("nij,nj->ni", rig[:, :3, :3], first) + rig[:, :3, 3]

    def derivatives(self, state: State) -> tuple[Floats, Floats, Floats]:
        """Residuals ``(n, 2)``, derivatives of what is expected by the common numbers ``(n, 2, g)`` and by the pose of
        the view ``(n, 2, 6)``: a turn to the left of it in rad, then a shift in mm.
        """
        corners = self.corners
        turned, own = self._placed(state)
        seen, by_own, by_lens = project(state.lenses[corners.camera], own)
        rig = state.rig[corners.camera]
        by_first = by_own @ rig[:, :3, :3]
        by_pose = np.concatenate([_by_turn(by_first, turned), by_first], axis=2)
        common = np.zeros((len(seen), 2, self.n_common))
        width = len(self.free)
        for camera in range(self.n_cameras):
            mine = corners.camera == camera
            common[mine, :, camera * width : (camera + 1) * width] = by_lens[mine][:, :, list(self.free)]
            if camera:
                at = self.n_cameras * width + 6 * (camera - 1)
                common[mine, :, at : at + 3] = _by_turn(by_own[mine], (own - rig[:, :3, 3])[mine])
                common[mine, :, at + 3 : at + 6] = by_own[mine]
        out_of_board = np.einsum("nij,nj->ni", by_first, state.poses[corners.view][:, :3, 2])
        common[:, :, -N_BEND:] = out_of_board[:, :, None] * corners.hollows[:, None, :]
        return corners.pixels - seen, common, by_pose

    def linear(self, state: State, damping: float = 0.0) -> tuple[Linear, Floats, Floats]:
        """The reduced problem, and for the poses of the views: their shift ``(v, 6)`` at fixed common numbers, and how
        much they follow those ``(v, 6, g)``.
        """
        residuals, common, by_pose = self.derivatives(state)
        stacked = np.concatenate([common, by_pose, residuals[:, :, None]], axis=2)
        weighted = (stacked * np.sqrt(self.weights)[:, None, None]).reshape(-1, stacked.shape[2])
        g, starts = self.n_common, 2 * self.corners.starts
        products = np.stack([weighted[a:b].T @ weighted[a:b] for a, b in pairwise(starts)])
        pose, coupling = products[:, g : g + 6, g : g + 6], products[:, g : g + 6, :g]
        pose = pose + damping * pose * np.eye(6) + 1e-12 * np.eye(6)
        follow = np.linalg.solve(pose, np.concatenate([coupling, products[:, g : g + 6, g + 6 :]], axis=2))
        follow, shift = follow[:, :, :g], follow[:, :, g]
        information = products[:, :g, :g] - np.swapaxes(coupling, 1, 2) @ follow
        gradient = products[:, :g, g + 6] - np.einsum("vpg,vp->vg", coupling, shift)
        reduced = common - by_pose @ follow[self.corners.view]
        return Linear(residuals, reduced, information, gradient, self.prior), shift, follow

    def solved(self, state: State, steps: int = _STEPS) -> State:
        """Levenberg-Marquardt from `state` to the nearest least squares."""
        damping, cost = 1e-3, self.cost(state)
        for _ in range(steps):
            linear, shift, follow = self.linear(state, damping)
            total = linear.total
            gradient = linear.gradient.sum(axis=0)
            gradient[-N_BEND:] -= np.diag(self.prior)[-N_BEND:] * state.bend_mm
            common = _solved(total + damping * np.diag(np.diag(total)), gradient)
            tried = self._moved(state, common, shift - follow @ common)
            new = self.cost(tried) if tried.is_finite else np.inf
            if not new < cost:
                if damping > 1e8:
                    break
                damping *= 10.0
                if new <= cost * (1.0 + _CONVERGED):
                    break
                continue
            is_done = cost - new < _CONVERGED * cost
            state, cost, damping = tried, new, max(damping * 0.1, 1e-10)
            if is_done:
                break
        return state

    def _moved(self, state: State, common: Floats, by_view: Floats) -> State:
        count, width = self.n_cameras, len(self.free)
        lenses = state.lenses.copy()
        lenses[:, list(self.free)] += common[: count * width].reshape(count, width)
        rig = state.rig.copy()
        if count > 1:
            rig[1:] = _turned(rig[1:], common[count * width : -N_BEND].reshape(count - 1, 6))
        poses = _turned(state.poses, by_view)
        return State(lenses, rig, poses, state.bend_mm + common[-N_BEND:])


def _by_turn(by_point: Floats, turned: Floats) -> Floats:
    """Derivatives ``(n, 2, 3)`` by a turn to the left of points that are `turned` already."""
    return np.cross(turned[:, None, :], by_point)


def _turned(poses: Floats, moves: Floats) -> Floats:
    """Poses ``(k, 4, 4)`` turned to the left about their own origin, and shifted."""
    moved = poses.copy()
    moved[:, :3, :3] = Rotation.from_rotvec(moves[:, :3]).as_matrix() @ poses[:, :3, :3]
    moved[:, :3, 3] += moves[:, 3:]
    return moved


def _solved(matrix: Floats, right: Floats) -> Floats:
    """The least solution where the matrix leaves something open; its rows are scaled first, since units differ."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-30))
    scaled = matrix / np.outer(scale, scale)
    try:
        step = np.linalg.solve(scaled, right / scale)
    except np.linalg.LinAlgError:
        step = np.linalg.lstsq(scaled, right / scale, rcond=1e-12)[0]
    return np.asarray(step / scale, dtype=np.float64)
