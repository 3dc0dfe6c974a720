"""A closed-form start for ``A_i X = Z B_i`` that outliers cannot drag, and the scale between both devices.

Rotations first, from the singular vectors of a sum of Kronecker products (Shah, "Solving the robot-world/hand-eye
calibration problem using the Kronecker product", J. Mechanisms Robotics 5(3), 2013, doi:10.1115/1.4024473), then
translations by linear least squares. Here each pair has a weight, found again and again from its residual (L1).
"""

from __future__ import annotations

import numpy as np

from calibration.hand_eye.model import Pairs, residuals, rigid
from geometry.points import Floats

_ROUNDS = 15


def robust_start(pairs: Pairs) -> tuple[Floats, Floats]:
    """``X`` and ``Z``, ``(4, 4)``; meaningless where the motion determines nothing, which is judged elsewhere."""
    rotation_x, rotation_z = _rotations(pairs)
    return solve_translations(pairs, rotation_x, rotation_z)[:2]


def solve_translations(
    pairs: Pairs, rotation_x: Floats, rotation_z: Floats, scaled: bool = False
) -> tuple[Floats, Floats, float]:
    """``X``, ``Z`` and how many mm of the hand's device one mm of the eye's device is, where `scaled`; else 1.

    ``R_A t_x - t_z - s R_z t_b = -t_a`` for every pair, in L1.
    """
    count = len(pairs)
    turned = np.einsum("ij,nj->ni", rotation_z, pairs.eye[:, :3, 3])
    rows = np.zeros((count, 3, 7 if scaled else 6))
    rows[:, :, :3], rows[:, :, 3:6] = pairs.hand[:, :3, :3], -np.eye(3)
    right = -pairs.hand[:, :3, 3]
    if scaled:
        rows[:, :, 6] = -turned
    else:
        right = right + turned
    weights = np.ones(count)
    solution = np.zeros(rows.shape[2])
    for _ in range(_ROUNDS):
        solution = np.linalg.lstsq(
            np.einsum("n,nij,nik->jk", weights, rows, rows), np.einsum("n,nij,ni->j", weights, rows, right), rcond=1e-12
        )[0]
        weights = _l1_weights(np.linalg.norm(rows @ solution - right, axis=1))
    scale = float(solution[6]) if scaled else 1.0
    return rigid(rotation_x, solution[:3]), rigid(rotation_z, solution[3:6]), scale


def _rotations(pairs: Pairs) -> tuple[Floats, Floats]:
    hand, eye = pairs.hand[:, :3, :3], pairs.eye[:, :3, :3]
    weights = np.ones(len(pairs))
    rotation_x, rotation_z = np.eye(3), np.eye(3)
    for _ in range(_ROUNDS):
        # R_A R_X = R_Z R_B: R_Z row by row is the sum of R_A (x) R_B times R_X row by row, up to its length.
        kronecker = np.einsum("n,nij,nkl->ikjl", weights, hand, eye).reshape(9, 9) / weights.sum()
        left, _, right = np.linalg.svd(kronecker)
        rotation_z, rotation_x = _nearest_rotation(left[:, 0]), _nearest_rotation(right[0])
        weights = _l1_weights(np.linalg.norm(hand @ rotation_x - rotation_z @ eye, axis=(1, 2)))
    return rotation_x, rotation_z


def _nearest_rotation(row: Floats) -> Floats:
    matrix = row.reshape(3, 3)
    left, _, right = np.linalg.svd(matrix * np.sign(np.linalg.det(matrix)))
    return left @ right


def _l1_weights(lengths: Floats) -> Floats:
    return 1.0 / np.maximum(lengths, max(float(np.median(lengths)), 1e-9))


def robust_cost(pairs: Pairs, x: Floats, z: Floats) -> float:
    """What a start is judged by: the median size of its residuals, a degree counted as a mm at 100 mm (1.7 mm)."""
    errors = residuals(pairs, x, z)
    return float(np.median(np.linalg.norm(errors * np.repeat([100.0, 1.0], 3), axis=1)))
