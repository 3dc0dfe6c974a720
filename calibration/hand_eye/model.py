"""The equation of hand-eye calibration, its residuals and their derivatives.

``A_i X = Z B_i``: with ``A_i = T_base_hand`` and ``B_i = T_world_eye`` both sides are ``T_base_eye``. Sought are
``X = T_hand_eye`` and ``Z = T_base_world``. The difference ``(Z B_i)^-1 (A_i X)`` is along the axes of the eye: what a
tracker or a camera errs by depends on how the body is turned to it, so it scatters least in axes of the body. Where its
shift is taken matters as well: a camera that turns a board wrongly still sees its middle in the right place, and errs
by that angle times the distance in where it is itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from geometry.points import Floats

# Rows of the unknowns: rotation and translation of X, of Z, then the time offset where it is sought.
X_PART, Z_PART, OFFSET_PART = slice(0, 6), slice(6, 12), 12


@dataclass(frozen=True, eq=False)
class Pairs:
    """Poses of both bodies at the same moments.

    Attributes:
        hand: ``T_base_hand``, ``(n, 4, 4)`` in mm.
        eye: ``T_world_eye``, ``(n, 4, 4)`` in mm.
        turn_rad_s, velocity_mm_s: how the body between whose poses was interpolated turns, in its own axes, and how its
            origin moves, in axes of the frame it is seen in, ``(n, 3)``; None where no time offset is sought.
        is_eye_moved: whether that body is the eye, which a larger offset moves back in time; else the hand.
        place_mm: where the difference's shift is taken, in the frame of the eye, ``(n, 3)``; None for its origin.
    """

    hand: Floats
    eye: Floats
    turn_rad_s: Floats | None = None
    velocity_mm_s: Floats | None = None
    is_eye_moved: bool = False
    place_mm: Floats | None = None

    def __len__(self) -> int:
        return len(self.hand)

    def part(self, chosen: np.ndarray) -> Pairs:
        """The pairs chosen by a mask or by indices."""
        turn = None if self.turn_rad_s is None else self.turn_rad_s[chosen]
        velocity = None if self.velocity_mm_s is None else self.velocity_mm_s[chosen]
        place = None if self.place_mm is None else self.place_mm[chosen]
        return Pairs(self.hand[chosen], self.eye[chosen], turn, velocity, self.is_eye_moved, place)

    def at_the_world(self) -> Pairs:
        """The same, with shifts taken where the world's origin is seen: a board's, if the world is a board."""
        return replace(self, place_mm=inverse(self.eye)[:, :3, 3])

    def at_the_base(self, x: Floats) -> Pairs:
        """The same, with shifts taken where the base's origin is seen, by an `x` that is nearly right."""
        return replace(self, place_mm=inverse(self.hand @ x)[:, :3, 3])


def rigid(rotation: Floats, translation_mm: Floats) -> Floats:
    """Homogeneous matrices ``(..., 4, 4)`` of rotations ``(..., 3, 3)`` and translations ``(..., 3)``."""
    matrix = np.zeros((*rotation.shape[:-2], 4, 4))
    matrix[..., :3, :3], matrix[..., :3, 3], matrix[..., 3, 3] = rotation, translation_mm, 1.0
    return matrix


def inverse(matrices: Floats) -> Floats:
    """The inverses of rigid matrices ``(..., 4, 4)``."""
    turned = np.swapaxes(matrices[..., :3, :3], -1, -2)
    return rigid(turned, -np.einsum("...ij,...j->...i", turned, matrices[..., :3, 3]))


def skew(vectors: Floats) -> Floats:
    """The matrices ``(..., 3, 3)`` that take the cross product with ``vectors`` ``(..., 3)`` from the left."""
    matrix = np.zeros((*vectors.shape[:-1], 3, 3))
    x, y, z = np.moveaxis(vectors, -1, 0)
    matrix[..., 0, 1], matrix[..., 0, 2], matrix[..., 1, 2] = -z, y, -x
    return matrix - np.swapaxes(matrix, -1, -2)


def rotation_vectors(rotations: Floats) -> Floats:
    """Rotation vectors ``(n, 3)`` in rad of ``(n, 3, 3)``."""
    return Rotation.from_matrix(rotations).as_rotvec()


def residuals(pairs: Pairs, x: Floats, z: Floats) -> Floats:
    """Rotation vector in rad of ``(Z B_i)^-1 (A_i X)``, and its shift in mm of `Pairs.place_mm`, ``(n, 6)``."""
    difference = inverse(z @ pairs.eye) @ (pairs.hand @ x)
    turn, shift = rotation_vectors(difference[:, :3, :3]), difference[:, :3, 3]
    if pairs.place_mm is not None:
        shift = shift + np.cross(turn, pairs.place_mm)
    return np.concatenate([turn, shift], axis=1)


def jacobian(pairs: Pairs, x: Floats, z: Floats, errors: Floats) -> Floats:
    """Derivatives ``(n, 6, 12)`` of the residuals, or ``(n, 6, 13)`` with the time offset.

    By small rotations from the left and additions to the translations of X and Z, as `moved` applies them.
    """
    count, place_mm = len(pairs), pairs.place_mm
    if place_mm is not None:
        errors = np.hstack([errors[:, :3], errors[:, 3:] - np.cross(errors[:, :3], place_mm)])
    turned_hand, turned_eye = pairs.hand[:, :3, :3], np.swapaxes(z[:3, :3] @ pairs.eye[:, :3, :3], 1, 2)
    from_left = turned_hand @ x[:3, :3]
    # Of the inverse right Jacobian of SO(3) what matters at small residuals: Sola, arXiv:1812.01537, eq. 144.
    right = np.eye(3) + 0.5 * skew(errors[:, :3])
    seen_mm = turned_hand @ x[:3, 3] + pairs.hand[:, :3, 3] - z[:3, 3]
    derivatives = np.zeros((count, 6, 12 if pairs.turn_rad_s is None else 13))
    derivatives[:, :3, 0:3] = right @ x[:3, :3].T
    derivatives[:, 3:, 3:6] = turned_eye @ turned_hand
    derivatives[:, :3, 6:9] = -right @ np.swapaxes(from_left, 1, 2)
    derivatives[:, 3:, 6:9] = turned_eye @ skew(seen_mm)
    derivatives[:, 3:, 9:12] = -turned_eye
    if pairs.turn_rad_s is not None and pairs.velocity_mm_s is not None:
        by_turn, by_shift = _by_offset(pairs, x, turned_eye, errors, pairs.turn_rad_s, pairs.velocity_mm_s)
        derivatives[:, :3, OFFSET_PART] = np.einsum("nij,nj->ni", right, by_turn)
        derivatives[:, 3:, OFFSET_PART] = by_shift
    if place_mm is not None:
        derivatives[:, 3:] -= skew(place_mm) @ derivatives[:, :3]
    return derivatives


def _by_offset(
    pairs: Pairs, x: Floats, turned_eye: Floats, errors: Floats, turn: Floats, velocity: Floats
) -> tuple[Floats, Floats]:
    """How the difference turns and shifts per second of time offset, ``(n, 3)`` each."""
    if pairs.is_eye_moved:
        back = Rotation.from_rotvec(-errors[:, :3])
        return back.apply(turn), np.cross(turn, errors[:, 3:]) + np.einsum("nji,nj->ni", pairs.eye[:, :3, :3], velocity)
    lever = np.einsum("nij,nj->ni", pairs.hand[:, :3, :3], np.cross(turn, x[:3, 3]))
    return turn @ x[:3, :3], np.einsum("nij,nj->ni", turned_eye, lever + velocity)


def moved(matrix: Floats, step: Floats) -> Floats:
    """A rigid matrix turned by the rotation vector ``step[:3]`` from the left, with ``step[3:]`` mm added."""
    rotation = Rotation.from_rotvec(step[:3]).as_matrix() @ matrix[:3, :3]
    return rigid(rotation, matrix[:3, 3] + step[3:])
