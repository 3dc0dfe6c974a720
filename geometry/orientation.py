"""RAS and LPS: the two patient conventions, converted once, where files are read or written.

DICOM uses LPS (x to the patient's left, y posterior, z superior); NIfTI and 3D Slicer's scene use RAS. Both are
right-handed; they differ by half a turn about z.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from geometry.points import Floats

_FLIP = np.array([-1.0, -1.0, 1.0])


def flip_ras_lps(points: ArrayLike) -> Floats:
    """Maps points or directions ``(n, 3)`` or ``(3,)`` from RAS to LPS or back: it is its own inverse."""
    return np.asarray(points, dtype=np.float64) * _FLIP


def flip_affine_ras_lps(affine: ArrayLike) -> Floats:
    """Maps an affine ``(4, 4)`` whose output is RAS to one whose output is LPS, or back."""
    return np.diag([*_FLIP, 1.0]) @ np.asarray(affine, dtype=np.float64)
