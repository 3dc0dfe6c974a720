"""Balls put on the skin of a real patient's CT, at known places, with a scanner's blur and partial volume.

Nothing here is shared with the detector: the skin is told in the slice, by marching outwards, and the ball's share of
each voxel is counted on a grid five times finer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from geometry import Volume

FINE = 5
TISSUE_HU, AIR_HU = -300.0, -700.0
CLEAR_MM = 3.0  # around the ball, outside the patient, there is nothing: no blanket, no arm


@dataclass(frozen=True)
class Ball:
    """Centre ``(3,)`` in ct, and how it looks."""

    centre_ct: np.ndarray
    diameter_mm: float
    hu: float


def put_balls(ct: Volume, count: int, rng: np.random.Generator) -> tuple[Volume, list[Ball]]:
    """The CT with `count` balls of 3 to 10 mm on the front and the sides of the patient, more than 25 mm apart."""
    hu = ct.voxels.astype(np.float32)
    balls: list[Ball] = []
    fwhm_mm = rng.uniform(1.0, 1.8)
    for _ in range(100 * count):
        if len(balls) == count:
            break
        diameter = float(rng.uniform(3.0, 10.0))
        centre = _place(ct, diameter / 2.0, rng)
        if centre is None or any(np.linalg.norm(centre - ball.centre_ct) < 25.0 for ball in balls):
            continue
        balls.append(Ball(centre, diameter, float(rng.choice([1200.0, 1800.0, 3000.0]))))
        _paint(ct, hu, balls[-1], fwhm_mm, rng)
    assert len(balls) == count
    top = max(int(ct.voxels.max()), 3071)
    return ct.with_voxels(np.clip(np.round(hu), -1024, top).astype(np.int16)), balls


def _place(ct: Volume, radius_mm: float, rng: np.random.Generator) -> np.ndarray | None:
    """A centre so that the ball touches the skin or hovers by up to 1.5 mm (adhesive); None where it is not clear."""
    margin = int(np.ceil(12.0 / ct.spacing_mm[2]))
    k = int(rng.integers(margin, ct.shape_ijk[2] - margin))
    body = _body(ct.voxels[k])
    if body is None:
        return None
    middle = np.array(ndimage.center_of_mass(body))
    angle = rng.uniform(np.radians(-200.0), np.radians(20.0))  # y points to the back
    steps = np.arange(0.0, 400.0, 0.1)[:, None] * np.array([np.sin(angle), np.cos(angle)])
    path = middle + steps / ct.spacing_mm[[1, 0]]
    path = path[((path > 8) & (path < np.array(body.shape) - 9)).all(axis=1)]
    along = ndimage.map_coordinates(body.astype(np.float32), path.T, order=1) > 0.5
    if not along.any() or along[-1]:
        return None  # the patient goes on beyond the scan
    j, i = path[np.flatnonzero(along)[-1]]
    soft = ndimage.gaussian_filter(body.astype(np.float32), 4.0 / ct.spacing_mm[[1, 0]])
    slope = [-ndimage.map_coordinates(ndimage.sobel(soft, axis), [[j], [i]], order=1)[0] for axis in (1, 0)]
    normal = np.array(slope) / ct.spacing_mm[:2] * 1.0
    index = (
        np.array([i, j])
        + (radius_mm + rng.choice([0.0, 0.7, 1.5])) * normal / np.linalg.norm(normal) / (ct.spacing_mm[:2])
    )
    centre = ct.index_to_mm([[*index, k + rng.uniform(-0.5, 0.5)]])[0]
    return centre if _clear(ct, centre, radius_mm) else None


def _body(hu: np.ndarray) -> np.ndarray | None:
    parts, count = ndimage.label(ndimage.binary_opening(hu > TISSUE_HU, iterations=4))
    if not count:
        return None
    largest = np.bincount(parts.ravel())[1:].argmax() + 1
    return ndimage.binary_fill_holes(parts == largest)


def _clear(ct: Volume, centre_ct: np.ndarray, radius_mm: float) -> bool:
    """Half of what is around the ball and more is air, and the rest hangs together: the patient, and nothing else."""
    box, offsets = _box(ct, ct.voxels, centre_ct, radius_mm + CLEAR_MM)
    near = np.linalg.norm(offsets, axis=-1) < radius_mm + CLEAR_MM
    _, count = ndimage.label((box > AIR_HU) & near)
    return bool((box[near] < AIR_HU).mean() > 0.45 and count <= 1)


def _box(ct: Volume, hu: np.ndarray, centre_ct: np.ndarray, reach_mm: float, pad: int = 0):
    """A view of the voxels around a point, and their offsets from it in ct."""
    middle = ct.mm_to_index(centre_ct)[0]
    half = np.ceil(reach_mm / ct.spacing_mm).astype(int) + pad
    low = np.maximum(np.rint(middle).astype(int) - half, 0)
    high = np.minimum(np.rint(middle).astype(int) + half + 1, ct.shape_ijk)
    i, j, k = (np.arange(a, b) for a, b in zip(low, high, strict=True))
    grid = np.stack(np.broadcast_arrays(i[None, None, :], j[None, :, None], k[:, None, None]), axis=-1)
    offsets = ct.index_to_mm(grid.reshape(-1, 3)).reshape(grid.shape) - centre_ct
    return hu[low[2] : high[2], low[1] : high[1], low[0] : high[0]], offsets


def _paint(ct: Volume, hu: np.ndarray, ball: Ball, fwhm_mm: float, rng: np.random.Generator) -> None:
    window, _ = _box(ct, hu, ball.centre_ct, ball.diameter_mm / 2.0 + 3.0 * fwhm_mm)
    middle = ct.mm_to_index(ball.centre_ct)[0]
    half = np.ceil((ball.diameter_mm / 2.0 + 3.0 * fwhm_mm) / ct.spacing_mm).astype(int)
    low = np.maximum(np.rint(middle).astype(int) - half, 0)
    axes = [
        (low[axis] - 0.5 + (np.arange(n * FINE) + 0.5) / FINE - middle[axis]) * ct.spacing_mm[axis]
        for axis, n in zip((2, 1, 0), window.shape, strict=True)
    ]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    inside = (x**2 + y**2 + z**2 < ball.diameter_mm**2 / 4.0).astype(np.float32)
    steps = ct.spacing_mm[::-1] / FINE
    sigma = np.array([max(0.8 * fwhm_mm, 0.5 * ct.spacing_mm[2]), fwhm_mm, fwhm_mm]) / 2.3548 / steps
    shape = tuple(part for n in window.shape for part in (n, FINE))
    share = ndimage.gaussian_filter(inside, sigma).reshape(shape).mean(axis=(1, 3, 5))
    noise = ndimage.gaussian_filter(rng.standard_normal(window.shape), 0.5)
    window += share * (ball.hu - window + 25.0 * noise / noise.std())
