"""The network's grid: right place, right average, any axis order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from geometry.volume import Volume
from reconstruction.network.fingerprint import scan_fingerprint
from reconstruction.network.grid import network_grid, resample, resample_hu, to_nearest_lps


def ramp_volume(direction: np.ndarray, spacing=(0.8, 1.1, 2.5), shape_ijk=(20, 18, 12)) -> tuple[Volume, np.ndarray]:
    """HU = 3 x + 5 y - 7 z + 11 in mm: linear interpolation and averaging must give it back exactly."""
    affine = np.eye(4)
    affine[:3, :3] = direction * np.array(spacing)
    affine[:3, 3] = (-31.0, 12.0, 40.0)
    slope = np.array([3.0, 5.0, -7.0])
    ni, nj, nk = shape_ijk
    k, j, i = np.indices((nk, nj, ni))
    mm = np.stack([i, j, k], -1) @ affine[:3, :3].T + affine[:3, 3]
    return Volume((mm @ slope + 11).astype(np.float32), affine), slope


@given(st.permutations([0, 1, 2]), st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3), st.floats(-20, 20))
def test_a_linear_field_survives_for_any_axis_order(order, signs, degrees):
    direction = Rotation.from_euler("x", degrees, degrees=True).as_matrix() @ np.eye(3)[:, order] * np.array(signs)
    if np.linalg.det(direction) < 0:
        direction[:, 0] *= -1
    volume, slope = ramp_volume(direction)
    lps = to_nearest_lps(volume)
    assert (np.diag(lps.direction) > 0.9).all()
    grid = network_grid(lps, 2.0)
    coarse = resample(lps, grid)
    nk, nj, ni = coarse.shape
    k, j, i = np.indices(coarse.shape)
    mm = np.stack([i, j, k], -1) @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    inner = (slice(2, nk - 2), slice(2, nj - 2), slice(2, ni - 2))
    # Values reach some 1000; float32 sums of a few hundred products leave a hundredth.
    np.testing.assert_allclose(coarse[inner], (mm @ slope + 11)[inner], atol=0.02)


def test_partial_volume_fractions_by_hand():
    # 1 mm voxels along i: 0 0 0 1 1 1 | 2 mm grid voxels cover pairs (0,1) (2,3) (4,5). The middle pair's mean of the
    # linear interpolant over its extent [1.5, 3.5] is 0.5 by symmetry; the border, at 2.5, is its centre.
    mask = np.zeros((2, 2, 6), np.float32)
    mask[:, :, 3:] = 1
    grid = network_grid(Volume(mask, np.eye(4)), 2.0)
    fractions = resample(Volume(mask, np.eye(4)), grid)
    assert grid.shape == (1, 1, 3)
    np.testing.assert_allclose(fractions[0, 0], [0.0, 0.5, 1.0], atol=1e-6)


def test_the_half_level_stays_on_a_border_between_voxels():
    # A step at x = 10.3 mm, given by partial volume on 0.5 mm voxels, sought on the 2 mm grid.
    x = np.arange(64) * 0.5
    line = np.clip((x + 0.25 - 10.3) / 0.5, 0, 1)
    volume = Volume(np.broadcast_to(line, (8, 8, 64)).astype(np.float32), np.diag([0.5, 0.5, 0.5, 1.0]))
    grid = network_grid(volume, 2.0)
    coarse = resample(volume, grid)[1, 1]
    first = int(np.flatnonzero(coarse >= 0.5)[0])
    share = (0.5 - coarse[first - 1]) / (coarse[first] - coarse[first - 1])
    crossing = grid.affine[0, 3] + 2.0 * (first - 1 + share)
    # Linear interpolation between box averages is off by at most an eighth of a voxel (0.25 mm) for a step.
    assert crossing == pytest.approx(10.3, abs=0.25)


def test_the_fingerprint_knows_a_scan_whatever_door_it_came_through():
    rng = np.random.default_rng(3)
    hu = rng.integers(-2000, 3000, (5, 6, 7)).astype(np.int16)
    affine = np.diag([0.7, 0.7, 2.5, 1.0])
    ct = Volume(hu, affine)
    flipped = affine.copy()
    flipped[:3, :2] *= -1
    flipped[:3, 3] = affine @ [6, 5, 0, 1] @ np.eye(4)[:, :3]
    same = Volume(np.maximum(hu, -1024)[:, ::-1, ::-1].astype(np.float32), flipped)
    other = hu.copy()
    other[2, 3, 4] = 17 if hu[2, 3, 4] != 17 else 18
    assert scan_fingerprint(ct) == scan_fingerprint(same)
    assert scan_fingerprint(ct) != scan_fingerprint(Volume(other, affine))


def test_padding_and_metal_are_clipped_before_averaging():
    hu = np.full((2, 2, 8), -2048.0, np.float32)
    hu[:, :, 4:] = 9000.0
    lps = Volume(hu, np.eye(4))
    out = resample_hu(lps, network_grid(lps, 4.0))
    np.testing.assert_allclose(out.min(), -1024 + 0.125 / 4 * (3071 + 1024), rtol=1e-3)
    assert out.max() <= 3071
