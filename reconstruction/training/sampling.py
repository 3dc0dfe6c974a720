"""Training samples: a class-balanced place in a scan, a contrast, then MONAI's spatial and intensity transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geometry.extras import from_extra
from geometry.points import Singles
from reconstruction.network.classes import OUTSIDE_INDEX
from reconstruction.training.config import Augmentation, TrainingConfig
from reconstruction.training.contrast import apply_contrast, mixed_contrast, synthetic_contrast
from reconstruction.training.sample import Sample
from reconstruction.training.synthesis.artefacts import scan
from reconstruction.training.synthesis.synthesise import Region, synthesise
from reconstruction.training.synthesis.volume import LabelVolume
from reconstruction.training.targets import TrainingVolume
from reconstruction.training.warp import Warp, draw_warp

if TYPE_CHECKING:
    import torch

# Room around the window for rotations and scalings, as a factor of its sides.
MARGIN = 1.3
# Intensities are changed above air, so that gamma and bias fields act on density.
AIR_HU = 1024.0
# What a deformation blends with unknown voxels counts as unknown.
SURE = 0.99


class Sampler:
    """Draws sample number n; the same number gives the same sample, so an interrupted run continues exactly."""

    def __init__(self, volumes: Sequence[TrainingVolume | LabelVolume], config: TrainingConfig) -> None:
        self._volumes = volumes
        self._config = config
        self._intensity = intensity_transforms(config.augmentation)
        # Places of each class, from its sure voxels; the classes a scan lacks are left out.
        self._places = [
            [np.flatnonzero(v.fractions[c].ravel() > 200) for c in range(len(config.network.classes))] for v in volumes
        ]

    def draw(self, number: int) -> Sample:
        with from_extra("training"):
            import torch

        seed = (self._config.schedule.seed, number)
        rng = np.random.default_rng(seed)
        index = number % len(self._volumes)
        volume = self._volumes[index]
        region = self._region(index, rng)
        hu, fractions = self._picture(volume, region, rng)
        known = np.ones(hu.shape, np.float32) if volume.known is None else volume.known[region].astype(np.float32)
        warp, change = draw_warp(self._config, hu.shape, rng), self._intensity
        change.set_random_state(seed=int(rng.integers(2**31)))
        # The outside is what is left over: one channel less to resample.
        channels = [hu[None] + AIR_HU, known[None], fractions[OUTSIDE_INDEX + 1 :]]
        stack = warp.carry(torch.from_numpy(np.concatenate(channels)))
        offsets, on_thing = self._offsets(volume, region, warp)
        hu, sure, inside = stack[:1] - AIR_HU, stack[1] > SURE, stack[2:].clamp(0, 1)
        fractions = torch.cat([(1 - inside.sum(0, keepdim=True)).clamp(min=0), inside])
        if isinstance(volume, LabelVolume):
            drawn, shown = scan(hu[0].numpy(), fractions.numpy(), volume.spacing_mm, rng)
            return Sample(
                torch.from_numpy(drawn)[None, None], torch.from_numpy(shown)[None], sure[None, None], offsets, on_thing
            )
        return Sample(
            (change(hu + AIR_HU).as_tensor() - AIR_HU)[None], fractions[None], sure[None, None], offsets, on_thing
        )

    def _offsets(
        self, volume: TrainingVolume | LabelVolume, region: Region, warp: Warp
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """From each voxel of a thing to the thing's centre, after the deformation, and where there is one."""
        with from_extra("training"):
            import torch

        if volume.things is None:
            return None, None
        first = np.array([s.start for s in region], np.float32)
        numbers = torch.from_numpy(volume.things.numbers[region].astype(np.float32))
        numbers = warp.carry(numbers[None], "nearest")[0].long()
        centres = torch.from_numpy(warp.place(volume.things.centres - first))
        here = torch.stack(torch.meshgrid(*(torch.arange(n) for n in numbers.shape), indexing="ij"), dim=-1)
        unit = self._config.network.spacing_mm / self._config.network.offsets_mm
        offsets = (centres[numbers] - here) * unit
        # Voxels are indexed k, j, i; offsets lead along i, j, k.
        return offsets.permute(3, 0, 1, 2).flip(0)[None].float(), (numbers > 0)[None, None]

    def _picture(
        self, volume: TrainingVolume | LabelVolume, region: Region, rng: np.random.Generator
    ) -> tuple[Singles, Singles]:
        """HU and fractions of a region: drawn from labels, or the scan's own with its contrast or another."""
        if isinstance(volume, LabelVolume):
            return synthesise(volume, region, rng)
        hu, a = volume.hu[region].astype(np.float32), self._config.augmentation
        chance = rng.random()
        if chance < a.mixed_contrast + a.synthetic_contrast:
            make = mixed_contrast if chance < a.mixed_contrast else synthetic_contrast
            hu = apply_contrast(hu, volume.parts[region], volume.part_means_hu, make(volume, rng))
        return hu, np.multiply(volume.fractions[(slice(None), *region)], np.float32(1 / 255), dtype=np.float32)

    def _region(self, index: int, rng: np.random.Generator) -> Region:
        """A window with margin around a voxel of a class drawn at random, kept within the scan."""
        volume = self._volumes[index]
        present = [places for places in self._places[index] if places.size]
        place = rng.choice(present[int(rng.integers(len(present)))])
        centre = np.unravel_index(int(place), volume.fractions.shape[1:])
        slices = []
        for c, window, size in zip(centre, self._config.network.window, volume.fractions.shape[1:], strict=True):
            length = min(int(window * MARGIN), size)
            jitter = int(rng.integers(-window // 4, window // 4 + 1))
            first = int(np.clip(int(c) + jitter - length // 2, 0, size - length))
            slices.append(slice(first, first + length))
        return slices[0], slices[1], slices[2]


def intensity_transforms(a: Augmentation) -> Any:
    """MONAI's transforms of HU above air ``(1, k, j, i)``: gamma, bias field, blur, low resolution, noise."""
    with from_extra("training"):
        from monai.transforms import (
            Compose,
            RandAdjustContrast,
            RandBiasField,
            RandGaussianNoise,
            RandGaussianSmooth,
            RandSimulateLowResolution,
        )

    return Compose(
        [
            RandAdjustContrast(prob=a.gamma, gamma=(0.94, 1.06)),
            RandBiasField(prob=a.bias, degree=2, coeff_range=(-0.03, 0.03)),
            # Thick slices: k is blurred further than j and i.
            RandGaussianSmooth(prob=a.blur, sigma_x=(0.3, 1.5), sigma_y=(0.3, 0.8), sigma_z=(0.3, 0.8)),
            RandSimulateLowResolution(prob=a.low_resolution, zoom_range=(0.45, 1.0)),
            RandGaussianNoise(prob=a.noise, std=a.noise_hu),
        ]
    )
