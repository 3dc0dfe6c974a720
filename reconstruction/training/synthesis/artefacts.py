"""What a scanner and its room add to a picture: blur, noise, streaks, table, clothes, the edge of the field of view."""

from __future__ import annotations

import numpy as np

from geometry.points import Floats, Singles
from reconstruction.network.classes import OUTSIDE_INDEX
from reconstruction.training.synthesis.fields import smooth_field

# What scanners write outside the field of view, clipped as for the network.
PADDING_HU = -1024.0
# How often each is added.
_CHANCES = {
    "table": 0.6, "clothes": 0.3, "cupping": 0.3, "streaks": 0.3, "metal": 0.1, "ring": 0.05, "field_of_view": 0.25,
}  # fmt: skip
_NOISE_HU = (2.0, 60.0)


def scan(hu: Singles, fractions: Singles, spacing_mm: float, rng: np.random.Generator) -> tuple[Singles, Singles]:
    """HU ``(k, j, i)`` as a scanner would show them, and the fractions: outside the field of view is outside."""
    add = {name: rng.random() < chance for name, chance in _CHANCES.items()}
    outside, inside = fractions[OUTSIDE_INDEX], 1 - fractions[OUTSIDE_INDEX]
    hu = hu.copy()
    if add["table"]:
        hu = _table(hu, outside, spacing_mm, rng)
    if add["clothes"]:
        hu = _clothes(hu, outside, rng)
    if add["metal"]:
        hu = _metal(hu, inside, rng)
    hu = _blurred(hu, spacing_mm, rng)
    if add["streaks"]:
        hu += _streaks(inside, rng)
    if add["cupping"]:
        hu += _cupping(inside, rng) * inside
    if add["ring"]:
        hu += _rings(hu.shape, rng)
    hu += noise(inside, rng)
    np.clip(hu, -1024, 3071, out=hu)
    if add["field_of_view"]:
        hu, fractions = _field_of_view(hu, fractions, rng)
    return hu, fractions


def noise(inside: Singles, rng: np.random.Generator) -> Singles:
    """Quantum noise: without its low frequencies in the slice, as filtered back projection leaves it; more inside."""
    white = rng.standard_normal(inside.shape, dtype=np.float32)
    white -= np.float32(rng.uniform(0.3, 1.0)) * _smooth_in_plane(white)
    sigma = np.exp(rng.uniform(*np.log(_NOISE_HU)))
    return np.float32(sigma) * (np.float32(0.35) + np.float32(0.65) * inside) * white


def _smooth_in_plane(a: Singles) -> Singles:
    from scipy import ndimage

    return ndimage.uniform_filter(a, size=(1, 3, 3), mode="nearest")


def _blurred(hu: Singles, spacing_mm: float, rng: np.random.Generator) -> Singles:
    """Point spread in the slice, and slices up to 5 mm thick, at times thicker."""
    from scipy import ndimage

    in_plane = rng.uniform(0.5, 2.0) / 2.355 / spacing_mm
    thickness = rng.uniform(1.0, 5.0) if rng.random() < 0.8 else rng.uniform(5.0, 9.0)
    sigmas = (
        thickness / 3.46 / spacing_mm,
        in_plane,
        in_plane,
    )  # a slice's box has the deviation of its width / 12^0.5
    for axis, sigma in enumerate(sigmas):
        if sigma > 0.25:
            hu = ndimage.gaussian_filter1d(hu, sigma, axis=axis, mode="nearest", truncate=3.0)
    return hu


def _table(hu: Singles, outside: Singles, spacing_mm: float, rng: np.random.Generator) -> Singles:
    """A curved board below the patient: two shells with foam between, at times a mattress above."""
    j, i = np.arange(hu.shape[1], dtype=np.float32)[:, None], np.arange(hu.shape[2], dtype=np.float32)[None]
    occupied = (outside < 0.5).mean(axis=(0, 2)) > 0.02
    if not occupied.any():
        return hu
    back = int(np.flatnonzero(occupied)[-1]) + rng.uniform(-1.0, 6.0) / spacing_mm
    middle, bend = rng.uniform(0.3, 0.7) * hu.shape[2], rng.choice([0.0, rng.uniform(0.0005, 0.004)])
    surface = j - (back - np.float32(bend) * (i - np.float32(middle)) ** 2)  # voxels below the board's upper side
    board = np.zeros_like(surface)
    depth = rng.uniform(15.0, 90.0) / spacing_mm
    shell = rng.uniform(1.0, 3.0) / spacing_mm
    foam, dense = rng.uniform(-970, -850), rng.uniform(-400, 300)
    inside_board = np.clip(surface + 0.5, 0, 1) * np.clip(depth - surface + 0.5, 0, 1)
    board += inside_board * np.float32(foam - (-1000))
    for place in (0.0, depth - shell):
        board += np.clip(shell / 2 + 0.5 - np.abs(surface - place - shell / 2), 0, 1) * np.float32(dense - foam)
    if rng.random() < 0.5:
        mattress = rng.uniform(8.0, 40.0) / spacing_mm
        board += (
            np.clip(surface + mattress + 0.5, 0, 1) * np.clip(0.5 - surface, 0, 1) * np.float32(rng.uniform(20, 120))
        )
    return hu + outside * board[None]


def _clothes(hu: Singles, outside: Singles, rng: np.random.Generator) -> Singles:
    """Thin cloth around the patient in folds, and cables along him."""
    from scipy import ndimage

    near = ndimage.uniform_filter(1 - outside, size=int(rng.integers(3, 8)), mode="nearest")
    folds = np.float32(0.25) + np.float32(0.12) * smooth_field(hu.shape, 8.0, rng)
    cloth = np.clip(1 - np.abs(near - folds) / np.float32(0.08), 0, 1) * outside * (near > 0.02)
    return hu + cloth * np.float32(rng.uniform(100, 900))


def _metal(hu: Singles, inside: Singles, rng: np.random.Generator) -> Singles:
    """A rod or screw of metal, with streaks from it in its slices."""
    places = np.flatnonzero(hu > 250)
    if places.size == 0:
        return hu
    centre = np.array(np.unravel_index(int(rng.choice(places)), hu.shape), np.float32)
    direction = rng.normal(size=3).astype(np.float32)
    direction /= np.linalg.norm(direction)
    grids = [np.arange(n, dtype=np.float32) - c for n, c in zip(hu.shape, centre, strict=True)]
    k, j, i = grids[0][:, None, None], grids[1][None, :, None], grids[2][None, None, :]
    along = k * direction[0] + j * direction[1] + i * direction[2]
    across = np.sqrt(np.maximum(k**2 + j**2 + i**2 - along**2, 0))
    length, radius = rng.uniform(4, 16), rng.uniform(0.7, 2.0)
    metal = np.clip(radius + 0.5 - across, 0, 1) * np.clip(length - np.abs(along) + 0.5, 0, 1) * (inside > 0.9)
    angle = np.arctan2(j, i) * rng.integers(3, 9) + rng.uniform(0, 2 * np.pi)
    reach = np.exp(-((k / (1 + length * abs(direction[0]))) ** 2))
    rays = np.cos(angle) ** 3 * reach * 6 / (3 + np.hypot(j, i))
    hu = hu + np.float32(rng.uniform(50, 400)) * rays.astype(np.float32) * inside
    return hu + metal.astype(np.float32) * np.float32(rng.uniform(2000, 3500))


def _streaks(inside: Singles, rng: np.random.Generator) -> Singles:
    """Streaks from side to side where few photons arrive: at the shoulders and hips, so in the widest slices."""
    from scipy import ndimage

    width = inside.mean(axis=(1, 2))
    strength = np.clip((width - np.quantile(width, 0.5)) / (np.ptp(width) + 0.05), 0, 1) ** 2
    lines = rng.standard_normal(inside.shape[:2], dtype=np.float32)[:, :, None]
    bent = lines * np.ones((1, 1, inside.shape[2]), np.float32)
    bent += ndimage.gaussian_filter1d(rng.standard_normal(inside.shape, dtype=np.float32), 6.0, axis=2) * np.float32(2)
    return np.float32(rng.uniform(10, 120)) * (0.1 + strength)[:, None, None].astype(np.float32) * bent * inside


def _cupping(inside: Singles, rng: np.random.Generator) -> Singles:
    """Beam hardening that is not corrected: the middle of a section too dark, or too bright."""
    radius = _radius(inside.shape, np.array(inside.shape[1:]) / 2)
    return np.float32(rng.uniform(-40, 25)) * (1 - np.clip(radius / (0.5 * max(inside.shape[1:])), 0, 1) ** 2)


def _rings(shape: tuple[int, ...], rng: np.random.Generator) -> Singles:
    """A detector element that errs: circles around the axis of rotation."""
    radius = _radius(shape, np.array(shape[1:]) * rng.uniform(0.35, 0.65, 2))
    errors = rng.normal(0, 1, int(radius.max()) + 2) * (rng.random(int(radius.max()) + 2) < 0.15)
    return np.float32(rng.uniform(10, 60)) * errors.astype(np.float32)[np.rint(radius).astype(int)]


def _field_of_view(hu: Singles, fractions: Singles, rng: np.random.Generator) -> tuple[Singles, Singles]:
    """A round field of view that cuts the patient at times: padding outside it, and nothing of him."""
    from_axis = _radius(hu.shape, np.array(hu.shape[1:]) * rng.uniform(0.3, 0.7, 2))
    seen = from_axis < rng.uniform(0.42, 0.8) * max(hu.shape[1:])
    kept = fractions * seen
    kept[OUTSIDE_INDEX] += ~seen
    return np.where(seen, hu, np.float32(PADDING_HU)), kept


def _radius(shape: tuple[int, ...], centre_ji: Floats) -> Singles:
    """``(1, j, i)`` distance from an axis along k, in voxels."""
    j = np.arange(shape[1], dtype=np.float32)[:, None] - np.float32(centre_ji[0])
    i = np.arange(shape[2], dtype=np.float32)[None] - np.float32(centre_ji[1])
    return np.hypot(j, i)[None]
