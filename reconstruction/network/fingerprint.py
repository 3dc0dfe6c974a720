"""A scan's fingerprint: says whether the network was trained on this very scan."""

from __future__ import annotations

import hashlib

import numpy as np

from geometry.volume import Volume
from reconstruction.network.grid import to_nearest_lps

# Differences between readers must not matter: padding below air, metal above the scale, axis order, int or float.
LOWEST_HU, HIGHEST_HU = -1000, 2000


def scan_fingerprint(ct: Volume) -> str:
    """SHA-256 of the HU voxels, clipped, rounded to whole HU and ordered near-LPS, with their counts and spacing."""
    lps = to_nearest_lps(ct)
    digest = hashlib.sha256()
    digest.update(repr((lps.shape_ijk, [round(float(s), 3) for s in lps.spacing_mm])).encode())
    for plane in lps.voxels:
        hu = np.clip(np.rint(np.asarray(plane, np.float32)), LOWEST_HU, HIGHEST_HU)
        digest.update(np.ascontiguousarray(hu, dtype="<i2").tobytes())
    return digest.hexdigest()
