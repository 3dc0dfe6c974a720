"""Small scans of a trunk with liver, vertebra and lung, whose densities and noise a test chooses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from case.nifti_files import write_nifti
from geometry.volume import Volume
from reconstruction.network.weights import Weights
from reconstruction.training.tuning.site import SiteScan, site_scan

NAMES = {1: "liver", 2: "vertebrae_L1", 3: "lung_left"}


def made_ct(seed: int, liver_hu: float = 110.0) -> tuple[Volume, Volume]:
    """CT and labels of 40^3 voxels of 2 mm; places and sizes differ from seed to seed."""
    rng = np.random.default_rng(seed)
    k, j, i = np.indices((40, 40, 40))
    hu = np.where(np.hypot(i - 20, j - 20) < 17, 40.0, -1000.0)
    labels = np.zeros(hu.shape, np.uint8)
    for number, density, centre, radius in (
        (1, liver_hu, (12, 18, 12), 7),
        (2, 500.0, (20, 31, 20), 4),
        (3, -600.0, (30, 18, 25), 7),
    ):
        ck, cj, ci = np.array(centre) + rng.integers(-2, 3, 3)
        ball = (k - ck) ** 2 + (j - cj) ** 2 + (i - ci) ** 2 < (radius + rng.uniform(-1, 1)) ** 2
        hu[ball], labels[ball] = density, number
    hu += rng.normal(0, 10, hu.shape)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    return Volume(np.rint(hu).astype(np.int16), affine), Volume(labels, affine)


def made_site_scan(seed: int, weights: Weights, liver_hu: float, names: Mapping[int, str]) -> SiteScan:
    """One of them on the network's grid, with the labels of `names` only."""
    ct, labels = made_ct(seed, liver_hu)
    return site_scan(f"scan {seed}", ct, [(labels, names)], weights)


def write_site(folder: Path, count: int, liver_hu: float) -> Path:
    """A site's folder of scans, with the names of their labels beside them."""
    for seed in range(count):
        ct, labels = made_ct(100 + seed, liver_hu)
        (folder / f"scan_{seed}").mkdir(parents=True)
        write_nifti(folder / f"scan_{seed}" / "ct.nii.gz", ct)
        write_nifti(folder / f"scan_{seed}" / "labels.nii.gz", labels)
    (folder / "labels.csv").write_text("value,name\n" + "".join(f"{v},{n}\n" for v, n in NAMES.items()))
    return folder
