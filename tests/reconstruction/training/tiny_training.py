"""A labelled scan of 40^3 voxels, and a training file small enough for a test."""

from pathlib import Path

import numpy as np

from geometry.volume import Volume
from reconstruction.training.config import TrainingConfig
from reconstruction.training.read_config import read_config
from reconstruction.training.scans import LabelledScan

TOML = """
name = "tiny"

[[source]]
name = "made"
images = "*/ct.nii.gz"
labels = "{{folder}}/labels.nii.gz"
names = {{ 1 = "liver", 2 = "vertebrae_L1", 3 = "lung_left" }}
validation = ["held_out/ct.nii.gz"]
licence = "none"
attribution = "made by a test"
labelled_by = "a formula"

[structures]
bone = ["vertebra*"]
lung = ["lung_*"]
liver = ["liver"]

[network]
spacing_mm = 2.0
channels = [4, 8]
window = [16, 16, 16]

[schedule]
iterations = {iterations}
checkpoint_every = 2
warm_up = 1
decay_from = 1.0
bfloat16 = false
"""


def write_toml(folder: Path, iterations: int = 2) -> Path:
    path = folder / "tiny.toml"
    path.write_text(TOML.format(iterations=iterations), "utf-8")
    return path


def tiny_config(folder: Path) -> TrainingConfig:
    return read_config(write_toml(folder))


def write_scan(folder: Path, seed: int) -> None:
    """The scan of balls as files."""
    import SimpleITK as sitk

    folder.mkdir(parents=True)
    scan = scan_of_balls(seed)
    for volume, name in ((scan.ct, "ct"), (scan.labels, "labels")):
        image = sitk.GetImageFromArray(volume.voxels)
        image.SetSpacing((2.0, 2.0, 2.0))
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))


def scan_of_balls(seed: int = 1) -> LabelledScan:
    """A cylinder of tissue with a liver, a vertebra and a lung; 2 mm voxels."""
    k, j, i = np.indices((40, 40, 40))
    hu = np.where(np.hypot(i - 20, j - 20) < 17, 40, -1000).astype(np.int16)
    labels = np.zeros(hu.shape, np.uint8)
    for number, density, (ck, cj, ci), radius in (
        (1, 110, (12, 18, 12), 7),
        (2, 500, (20, 31, 20), 4),
        (3, -850, (30, 18, 25), 7),
    ):
        ball = (k - ck) ** 2 + (j - cj) ** 2 + (i - ci) ** 2 < radius**2
        hu[ball] = density
        labels[ball] = number
    hu += np.random.default_rng(seed).normal(0, 10, hu.shape).astype(np.int16)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    names = {1: "liver", 2: "vertebrae_L1", 3: "lung_left"}
    return LabelledScan("balls", Volume(hu, affine), Volume(labels, affine), names)
