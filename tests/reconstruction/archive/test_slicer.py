"""Segmentations for 3D Slicer: its own core reads the labels, names and colours where they are; we read them back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import Volume
from reconstruction.archive.slicer import SlicerSegment, write_slicer_segmentation
from reconstruction.labels.slicer import read_slicer_segmentation
from tests.case.slicers_core import read_by_slicer
from tests.reconstruction.archive.made_case import labels

SEGMENTS = (SlicerSegment("liver", 1, (0.5, 0.25, 1.0)), SlicerSegment("kidney_left", 2, (0.1, 0.2, 0.3)))
LPS_RAS = np.array([-1.0, -1.0, 1.0])


def placed() -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix() @ np.diag([0.8, 1.1, 1.7])
    affine[:3, 3] = 31.0, -250.0, 77.0
    return Volume(labels(), affine)


def in_order(points: np.ndarray) -> np.ndarray:
    return points[np.lexsort(points.round(3).T)]


def test_slicer_finds_every_voxel_where_it_is(tmp_path: Path) -> None:
    volume = placed()
    path = tmp_path / "structures.seg.nrrd"
    write_slicer_segmentation(path, volume, SEGMENTS)
    found = read_by_slicer([path])[path.name]
    assert sorted(found) == ["kidney_left", "liver"], "the lesion is no segment"
    for segment in SEGMENTS:
        expected = volume.index_to_mm(np.argwhere(volume.voxels == segment.value)[:, ::-1])
        points = np.array(found[segment.name]["points"]) * LPS_RAS
        np.testing.assert_allclose(in_order(points), in_order(expected), rtol=0, atol=1e-6)
        assert found[segment.name]["colour"] == pytest.approx(segment.colour)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    volume = placed()
    path = tmp_path / "structures.seg.nrrd"
    write_slicer_segmentation(path, volume, SEGMENTS)
    read = read_slicer_segmentation(path)
    (layer,) = read.layers
    np.testing.assert_array_equal(layer.voxels, np.where(volume.voxels == 3, 0, volume.voxels))
    np.testing.assert_allclose(layer.affine, volume.affine, rtol=0, atol=1e-9)
    assert [(each.name, each.value) for each in read.segments] == [("liver", 1), ("kidney_left", 2)]
    assert read.warnings == ("the header names no unit of length; taken as mm",)
