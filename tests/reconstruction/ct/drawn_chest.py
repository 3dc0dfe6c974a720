"""A chest drawn in Hounsfield units, and a crop of it without air."""

from __future__ import annotations

import numpy as np


def trunk(seed: int = 0) -> np.ndarray:
    """A trunk with lungs and a spine in HU, with the noise of a scan: ``(24, 60, 75)``, air at -1000, muscle at 40."""
    _, y, x = np.meshgrid(np.arange(24), np.linspace(-150, 150, 60), np.linspace(-190, 190, 75), indexing="ij")
    hu = np.full(x.shape, -1000.0)
    hu[(x / 160) ** 2 + (y / 110) ** 2 < 1] = -90.0
    hu[(x / 145) ** 2 + (y / 95) ** 2 < 1] = 40.0
    for side in (-75, 75):
        hu[((x - side) / 55) ** 2 + (y / 65) ** 2 < 1] = -820.0
    hu[(x / 18) ** 2 + ((y - 75) / 16) ** 2 < 1] = 500.0
    return np.rint(hu + np.random.default_rng(seed).normal(0.0, 8.0, hu.shape))


def mediastinum() -> np.ndarray:
    """What lies between the lungs of the trunk: a crop without air."""
    return trunk()[:, 13:46, 34:41]
