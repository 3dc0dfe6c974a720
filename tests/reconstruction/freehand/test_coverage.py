"""Gaps and ghosts that were made on purpose are found, and none are found where there are none."""

from __future__ import annotations

import numpy as np
import pytest

from reconstruction.freehand.compounding import Compounder
from reconstruction.freehand.coverage import Coverage, sweep_coverage
from reconstruction.freehand.ghosting import Ghosting, two_groups
from reconstruction.freehand.grid import grid_around
from reconstruction.freehand.holes import fill_holes
from tests.reconstruction.freehand.sweeps import Sweep, sweep


def coverage(swept: Sweep, spacing_mm: float = 1.0) -> Coverage:
    grid = grid_around(swept.mask, swept.T_reference_image_px, spacing_mm, "reference")
    compounder = Compounder(grid, swept.mask)
    for frame, pose in zip(swept.frames, swept.T_reference_image_px, strict=True):
        compounder.add(frame, pose)
    return sweep_coverage(fill_holes(compounder.read(), 5), swept.mask, swept.T_reference_image_px)


def without(swept: Sweep, lost: slice) -> Sweep:
    keep = np.delete(np.arange(len(swept.frames)), lost)
    return Sweep(swept.frames[keep], swept.T_reference_image_px[keep], swept.mask)


@pytest.mark.parametrize("motion", ["parallel", "fan"])
def test_a_dense_sweep_has_no_gaps(motion):
    found = coverage(sweep("convex", motion))
    assert found.gap.sum() == 0
    assert found.covered_share == 1.0


def test_frames_that_were_lost_leave_a_gap_of_known_size():
    swept = without(sweep(step=0.5), slice(20, 39))  # 19 frames: the step across is 10 mm
    found = coverage(swept)
    number, step_mm = found.worst_step
    assert number == 19
    assert step_mm == pytest.approx(10.0, abs=1e-6)
    # Frames leave a voxel of their own thickness at both sides; 40 x 44 mm lie between.
    assert 0.75 * 8.0 * 40 * 44 < found.gap.sum() < 1.1 * 10.0 * 40 * 44
    assert not found.new_passes


def test_a_probe_that_was_lifted_begins_a_new_pass_and_leaves_no_gap():
    swept = without(sweep(step=0.5), slice(5, 50))
    found = coverage(swept)
    assert found.new_passes == (4,)
    assert found.gap.sum() == 0


def ghosts(shift_mm: np.ndarray) -> Ghosting:
    """Every second frame placed elsewhere, in a body with texture."""
    swept = sweep(step=0.25)
    y, x = np.mgrid[: swept.mask.shape[0], : swept.mask.shape[1]]
    pixels = np.stack([x, y, np.zeros_like(x), np.ones_like(x)], axis=-1)
    at_mm = np.einsum("nij,yxj->nyxi", swept.T_reference_image_px, pixels)[..., :3]
    texture = sum(np.sin(at_mm @ np.array(wave)) for wave in ([0.5, 0.2, 0.1], [-0.1, 0.6, 0.3], [0.2, -0.3, 0.55]))
    frames = np.clip(128 + 40 * texture, 0, 255).astype(np.uint8)
    first = np.arange(len(frames)) % 2 == 0
    poses = swept.T_reference_image_px.copy()
    poses[~first, :3, 3] += shift_mm
    grid = grid_around(swept.mask, poses, 1.0, "reference")
    return two_groups(zip(frames, poses, strict=True), first, grid, swept.mask)


def test_frames_that_agree_show_no_ghost():
    found = ghosts(np.zeros(3))
    assert len(found.shifts_mm) >= 4
    assert found.overlap > 0.9
    assert found.correlation > 0.99
    assert found.shift_mm(95) < 0.1


def test_a_ghost_is_measured():
    shift = np.array([1.2, -0.8, 0.5])
    found = ghosts(shift)
    assert len(found.shifts_mm) >= 4
    np.testing.assert_allclose(np.median(found.shifts_mm, axis=0), shift, atol=0.2)
