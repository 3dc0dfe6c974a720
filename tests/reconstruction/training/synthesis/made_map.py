"""A label map of blocks: a spine with six lumbar vertebrae, a hip with its own cortex, soft organs around them."""

from pathlib import Path

import numpy as np

from geometry.volume import Volume
from reconstruction.training.config import TrainingConfig
from reconstruction.training.scans import LabelMap
from reconstruction.training.synthesis.volume import LabelVolume, prepare_labels
from tests.reconstruction.training.tiny_training import tiny_config

SPACING_MM = 1.0
NAMES = {n: f"vertebrae_L{n}" for n in range(1, 7)} | {
    7: "hip_left_compact",
    8: "hip_left_spongy",
    9: "liver",
    10: "aorta",
    11: "colon",
    12: "lung_left",
}


def made_map(trusted_mm: float | None = None) -> LabelMap:
    voxels = np.zeros((120, 60, 80), np.uint8)
    for n in range(6):
        voxels[100 - 18 * n : 112 - 18 * n, 36:54, 30:50] = n + 1
    voxels[4:24, 20:40, 56:76] = 7
    voxels[8:20, 24:36, 60:72] = 8
    voxels[60:100, 10:34, 4:28] = 9
    voxels[20:110, 28:36, 36:44] = 10
    voxels[20:50, 8:26, 10:34] = 11
    voxels[70:110, 8:30, 50:74] = 12
    affine = np.diag([SPACING_MM] * 3 + [1.0])
    return LabelMap("made", Volume(voxels, affine), NAMES, None, trusted_mm)


def made_volume(folder: Path, trusted_mm: float | None = None) -> tuple[LabelVolume, TrainingConfig]:
    config = tiny_config(folder)
    return prepare_labels(made_map(trusted_mm), config), config
