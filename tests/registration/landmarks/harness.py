"""Landmarks in CT, random errors of landmarks, and a second solver to compare with."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

# A torso: six places from the collar bones to the lowest ribs.
CT_MM = np.array(
    [[-80, -60, 150], [80, -60, 150], [0, -90, 60], [-120, -20, -40], [120, -25, -30], [5, -85, -120]], dtype=float
)


def horn_quaternion(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rotation that takes a to b, by the largest eigenvector of Horn's 4x4 matrix: another road than the SVD."""
    a = a - weights @ a / weights.sum()
    b = b - weights @ b / weights.sum()
    s = a.T @ (weights[:, None] * b)
    delta = np.array([s[1, 2] - s[2, 1], s[2, 0] - s[0, 2], s[0, 1] - s[1, 0]])
    n = np.block([[np.trace(s), delta], [delta[:, None], s + s.T - np.trace(s) * np.eye(3)]])
    w, x, y, z = np.linalg.eigh(n)[1][:, -1]
    return Rotation.from_quat([x, y, z, w]).as_matrix()


def random_covariances(rng: np.random.Generator, count: int, longest_mm: float = 2.0) -> np.ndarray:
    """Axes turned at random, standard deviations from 0.1 mm to `longest_mm`, ``(count, 3, 3)``."""
    turns = Rotation.random(count, rng=rng).as_matrix()
    sd_mm = rng.uniform(0.1, longest_mm, (count, 3))
    return np.einsum("nij,nj,nkj->nik", turns, sd_mm**2, turns)


def draw(rng: np.random.Generator, covariances: np.ndarray) -> np.ndarray:
    return np.einsum("nij,nj->ni", np.linalg.cholesky(covariances), rng.normal(size=(len(covariances), 3)))
