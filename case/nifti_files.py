"""Volumes on disk as NIfTI-1: LPS inside, RAS in the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.orientation import flip_affine_ras_lps
from geometry.points import Floats
from geometry.volume import Volume


def write_nifti(path: Path, volume: Volume) -> None:
    """Writes a volume in the frame ``ct`` as NIfTI-1: RAS affine as sform and qform, code 1 (scanner), mm.

    `path` ends in ``.nii`` or ``.nii.gz``. The same volume gives the same bytes.
    """
    _save(path, volume.voxels, volume.affine)


def write_probability_nifti(path: Path, probability: Volume) -> None:
    """Writes a probability as one byte a voxel with a scale of 1/255, so that every reader sees 0 to 1.

    Args:
        path: ends in ``.nii`` or ``.nii.gz``.
        probability: floats from 0 to 1, kept within 1/510; or uint8, taken as 255ths and kept exactly.
    """
    in_255ths = np.asarray(probability.voxels)
    if in_255ths.dtype != np.uint8:
        in_255ths = np.rint(np.clip(in_255ths, 0.0, 1.0) * 255.0).astype(np.uint8)
    _save(path, in_255ths, probability.affine, slope=1.0 / 255.0)


def _save(path: Path, voxels: NDArray[np.generic], affine: Floats, slope: float = 1.0) -> None:
    with from_extra("reconstruction"):
        import nibabel

    affine_ras = flip_affine_ras_lps(affine)
    image = nibabel.Nifti1Image(voxels.T, affine_ras, dtype=voxels.dtype)
    image.header.set_xyzt_units("mm")
    image.header.set_slope_inter(slope, 0.0)  # a slope that is set is written beside the voxels, which stay as they are
    image.set_sform(affine_ras, code=1)
    image.set_qform(affine_ras, code=1, strip_shears=True)
    nibabel.save(image, path)
