"""Each way to a surface cuts the structure's box out of the grid and pads it: the box's origin counts, per axis."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Surface, Volume
from reconstruction.surfaces.extract import extract_surface
from reconstruction.surfaces.from_labels import LabelSurfaceSettings, surface_from_labels, surfaces_from_labels

SHAPE = (19, 24, 31)  # k, j, i
SPACING_MM = np.array([0.8, 1.1, 1.7])
ORIGIN_MM = np.array([-120.0, 35.0, 400.0])
BOXES = {  # first and last voxel along i, j, k: no two distances to the grid's ends are alike
    "inside": ((3, 12), (7, 15), (5, 13)),
    "at the first voxel": ((0, 9), (0, 8), (0, 7)),
    "at the last voxel": ((20, 30), (15, 23), (11, 18)),
    "at both ends of k": ((4, 14), (9, 20), (0, 18)),
}


def grid(voxels: np.ndarray) -> Volume:
    affine = np.diag([*SPACING_MM, 1.0])
    affine[:3, 3] = ORIGIN_MM
    return Volume(voxels, affine)


def from_probability(mask: np.ndarray) -> Surface:
    return extract_surface(grid(mask.astype(np.float32)), "box").surface


def from_labels(mask: np.ndarray) -> Surface:
    return surface_from_labels(grid(mask.astype(np.uint8)), 1, "box").surface


def with_shared_borders(mask: np.ndarray) -> Surface:
    labels = grid(mask.astype(np.uint8) * 3)
    return surfaces_from_labels(labels, {3: "box"}, LabelSurfaceSettings(shared_borders=True))["box"].surface


@pytest.mark.parametrize("make", [from_probability, from_labels, with_shared_borders], ids=lambda f: f.__name__)
@pytest.mark.parametrize("box", BOXES)
def test_every_face_of_a_box_lies_half_a_voxel_beyond_its_outermost_centres(make, box: str) -> None:
    mask = np.zeros(SHAPE, bool)
    (i0, i1), (j0, j1), (k0, k1) = BOXES[box]
    mask[k0 : k1 + 1, j0 : j1 + 1, i0 : i1 + 1] = True
    vertices = (make(mask).vertices_mm - ORIGIN_MM) / SPACING_MM
    for axis, (low, high) in enumerate(BOXES[box]):
        middle = [other for other in range(3) if other != axis]
        spans = np.array([BOXES[box][other] for other in middle])
        # The middle of the face, away from its rims, which smoothing rounds off.
        near = (np.abs(vertices[:, middle] - spans.mean(axis=1)) < np.ptp(spans, axis=1) / 4).all(axis=1)
        along = vertices[near, axis]
        centre = (low + high) / 2
        # Half a voxel is what a mask leaves open; smoothing bulges faces as small as these by a quarter.
        assert np.median(along[along < centre]) == pytest.approx(low - 0.5, abs=0.4)
        assert np.median(along[along > centre]) == pytest.approx(high + 0.5, abs=0.4)
