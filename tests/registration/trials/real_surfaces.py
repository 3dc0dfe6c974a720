"""Surfaces of a real patient: TotalSegmentator's labels of an abdomen and pelvis at 3 mm, and its skin."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geometry import Surface
from reconstruction.ct.nifti import read_nifti_volume
from reconstruction.surfaces.from_labels import surface_from_labels

# Values in the labels; the skin is where the CT begins, closed over the bowel's and the lungs' air.
STRUCTURES = {
    "liver": (40,),
    "pelvis": (27, 28, 73),
    "hip_left": (27,),
    "kidney_right": (39,),
    "vertebra_L3": (90,),
    "femur_right": (14,),
}


def real_surface(shared_data: Path, name: str) -> Surface:
    """The surface of a structure, or of the skin, in ct."""
    folder = shared_data / "ct" / "totalseg_example"
    if name == "skin":
        return _skin(folder)
    labels = read_nifti_volume(folder / "totalseg_example_seg_3mm.nii.gz")
    mask = np.isin(np.asarray(labels.voxels), STRUCTURES[name])
    return surface_from_labels(labels.with_voxels(mask), 1, name).surface


def _skin(folder: Path) -> Surface:
    from scipy import ndimage

    ct = read_nifti_volume(folder / "totalseg_example_ct_3mm.nii.gz")
    body = np.asarray(ct.voxels) > -300.0
    numbers, _ = ndimage.label(ndimage.binary_opening(body, iterations=2))
    largest = numbers == np.bincount(numbers.ravel())[1:].argmax() + 1
    filled = np.stack([ndimage.binary_fill_holes(layer) for layer in largest])
    return surface_from_labels(ct.with_voxels(filled), 1, "skin").surface
