"""The tissue between labels: skin, fat, muscle, vessels, by depth, nearness to bone and smooth fields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.points import Singles
from reconstruction.training.synthesis.fields import Shape, smooth_field, soft_step, tubes
from reconstruction.training.synthesis.tissues import NATIVE_HU
from reconstruction.training.synthesis.volume import LabelVolume

FAT_HU, SOFT_HU = (-125.0, -75.0), (20.0, 60.0)
SKIN_MM = 2.5
# Bone has muscle around it within about this distance.
_MUSCLE_ROUND_BONE_MM = 18.0


@dataclass(frozen=True)
class Cover:
    """What lies over the hull: a wall of muscle, then fat; `front` is how much more fat the front has than the back."""

    wall_mm: float
    fat_mm: float
    front: float
    unevenness: float

    def thickness_mm(self, shape: Shape, spacing_mm: float, rng: np.random.Generator) -> Singles:
        """Of wall, fat and skin together, ``(k, j, i)``."""
        uneven = 1 + np.float32(self.unevenness) * smooth_field(shape, 90.0 / spacing_mm, rng)
        along = np.linspace(1 + self.front, 1 - self.front, shape[1], dtype=np.float32)[None, :, None]
        return np.float32(self.wall_mm + SKIN_MM) + np.float32(self.fat_mm) * along * np.clip(uneven, 0.3, 2.0)


def draw_cover(rng: np.random.Generator) -> Cover:
    """From lean to obese."""
    return Cover(rng.uniform(0.0, 10.0), float(np.exp(rng.uniform(np.log(3), np.log(48)))), rng.uniform(0, 0.5), 0.25)


def unlabelled_hu(
    volume: LabelVolume,
    region: tuple[slice, slice, slice],
    outside_mm: Singles,
    cover: Cover,
    uptake: dict[str, float],
    rng: np.random.Generator,
) -> Singles:
    """HU of unlabelled tissue ``(k, j, i)``; `outside_mm` is the signed distance to the skin, negative inside."""
    shape, mm = outside_mm.shape, volume.spacing_mm
    hull_mm, bone_mm = volume.hull_mm[region].astype(np.float32), volume.bone_mm[region].astype(np.float32)
    fat, soft = rng.uniform(*FAT_HU), rng.uniform(*SOFT_HU)
    muscle = rng.uniform(*NATIVE_HU["muscle"][:2]) + uptake.get("muscle", 0.0)
    # Deep tissue: fat or soft, in patches of two sizes; muscle round bones and as the wall of the trunk.
    patches = smooth_field(shape, rng.uniform(14, 30) / mm, rng) + np.float32(0.5) * smooth_field(shape, 6 / mm, rng)
    leanness = np.float32(rng.uniform(-1.8, 0.8))
    soft_share = soft_step(patches + leanness, 3.0)
    near_bone = np.clip(1.5 - bone_mm / np.float32(_MUSCLE_ROUND_BONE_MM), 0, 1)
    wall = np.clip((hull_mm + 12) / 6, 0, 1)
    muscle_share = soft_step(
        patches + np.float32(2.2) * np.maximum(near_bone, wall) - np.float32(rng.uniform(0.3, 1.2)), 2.5
    )
    hu = np.float32(fat) + np.float32(soft - fat) * soft_share
    hu += muscle_share * (np.float32(muscle) - hu)
    # Vessels in the deep fat, with blood of some phase.
    vessel = tubes(shape, rng.uniform(25, 45) / mm, rng.uniform(1.0, 3.0) / mm, rng)
    blood = 45.0 + uptake.get(str(rng.choice(["artery", "vein", "portal"])), 0.0)
    hu += vessel * (np.float32(blood) - hu)
    # Fat under the skin, with septa and small vessels; then the skin.
    subcutaneous = np.clip((hull_mm - np.float32(cover.wall_mm)) / np.float32(mm) + np.float32(0.5), 0, 1)
    septa = tubes(shape, 14 / mm, 0.6 / mm, rng)
    hu += subcutaneous * (np.float32(fat) + np.float32(60) * septa - hu)
    skin = np.clip((outside_mm + np.float32(SKIN_MM)) / np.float32(mm) + np.float32(0.5), 0, 1)
    hu += skin * (np.float32(rng.uniform(-20, 70)) - hu)
    return hu + np.float32(rng.uniform(4, 14)) * smooth_field(shape, 4.5 / mm, rng)
