"""New contrasts for a labelled scan: mixed from its own, or synthetic from its label map.

After SynthSeg (Billot et al. 2023), but within the HU that tissue can have: CT is calibrated, so an unbounded contrast
would only waste capacity. Every part (a label and tissue bin) gets a new mean, and keeps a share of its own texture:

    hu_new = mean_new[part] + share * (hu - mean[part])
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.points import Singles
from reconstruction.network.classes import CLASS_INDEX, OUTSIDE_INDEX
from reconstruction.training.targets import TrainingVolume

# Means that tissue can have without and with contrast medium, in HU: (class, tissue bin) -> (low, high).
# Bins: 0 gas, 1 fat or partial volume, 2 soft or blood, 3 dense.
_RANGES_HU = {
    ("body", 0): (-1000.0, -750.0),
    ("body", 1): (-140.0, -40.0),
    ("body", 2): (-10.0, 150.0),
    ("body", 3): (80.0, 450.0),
    ("bone", 0): (-100.0, 50.0),
    ("bone", 1): (-100.0, 100.0),
    ("bone", 2): (60.0, 400.0),
    ("bone", 3): (250.0, 1100.0),
    ("lung", 0): (-950.0, -600.0),
    ("lung", 1): (-600.0, -100.0),
    ("lung", 2): (-50.0, 150.0),
    ("lung", 3): (50.0, 400.0),
    ("liver", 0): (20.0, 180.0),
    ("liver", 1): (20.0, 180.0),
    ("liver", 2): (20.0, 180.0),
    ("liver", 3): (60.0, 300.0),
}
# Vessels, kidneys, heart: soft parts that contrast medium may fill.
_ENHANCED_SHARE, _ENHANCED_HU = 0.3, (80.0, 400.0)
# Standard deviation of a part's shift when a contrast is mixed, by tissue bin.
_SHIFT_HU = np.array([30.0, 15.0, 35.0, 100.0])


@dataclass(frozen=True)
class Contrast:
    """New mean of each part ``(n_parts,)`` in HU, and the share of the part's own texture that stays."""

    means_hu: Singles
    texture: float


def mixed_contrast(volume: TrainingVolume, rng: np.random.Generator) -> Contrast:
    """Shifts each part around its own mean, as another phase of contrast medium or another patient would."""
    shifts = rng.normal(0.0, _SHIFT_HU[volume.part_bins]) * (volume.part_classes != OUTSIDE_INDEX)
    return Contrast((volume.part_means_hu + shifts).astype(np.float32), float(rng.uniform(0.6, 1.2)))


def synthetic_contrast(volume: TrainingVolume, rng: np.random.Generator) -> Contrast:
    """Draws each part's mean anew from what its tissue can have; unlabelled tissue of one bin stays one tissue."""
    means = volume.part_means_hu.copy()
    for (name, tissue_bin), (low, high) in _RANGES_HU.items():
        chosen = (volume.part_classes == CLASS_INDEX[name]) & (volume.part_bins == tissue_bin)
        common = rng.uniform(low, high)
        own = rng.uniform(low, high, chosen.sum())
        # Organs of one kind resemble one another: half common, half their own; the liver is one organ.
        share = 0.2 if name == "liver" else 0.5
        means[chosen] = (1 - share) * common + share * own
        if (name, tissue_bin) == ("body", 2):
            enhanced = np.flatnonzero(chosen)[rng.random(int(chosen.sum())) < _ENHANCED_SHARE]
            means[enhanced] = rng.uniform(*_ENHANCED_HU, enhanced.size)
    return Contrast(means, float(rng.uniform(0.0, 0.5)))


def apply_contrast(hu: Singles, parts: NDArray[np.uint8], means_hu: Singles, contrast: Contrast) -> Singles:
    """HU ``(k, j, i)`` with a new contrast; the seams between parts are softened by a voxel's point spread."""
    from scipy.ndimage import gaussian_filter

    residual = hu - means_hu[parts]
    # Only the new means are blurred: the texture kept is as sharp as it was.
    fresh = gaussian_filter(contrast.means_hu[parts], sigma=0.6, mode="nearest")
    return fresh + np.float32(contrast.texture) * residual
