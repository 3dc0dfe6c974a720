"""Smooth random fields: what textures, fat, bowel contents and outlines are shaped by."""

from __future__ import annotations

import numpy as np

from geometry.points import Floats, Singles

Shape = tuple[int, int, int]


def smooth_field(shape: Shape, scale: float, rng: np.random.Generator) -> Singles:
    """A random field ``(k, j, i)`` of mean 0 and standard deviation 1, correlated over about `scale` voxels.

    Independent normal values on a coarse grid, interpolated by cubic B-splines: three small matrix products.
    """
    weights = [_spline_weights(n, scale) for n in shape]
    coarse = rng.standard_normal([w.shape[1] for w in weights], dtype=np.float32)
    field = np.tensordot(weights[0], coarse @ weights[2].T, axes=1)
    field = weights[1] @ field
    return field / np.float32(_spread(scale))


def tubes(shape: Shape, scale: float, radius: float, rng: np.random.Generator) -> Singles:
    """A random network of tubes, 1 inside and 0 outside, blurred over a voxel at the wall.

    Two fields are zero on surfaces, both at once on curves: the tubes lie around these. Distance is the fields' value
    over their slope, taken at its mean.

    Args:
        shape: of the field, in voxels.
        scale: mean distance of the tubes, in voxels.
        radius: of the tubes, in voxels.
        rng: the generator to draw from.
    """
    distance = np.hypot(smooth_field(shape, scale, rng), smooth_field(shape, scale, rng)) * np.float32(scale)
    return np.clip(np.float32(radius + 0.5) - distance, 0, 1)


def soft_step(field: Singles, sharpness: float = 4.0) -> Singles:
    """0 where the field is low, 1 where it is high, linear in between."""
    return np.clip(field * np.float32(sharpness) + np.float32(0.5), 0, 1)


def _spline_weights(n: int, scale: float) -> Singles:
    """``(n, coarse)``: cubic B-spline weights of coarse points `scale` voxels apart."""
    position = np.arange(n) / scale + 1.5
    coarse = int(np.ceil(position[-1])) + 3
    distance = np.abs(position[:, None] - np.arange(coarse))
    return _spline(distance).astype(np.float32)


def _spline(t: Floats) -> Floats:
    near = 2 / 3 - t**2 + t**3 / 2
    far = np.clip(2 - t, 0, None) ** 3 / 6
    return np.where(t < 1, near, far)


def _spread(scale: float) -> float:
    """Standard deviation of the interpolated field: the mean square of the weights over all places, three times."""
    place = (np.arange(64) + 0.5) / 64
    squares = sum(_spline(np.abs(place - n)) ** 2 for n in range(-2, 4))
    return float(np.mean(squares) ** 1.5) if scale > 1 else 1.0
