"""Indices and millimetres, and the grids that are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry import Transform, Volume
from geometry.errors import InvalidVolumeError
from geometry.orientation import flip_affine_ras_lps, flip_ras_lps
from tests.geometry.strategies import points_mm, transforms


def volume(affine: np.ndarray, shape: tuple[int, int, int] = (4, 3, 2)) -> Volume:
    return Volume(np.zeros(shape, np.int16), affine)


def test_an_oblique_grid_by_hand() -> None:
    # i runs along +y with 2 mm, j along -x with 3 mm, k along z with 5 mm: right-handed.
    affine = np.array([[0, -3, 0, 10], [2, 0, 0, 20], [0, 0, 5, 30], [0, 0, 0, 1.0]])
    grid = volume(affine)
    assert grid.shape_ijk == (2, 3, 4)
    np.testing.assert_allclose(grid.spacing_mm, [2, 3, 5])
    np.testing.assert_allclose(grid.index_to_mm([1, 1, 1]), [[7, 22, 35]])
    assert grid.voxel_volume_ml == pytest.approx(0.03)
    np.testing.assert_allclose(grid.corners_mm[0], [11.5, 19, 27.5])
    np.testing.assert_allclose(grid.direction @ np.diag(grid.spacing_mm), affine[:3, :3])


@given(transforms("ct", "grid"), st.tuples(*[st.floats(0.1, 10.0)] * 3), points_mm)
def test_index_to_mm_and_back(T: Transform, spacing: tuple[float, ...], point: np.ndarray) -> None:
    grid = volume(T.matrix @ np.diag([*spacing, 1.0]))
    # The inverse of a grid of 0.1 mm amplifies the rounding of 2000 mm coordinates ten times.
    np.testing.assert_allclose(grid.index_to_mm(grid.mm_to_index(point)), [point], atol=1e-7)


@pytest.mark.parametrize(
    ("affine", "words"),
    [
        (np.diag([-1.0, 1, 1, 1]), "left-handed"),
        (np.array([[1, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]), "orthogonal"),
        (np.diag([0.0, 1, 1, 1]), "spacing"),
        (np.full((4, 4), np.inf), "finite"),
        (np.eye(3), "shape"),
        (np.eye(4) + np.eye(4)[::-1] * [1, 0, 0, 0], "last row|transposed"),
    ],
)
def test_grids_that_would_lie_are_refused(affine: np.ndarray, words: str) -> None:
    with pytest.raises(InvalidVolumeError, match=words):
        volume(affine)


def test_voxels_must_be_three_dimensional_and_fit() -> None:
    with pytest.raises(InvalidVolumeError, match="three-dimensional"):
        Volume(np.zeros((2, 2)), np.eye(4))
    with pytest.raises(InvalidVolumeError, match="non-empty"):
        Volume(np.zeros((0, 2, 2)), np.eye(4))
    with pytest.raises(InvalidVolumeError, match="resample"):
        volume(np.eye(4)).with_voxels(np.zeros((1, 1, 1)))
    with pytest.raises(ValueError, match="read-only"):
        volume(np.eye(4)).voxels[0, 0, 0] = 1


@given(points_mm, transforms("ct", "grid"))
def test_ras_and_lps_round_trip(point: np.ndarray, T: Transform) -> None:
    np.testing.assert_array_equal(flip_ras_lps(flip_ras_lps(point)), point)
    np.testing.assert_array_equal(flip_affine_ras_lps(flip_affine_ras_lps(T.matrix)), T.matrix)
    # Half a turn about z: handedness stays.
    assert np.linalg.det(flip_affine_ras_lps(T.matrix)[:3, :3]) == pytest.approx(1.0)


def test_ras_to_lps_by_hand() -> None:
    # 10 mm to the right, 20 anterior, 30 superior, in RAS; LPS counts towards left and posterior.
    np.testing.assert_array_equal(flip_ras_lps([10.0, 20.0, 30.0]), [-10.0, -20.0, 30.0])
