"""A CT's voxels along the axes that a network wants, and back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geometry.orientation import flip_affine_ras_lps
from geometry.points import Floats
from geometry.volume import Volume
from reconstruction.guests.errors import ModelError
from reconstruction.network.grid import to_nearest_lps

ORIENTATIONS = ("LPS", "RAS")


def along(ct: Volume, orientation: str) -> Volume:
    """The same voxels with i, j, k running nearest to the three directions of `orientation`.

    Raises:
        ModelError: an orientation other than `ORIENTATIONS`.
    """
    lps = to_nearest_lps(ct)
    if orientation == "LPS":
        return lps
    if orientation != "RAS":
        raise ModelError(f"the orientation '{orientation}'", " or ".join(ORIENTATIONS), "correct the description")
    affine = lps.affine.copy()
    for axis in (0, 1):
        affine[:3, 3] += affine[:3, axis] * (lps.shape_ijk[axis] - 1)
        affine[:3, axis] *= -1
    return Volume(lps.voxels[:, ::-1, ::-1], affine, lps.frame)


def from_ras_array(voxels_ijk: NDArray[np.generic], affine_ras: Floats, frame: str) -> Volume:
    """A volume from an array ``(ni, nj, nk)`` and its RAS affine, as MONAI and NIfTI hold them; i may be reversed."""
    affine = flip_affine_ras_lps(affine_ras)
    if np.linalg.det(affine[:3, :3]) < 0:
        affine[:3, 3] += affine[:3, 0] * (voxels_ijk.shape[0] - 1)
        affine[:3, 0] *= -1
        voxels_ijk = voxels_ijk[::-1]
    return Volume(np.ascontiguousarray(voxels_ijk.transpose(2, 1, 0)), affine, frame)
