"""What organs hold besides their own tissue: HU added to a kind's mean, drawn for a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from geometry.points import Singles
from reconstruction.training.synthesis.fields import Shape, smooth_field, soft_step, tubes
from reconstruction.training.synthesis.volume import LabelVolume

Draw = Callable[[Shape, float, Mapping[str, float], np.random.Generator], Singles]


def lung_contents(shape: Shape, mm: float, uptake: Mapping[str, float], rng: np.random.Generator) -> Singles:
    """Vessels of two sizes, more air in front and above than behind, at times haze or patches of consolidation."""
    blood = np.float32(rng.uniform(700, 850) + uptake.get("pulmonary", 0.0))
    large = tubes(shape, rng.uniform(30, 55) / mm, rng.uniform(1.5, 3.5) / mm, rng)
    small = tubes(shape, rng.uniform(10, 18) / mm, rng.uniform(0.3, 0.9) / mm, rng)
    hu = np.maximum(large * blood, small * np.float32(0.7) * blood)
    gravity = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :, None]
    hu += np.float32(rng.uniform(0, 70)) * gravity + np.float32(20) * smooth_field(shape, 25 / mm, rng)
    if rng.random() < 0.25:
        threshold = np.float32(rng.uniform(0.8, 2.2))
        patch = soft_step(smooth_field(shape, rng.uniform(15, 40) / mm, rng) + gravity * np.float32(0.7) - threshold, 2)
        hu = np.maximum(hu, patch * np.float32(rng.uniform(200, 850)))
    return hu


def liver_contents(shape: Shape, mm: float, uptake: Mapping[str, float], rng: np.random.Generator) -> Singles:
    """Veins, brighter or darker than the tissue by the phase; at times lesions."""
    difference = uptake.get("portal", 0.0) - uptake.get("liver", 0.0) + rng.normal(0, 8)
    hu = np.float32(difference) * tubes(shape, rng.uniform(22, 40) / mm, rng.uniform(1.5, 4.0) / mm, rng)
    return hu + _lesions(shape, mm, rng)


def spleen_contents(shape: Shape, mm: float, uptake: Mapping[str, float], rng: np.random.Generator) -> Singles:
    """Stripes while the medium arrives."""
    return np.float32(0.25 * uptake.get("spleen", 0.0) * rng.random()) * smooth_field(shape, 12 / mm, rng)


def kidney_contents(shape: Shape, mm: float, uptake: Mapping[str, float], rng: np.random.Generator) -> Singles:
    """The pelvis in the middle: fat, urine, or medium; cysts at times."""
    pelvis = soft_step(smooth_field(shape, 9 / mm, rng) - np.float32(0.9), 2)
    low, high = (-120.0, 0.0) if rng.random() < 0.6 else (0.0, 500.0 if uptake else 20.0)
    return pelvis * np.float32(rng.uniform(low, high)) + _lesions(shape, mm, rng)


def heart_contents(shape: Shape, mm: float, uptake: Mapping[str, float], rng: np.random.Generator) -> Singles:
    """Muscle walls between chambers, fat in the grooves."""
    muscle = soft_step(smooth_field(shape, 20 / mm, rng), 3) * np.float32(-0.6 * uptake.get("heart", 0.0))
    fat = soft_step(smooth_field(shape, 14 / mm, rng) - np.float32(1.4), 3)
    return muscle + fat * np.float32(-110.0)


def artery_contents(shape: Shape, mm: float, uptake: Mapping[str, float], rng: np.random.Generator) -> Singles:
    """Calcified plaques at times."""
    if rng.random() < 0.5:
        return np.zeros(shape, np.float32)
    plaque = soft_step(smooth_field(shape, 4 / mm, rng) - np.float32(rng.uniform(1.6, 2.6)), 3)
    return plaque * np.float32(rng.uniform(150, 900))


def bowel_contents(shape: Shape, mm: float, uptake: Mapping[str, float], rng: np.random.Generator) -> Singles:
    """Gas over fluid, stool, or medium given by mouth, in stretches; collapsed in between."""
    stretch = smooth_field(shape, rng.uniform(20, 50) / mm, rng)
    other = smooth_field(shape, rng.uniform(15, 40) / mm, rng)
    front = np.linspace(1, -1, shape[1], dtype=np.float32)[None, :, None]
    gas = soft_step(stretch + np.float32(0.6) * front + np.float32(rng.uniform(-1.5, 0.5)), 6)
    stool = soft_step(other - np.float32(rng.uniform(-0.5, 1.5)), 4)
    crumbs = smooth_field(shape, 5 / mm, rng)
    hu = stool * (np.float32(rng.uniform(-60, 60)) + np.float32(rng.uniform(40, 130)) * crumbs)
    if rng.random() < 0.3:
        medium = soft_step(smooth_field(shape, 30 / mm, rng) + np.float32(rng.uniform(-0.8, 0.8)), 5)
        hu += medium * np.float32(rng.uniform(80, 600))
    return np.asarray(hu + gas * (np.float32(rng.uniform(-1020, -900)) - hu), np.float32)


def urine_contents(shape: Shape, mm: float, uptake: Mapping[str, float], rng: np.random.Generator) -> Singles:
    """Excreted medium that has sunk to the back."""
    if not uptake or rng.random() < 0.5:
        return np.zeros(shape, np.float32)
    back = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :, None]
    return np.clip((back - np.float32(rng.uniform(-0.4, 0.6))) * 8, 0, 1) * np.full(
        shape, rng.uniform(0, 500), np.float32
    )


def muscle_contents(shape: Shape, mm: float, uptake: Mapping[str, float], rng: np.random.Generator) -> Singles:
    """Fat between fibres."""
    fat = soft_step(smooth_field(shape, 6 / mm, rng) - np.float32(rng.uniform(1.0, 3.0)), 2)
    return fat * np.float32(-110.0)


def marrow_contents(shape: Shape, mm: float, uptake: Mapping[str, float], rng: np.random.Generator) -> Singles:
    """Patches of fatty, dense or diseased marrow."""
    return np.float32(rng.uniform(0, 45)) * smooth_field(shape, rng.uniform(6, 15) / mm, rng)


def _lesions(shape: Shape, mm: float, rng: np.random.Generator) -> Singles:
    if rng.random() < 0.7:
        return np.zeros(shape, np.float32)
    lesion = soft_step(smooth_field(shape, rng.uniform(8, 25) / mm, rng) - np.float32(rng.uniform(1.5, 2.5)), 4)
    return lesion * np.float32(rng.uniform(-60, 60))


CONTENTS: Mapping[str, Draw] = MappingProxyType(
    {
        "lung": lung_contents,
        "liver": liver_contents,
        "spleen": spleen_contents,
        "kidney_medulla": kidney_contents,
        "heart": heart_contents,
        "artery": artery_contents,
        "bowel_inside": bowel_contents,
        "urine": urine_contents,
        "muscle": muscle_contents,
    }
)


def draw_contents(
    volume: LabelVolume, parts: NDArray[np.uint8], uptake: Mapping[str, float], rng: np.random.Generator
) -> Singles:
    """HU to add in a region ``(k, j, i)`` whose parts are given, each kind drawn in the box that holds it.

    A voxel gets the contents of its largest part that has any.
    """
    added = np.zeros(parts.shape[1:], np.float32)
    numbers = {kind: n for n, kind in enumerate(CONTENTS, start=1)}
    number = np.array([numbers.get(part.kind, 0) for part in volume.compartments], np.uint8)
    holds = number[parts[-1]]
    for layer in parts[-2::-1]:
        largest = number[layer]
        holds = np.where(largest, largest, holds)
    for kind, draw in CONTENTS.items():
        found = holds == numbers[kind]
        if np.any(found):
            box = _box(found)
            drawn = draw(added[box].shape, volume.spacing_mm, uptake, rng)
            added[box][found[box]] = drawn[found[box]]
    return added


def has_contents(volume: LabelVolume) -> NDArray[np.bool_]:
    """``(n_parts,)``: whether a part holds something."""
    return np.array([part.kind in CONTENTS for part in volume.compartments])


def _box(mask: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    spans = (np.any(mask, axis=(1, 2)), np.any(mask, axis=(0, 2)), np.any(mask, axis=(0, 1)))
    k, j, i = (slice(int(w[0]), int(w[-1]) + 1) for w in (np.flatnonzero(s) for s in spans))
    return k, j, i
