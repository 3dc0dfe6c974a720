"""A mask becomes a field whose level 0.5 is the half maximum between the two sides, as the CT shows them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from geometry.points import Bools, Singles

SIDES_VOXELS = 5  # cube in which the mean HU of either side is taken
CLEAR_HU = 150.0  # with a step this high the CT alone says where the border is; with less, the mask has its say


def half_maximum(mask: Bools, hu: Singles) -> Singles:
    """Share of each voxel ``(nk, nj, ni)`` that is inside: 0 or 1 but in the voxels on either side of the border."""
    band = ndimage.binary_dilation(mask) & ~ndimage.binary_erosion(mask, border_value=1)
    field = mask.astype(np.float32)
    if not band.any():
        return field
    box = ndimage.find_objects(band.astype(np.uint8))[0]
    place = tuple(slice(max(0, s.start - SIDES_VOXELS), s.stop + SIDES_VOXELS) for s in box)
    mask, hu, band = mask[place], hu[place], band[place]
    inside = ndimage.uniform_filter(mask.astype(np.float32), SIDES_VOXELS, mode="nearest")
    whole = ndimage.uniform_filter(hu, SIDES_VOXELS, mode="nearest")
    part = ndimage.uniform_filter(np.where(mask, hu, np.float32(0.0)), SIDES_VOXELS, mode="nearest")[band]
    inside, whole = inside[band], whole[band]
    high, low = part / np.maximum(inside, 1e-3), (whole - part) / np.maximum(1.0 - inside, 1e-3)
    step = high - low
    clear = np.clip(np.abs(step) / CLEAR_HU, 0.0, 1.0)
    share = np.clip((hu[band] - low) / np.where(np.abs(step) < 1.0, 1.0, step), 0.0, 1.0)
    smooth = ndimage.uniform_filter(mask.astype(np.float32), 3, mode="nearest")[band]
    field[place][band] = clear * share + (1.0 - clear) * smooth
    return field
