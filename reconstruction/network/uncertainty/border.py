"""How far a surface's border is likely off, at each vertex, in mm.

Three lengths are read from the probabilities at the vertex, each over the slope of the mean probability there. Its
width: a border whose place is normally distributed with the standard deviation s has a slope of 1 / (s sqrt(2 pi)).
Its spread: how far the border moves from pass to pass. Its offset: how far the surface, which physics may have placed,
lies from where the network's mean would put it. How much each counts was measured on a held-out scan.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from geometry.points import Floats, Singles
from geometry.volume import Volume

# A slope this small says that no border is near; lengths end there.
LONGEST_MM = 20.0
SMALLEST_SLOPE_PER_MM = 1.0 / (LONGEST_MM * np.sqrt(2.0 * np.pi))
LENGTHS = 3


def border_lengths_mm(vertices_mm: Floats, probability: Volume, variance: Singles) -> Floats:
    """Width, spread and offset of the border at each vertex: ``(n, 3)`` in mm, none above `LONGEST_MM`.

    Args:
        vertices_mm: ``(n, 3)`` in the frame of `probability`.
        probability: the structure's mean probability over the passes.
        variance: of the same, on the same voxels.
    """
    from scipy import ndimage

    mean = np.asarray(probability.voxels, np.float32)
    places = probability.mm_to_index(vertices_mm)[:, ::-1].T

    def at(field: Singles) -> Floats:
        return np.asarray(ndimage.map_coordinates(field, places, order=1, mode="nearest"), np.float64)

    spacing_kji = probability.spacing_mm[::-1]
    slopes = [at(np.gradient(mean, axis=axis) / np.float32(spacing_kji[axis])) for axis in range(3)]
    slope = np.maximum(np.linalg.norm(slopes, axis=0), SMALLEST_SLOPE_PER_MM)
    lengths = np.stack([np.full_like(slope, 1.0 / np.sqrt(2.0 * np.pi)), np.sqrt(at(variance)), np.abs(at(mean) - 0.5)])
    return np.minimum(lengths / slope, LONGEST_MM).T


def expected_error_mm(lengths_mm: Floats, coefficients: Sequence[float]) -> Floats:
    """Standard deviation of the border's place at each vertex, ``(n,)`` in mm: root of a sum of squares.

    Args:
        lengths_mm: ``(n, 3)`` by `border_lengths_mm`.
        coefficients: a constant in mm, and how much of each length counts.
    """
    constant, *factors = coefficients
    return np.sqrt(constant**2 + ((lengths_mm * factors) ** 2).sum(axis=1))


def fit_border(lengths_mm: Floats, distances_mm: Floats) -> tuple[float, ...]:
    """The coefficients under which the distances to the true border are likeliest, as Laplace's distribution.

    Its tails are those of segmentations: most of a border is right to a voxel, and a part of it is on another organ.

    Args:
        lengths_mm: ``(n, 3)``; distances_mm: ``(n,)``, 0 or more.
    """
    from scipy.optimize import minimize

    def unlikeliness(logs: Floats) -> float:
        sigma = expected_error_mm(lengths_mm, tuple(np.exp(logs)))
        return float((np.log(sigma) + np.sqrt(2.0) * distances_mm / sigma).mean())

    start = np.log([max(0.1, float(np.median(distances_mm))), *[0.5] * LENGTHS])
    found = minimize(unlikeliness, start, method="Nelder-Mead", bounds=[(np.log(1e-3), np.log(30.0))] * 4)
    return tuple(float(value) for value in np.exp(found.x))
