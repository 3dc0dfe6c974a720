"""Lung from the CT: air inside the patient that the network does not take for bowel or windpipe, with its vessels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from geometry.points import Bools, Singles

AIR_HU = -400.0  # half-way between lung and soft tissue
GAS_HU = -970.0  # an airspace that is thinner in the median is gas: aerated lung has -950 to -700
TISSUE_HU = 250.0  # vessels of the lung that are filled; denser is bone
VESSEL_MM = 3.0  # half the width of vessels that are closed over
THICK_MM = 9.0  # what the network calls lung without air in it (consolidation) stays if it is thicker
SMALLEST_ML = 5.0
SEEN = 0.5  # share of an airspace that the network must take for lung
REFUSED = 0.2  # in an airspace of the lungs, what the network gives less is windpipe or bronchus
AIRWAY_HU = -900.0


def lung_mask(hu: Singles, prior: Singles, inside: Bools, spacing_mm: float) -> Bools:
    """Lung ``(nk, nj, ni)``; `prior` is the network's probability, `inside` the patient."""
    voxel_ml = spacing_mm**3 / 1000.0
    air = inside & (hu < AIR_HU)
    parts, count = ndimage.label(air)
    if count == 0:
        return np.zeros(hu.shape, bool)
    flat = parts[air]
    sizes = np.bincount(flat, minlength=count + 1)
    support = np.bincount(flat, weights=prior[air] > 0.5, minlength=count + 1) / np.maximum(sizes, 1)
    stays = (sizes * voxel_ml >= SMALLEST_ML) & (support >= SEEN)
    stays[0] = False
    kept = np.flatnonzero(stays)
    if kept.size:
        stays[kept] = np.asarray(ndimage.median(hu[air], flat, kept)) > GAS_HU
    lung = stays[parts]
    steps = max(1, round(VESSEL_MM / spacing_mm))
    airway = lung & (prior < REFUSED) & (hu < AIRWAY_HU)
    lung &= ~ndimage.binary_opening(airway, iterations=1)
    if not lung.any():
        return lung
    closed = ndimage.binary_closing(np.pad(lung, steps, mode="edge"), iterations=steps)
    lung |= closed[steps:-steps, steps:-steps, steps:-steps] & inside & (hu < TISSUE_HU) & (prior > REFUSED)
    solid = inside & (prior > 0.5) & (hu >= AIR_HU) & (hu < TISSUE_HU) & ~lung
    return lung | ndimage.binary_opening(solid, iterations=max(1, round(THICK_MM / 2.0 / spacing_mm)))
