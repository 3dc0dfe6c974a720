"""What differs between two ultrasound images of the same thing, drawn at random on a batch of tensors.

Geometry first, image and class fractions together: where the probe lies, how far tissue is pressed, how deep it looks,
which way round it is held, the shape of its field. Then the image alone: gain, attenuation with depth and the
time-gain compensation that fights it, shadows behind bone and gas, speckle, and the blur of a deep focus.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geometry.extras import from_extra
from reconstruction.training.images.config import UltrasoundAugmentation

if TYPE_CHECKING:
    import torch

Generator = np.random.Generator


def warp(stack: torch.Tensor, a: UltrasoundAugmentation, rng: Generator) -> torch.Tensor:
    """Moves ``(n, c, h, w)`` by a similarity and, at times, an elastic deformation; 0 comes in from outside."""
    with from_extra("training"):
        import torch
        from torch.nn import functional

    n = stack.shape[0]
    angle = np.deg2rad(rng.uniform(-a.rotate_deg, a.rotate_deg, n))
    zoom = np.exp(rng.uniform(-1, 1, (n, 1)) * math.log1p(a.scale) + rng.normal(0, 0.05, (n, 2)))
    mirror = np.where(rng.random(n) < a.flip, -1.0, 1.0)
    # Output to input, in grid_sample's units of half the image.
    matrix = np.zeros((n, 2, 3), np.float32)
    matrix[:, 0, 0], matrix[:, 0, 1] = np.cos(angle) * zoom[:, 0] * mirror, -np.sin(angle) * zoom[:, 1]
    matrix[:, 1, 0], matrix[:, 1, 1] = np.sin(angle) * zoom[:, 0] * mirror, np.cos(angle) * zoom[:, 1]
    matrix[:, :, 2] = rng.uniform(-2 * a.shift, 2 * a.shift, (n, 2))
    grid = functional.affine_grid(torch.from_numpy(matrix), list(stack.shape), align_corners=False)
    pull = rng.uniform(-1, 1, (n, 2, 6, 6)) * (2 * a.elastic_reach * (rng.random((n, 1, 1, 1)) < a.elastic))
    field = functional.interpolate(
        torch.from_numpy(pull.astype(np.float32)), stack.shape[2:], mode="bicubic", align_corners=True
    )
    return functional.grid_sample(stack, grid + field.permute(0, 2, 3, 1), align_corners=False)


def sector(shape: tuple[int, int], rng: Generator) -> np.ndarray:
    """1 inside the field of a probe, 0 beside it: a narrower linear array, or the fan of a convex one ``(h, w)``."""
    h, w = shape
    row, column = np.mgrid[:h, :w].astype(np.float32)
    if rng.random() < 0.5:
        left, right = rng.uniform(0, 0.2, 2) * w
        return ((column >= left) & (column < w - right)).astype(np.float32)
    # Radius of the transducer and half its opening; the arc's top touches the upper edge.
    radius, half = rng.uniform(0.3, 1.2) * h, np.deg2rad(rng.uniform(20, 40))
    x, y = column - w / 2, row + radius * np.cos(half)
    distance = np.hypot(x, y)
    inside = (distance >= radius) & (distance <= radius * np.cos(half) + h) & (np.abs(np.arctan2(x, y)) <= half)
    return inside.astype(np.float32)


def change_image(image: np.ndarray, a: UltrasoundAugmentation, rng: Generator) -> np.ndarray:
    """A grey image 0 to 1 ``(h, w)`` as other settings and other tissue above would have shown it."""
    from scipy.ndimage import gaussian_filter

    chance = rng.random(5)
    if chance[0] < a.speckle:
        image = image * speckle(image.shape, rng)
    if chance[1] < a.blur:
        image = gaussian_filter(image, (rng.uniform(0.3, 0.8), rng.uniform(0.3, 1.6)))
    if chance[2] < a.attenuation:
        image = image * attenuation(image.shape[0], rng)[:, None]
    if chance[3] < a.shadow:
        image = image * shadow(image.shape, rng)
    if chance[4] < a.gain:
        # Log-compressed images: gain adds where there is an echo, dynamic range is a power.
        image = np.where(image > 0, image.clip(0, 1) ** np.exp(rng.normal(0, 0.25)) * rng.uniform(0.7, 1.35), 0)
        image += rng.normal(0, 0.04) * (image > 0)
    return image.clip(0, 1)


def attenuation(rows: int, rng: Generator) -> np.ndarray:
    """Brightness by depth ``(rows,)``: exponential in depth, times a smooth gain set by hand at six depths."""
    depth = np.linspace(0, 1, rows)
    by_hand = np.interp(depth, np.linspace(0, 1, 6), rng.normal(0, 0.15, 6))
    return np.exp(by_hand - rng.uniform(-0.4, 1.2) * depth).astype(np.float32)


def shadow(shape: tuple[int, ...], rng: Generator) -> np.ndarray:
    """Darkness ``(h, w)`` behind something that lets no sound through, from some depth down, with soft edges."""
    h, w = shape
    row, column = np.arange(h)[:, None] / h, np.arange(w) / w
    centre, half, top = rng.uniform(0, 1), rng.uniform(0.02, 0.15), rng.uniform(0, 0.7)
    soft = rng.uniform(0.005, 0.03)
    across = 1 / (1 + np.exp(((np.abs(column - centre) - half) / soft).clip(-30, 30)))
    down = 1 / (1 + np.exp(((top - row) / soft).clip(-30, 30)))
    return (1 - rng.uniform(0.4, 0.95) * across * down).astype(np.float32)


def speckle(shape: tuple[int, ...], rng: Generator) -> np.ndarray:
    """Multiplicative noise ``(h, w)`` of mean near 1, longer across the beam than along it, as a point spread is."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(rng.standard_normal(shape, np.float32), (rng.uniform(0.4, 1.0), rng.uniform(0.8, 2.0)))
    return np.exp(rng.uniform(0.05, 0.3) * noise / noise.std())


def augment(
    grey: torch.Tensor, fractions: torch.Tensor, a: UltrasoundAugmentation, rng: Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images ``(n, 1, h, w)`` 0 to 1 and class fractions ``(n, c, h, w)``, background first, both changed."""
    with from_extra("training"):
        import torch

    # The background is what is left over: one channel less to resample.
    stack = warp(torch.cat([grey, fractions[:, 1:]], dim=1), a, rng)
    for i in range(stack.shape[0]):
        if rng.random() < a.sector:
            field = sector((stack.shape[2], stack.shape[3]), rng)
            stack[i] *= torch.from_numpy(field)
        stack[i, 0] = torch.from_numpy(change_image(stack[i, 0].numpy(), a, rng).astype(np.float32))
    inside = stack[:, 1:].clamp(0, 1)
    background = (1 - inside.sum(1, keepdim=True)).clamp(min=0)
    return stack[:, :1], torch.cat([background, inside], dim=1)
