"""PLUS's own sweep over a spine phantom, against the volume that PLUS made of it.

PLUS's regression tests compare volumes byte by byte (``cmake -E compare_files``): their tolerance is none. Its tool
``CompareVolumes`` goes by the standard deviation of the absolute difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from navigation.devices.ultrasound.plus.header import read_header
from navigation.devices.ultrasound.plus.sequence import PlusSequence
from reconstruction.freehand.compounding import Compounder
from reconstruction.freehand.grid import FreehandGrid, grid_around
from reconstruction.freehand.holes import Filled, fill_holes
from reconstruction.freehand.settings import Compounding, CompoundingSettings

# Of PlusDeviceSet_SpinePhantomFreehandReconstructionOnly.xml.
T_PROBE_IMAGE_PX = np.array(
    [
        [-0.00157821, 0.0785919, -0.00803285, 15.3978],
        [-0.0839128, 0.00372697, 0.0153803, 49.5705],
        [0.0159024, 0.00714276, 0.0803604, -8.63446],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def reference_from_px(fields: Mapping[str, str]) -> np.ndarray:
    """By the matrices as they are written, which six digits leave a little off rotations; `Transform` mends that."""
    assert fields["ProbeToTrackerTransformStatus"] == fields["ReferenceToTrackerTransformStatus"] == "OK"
    probe, reference = (
        np.array(fields[f"{tool}ToTrackerTransform"].split(), np.float64).reshape(4, 4)
        for tool in ("Probe", "Reference")
    )
    return np.linalg.inv(reference) @ probe @ T_PROBE_IMAGE_PX


@pytest.fixture(scope="module")
def images(shared_data: Path) -> Path:
    return shared_data / "tracking" / "pluslib" / "TestImages"


def made_here(images: Path, compounding: Compounding) -> tuple[Filled, np.ndarray]:
    """The volume of SurgNav on PLUS's grid, and PLUS's."""
    import SimpleITK as sitk

    path = images / "SpinePhantomFreehand.igs.mha"
    recording = PlusSequence(path)
    frames = [recording.frame(number) for number in range(len(recording))]
    poses = np.array([reference_from_px(fields) for fields in read_header(path).frames])
    reference = sitk.ReadImage(str(images / "SpinePhantomFreehandReconstructed.mha"))
    mask = np.ones(frames[0].pixels.shape, bool)
    around = grid_around(mask, poses, 0.5, "reference")
    np.testing.assert_allclose(around.origin_mm, reference.GetOrigin(), atol=5e-4)  # PLUS writes six digits
    assert np.abs(np.subtract(around.shape_ijk, reference.GetSize())).max() <= 1  # of its time, PLUS cut the last off
    grid = FreehandGrid("reference", around.origin_mm, around.spacing_mm, reference.GetSize())
    compounder = Compounder(grid, mask, CompoundingSettings(compounding=compounding))
    for frame, pose in zip(frames, poses, strict=True):
        compounder.add(frame.pixels, pose)
    return fill_holes(compounder.read()), sitk.GetArrayFromImage(reference)


def test_in_the_arithmetic_of_plus_no_voxel_differs_from_its_volume(images):
    made, reference = made_here(images, Compounding.MEAN_8_BIT)
    assert made.filled.sum() > 200_000  # the holes are in the comparison
    np.testing.assert_array_equal(made.compounded.grey, reference)


def test_the_mean_differs_from_it_by_the_rounding_of_8_bits(images):
    made, reference = made_here(images, Compounding.MEAN)
    difference = np.abs(made.compounded.grey.astype(int) - reference)
    assert difference.mean() < 0.7
    assert np.mean(difference <= 1) > 0.86
    assert difference.std() < 3.1
