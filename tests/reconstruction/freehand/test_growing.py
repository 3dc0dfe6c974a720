"""A volume that grows is the one that had the room from the start."""

from __future__ import annotations

import numpy as np
import pytest

from reconstruction.freehand.compounding import Compounder
from reconstruction.freehand.errors import FreehandError
from reconstruction.freehand.grid import FreehandGrid
from reconstruction.freehand.growing import GrowingVolume
from reconstruction.freehand.settings import Compounding, CompoundingSettings
from tests.reconstruction.freehand.sweeps import sweep


@pytest.mark.parametrize("compounding", list(Compounding))
def test_growing_is_offline(compounding):
    swept, settings = sweep("convex", "fan", (1.0, 1.0), step=2.0), CompoundingSettings(compounding=compounding)
    poses = swept.T_reference_image_px.copy()
    poses[: len(poses) // 2, :3, 3] += [35.0, -60.0, 10.0]  # so that it has to grow, to both sides
    growing = GrowingVolume("reference", 1.0, swept.mask, settings)
    for frame, pose in zip(swept.frames, poses, strict=True):
        growing.add(frame, pose)
    grown = growing.read()
    grid = FreehandGrid("reference", np.full(3, -150.0), np.ones(3), (300, 300, 300))
    given = Compounder(grid, swept.mask, settings)
    for frame, pose in zip(swept.frames, poses, strict=True):
        given.add(frame, pose)
    offline, offset = given.read(), np.rint(grown.grid.origin_mm + 150.0).astype(int)[::-1]
    box = tuple(slice(at, at + n) for at, n in zip(offset, grown.grid.shape, strict=True))
    assert offline.seen.sum() == offline.seen[box].sum()
    assert growing.n_frames == len(poses)
    # Where a grid begins moves the last bits of a place: a pixel on the border of two voxels, half a grey level.
    assert np.mean(grown.seen != offline.seen[box]) < 1e-5
    np.testing.assert_allclose(grown.grey.astype(int), offline.grey[box], atol=1 if "mean" in compounding else 0)


def test_a_frame_for_which_the_volume_would_be_too_large_is_refused_and_the_volume_stays():
    growing = GrowingVolume("reference", 1.0, np.ones((3, 4), bool))
    assert growing.read() is None
    growing.add(np.full((3, 4), 9, np.uint8), np.eye(4))
    before, far = growing.read(), np.eye(4)
    far[:3, 3] = 5000.0
    with pytest.raises(FreehandError, match="million voxels"):
        growing.add(np.full((3, 4), 9, np.uint8), far)
    with pytest.raises(FreehandError, match="without a pose"):
        growing.add(np.full((3, 4), 9, np.uint8), None)
    assert growing.n_frames == 1
    np.testing.assert_array_equal(growing.read().grey, before.grey)
