"""Group axioms, frames that must meet, and values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.errors import FrameMismatchError, InvalidFrameError, InvalidPointsError, InvalidTransformError
from tests.geometry.strategies import points_mm, transforms

# Coordinates are up to 2000 mm; a few float64 products lose at most about 1e-12 relative.
TOLERANCE_MM = 1e-8


@given(transforms("a", "b"), transforms("b", "c"), transforms("c", "d"), points_mm)
def test_composition_is_associative_and_means_applying_in_turn(
    T_a_b: Transform, T_b_c: Transform, T_c_d: Transform, point_d: np.ndarray
) -> None:
    left = (T_a_b @ T_b_c) @ T_c_d
    right = T_a_b @ (T_b_c @ T_c_d)
    np.testing.assert_allclose(left.matrix, right.matrix, atol=TOLERANCE_MM)
    np.testing.assert_allclose(left.apply(point_d), T_a_b.apply(T_b_c.apply(T_c_d.apply(point_d))), atol=TOLERANCE_MM)
    assert (left.to_frame, left.from_frame) == ("a", "d")


@given(transforms("a", "b"))
def test_inverse_undoes_from_both_sides(T_a_b: Transform) -> None:
    T_b_a = T_a_b.inverse()
    assert (T_b_a.to_frame, T_b_a.from_frame) == ("b", "a")
    np.testing.assert_allclose((T_a_b @ T_b_a).matrix, np.eye(4), atol=TOLERANCE_MM)
    np.testing.assert_allclose((T_b_a @ T_a_b).matrix, np.eye(4), atol=TOLERANCE_MM)


@given(transforms("a", "b"), points_mm, points_mm)
def test_distances_and_handedness_are_kept(T_a_b: Transform, p: np.ndarray, q: np.ndarray) -> None:
    before, after = np.linalg.norm(p - q), np.linalg.norm(T_a_b.apply(p) - T_a_b.apply(q))
    assert after == pytest.approx(before, abs=TOLERANCE_MM)
    x, y, z = T_a_b.rotate(np.eye(3))
    np.testing.assert_allclose(np.cross(x, y), z, atol=1e-12)


def test_a_quarter_turn_about_z_by_hand() -> None:
    T_tracker_ct = Transform.from_rotation(Rotation.from_euler("z", np.pi / 2), [10.0, 0.0, 5.0], "tracker", "ct")
    np.testing.assert_allclose(T_tracker_ct.apply([1.0, 2.0, 3.0]), [8.0, 1.0, 8.0], atol=1e-12)
    np.testing.assert_allclose(T_tracker_ct.rotate([1.0, 2.0, 3.0]), [-2.0, 1.0, 3.0], atol=1e-12)
    np.testing.assert_allclose(T_tracker_ct.inverse().translation_mm, [0.0, 10.0, -5.0], atol=1e-12)


def test_differences_by_hand() -> None:
    a = Transform.from_rotation(Rotation.from_euler("x", 0.25), [0, 0, 0], "tracker", "ct")
    b = Transform.from_rotation(Rotation.from_euler("x", 0.75), [3, 4, 0], "tracker", "ct")
    assert a.rotation_difference_rad(b) == pytest.approx(0.5, abs=1e-12)
    assert a.translation_difference_mm(b) == pytest.approx(5.0, abs=1e-12)
    with pytest.raises(FrameMismatchError):
        a.rotation_difference_rad(b.inverse())


def test_frames_that_do_not_meet_are_refused_with_both_names() -> None:
    T_a_b = Transform(np.eye(4), "a", "b")
    T_c_d = Transform(np.eye(4), "c", "d")
    with pytest.raises(FrameMismatchError, match="T_a_b @ T_c_d: 'b' meets 'c'"):
        T_a_b @ T_c_d


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.eye(3), "shape"),
        (np.diag([1.0, 1.0, -1.0, 1.0]), "reflection"),
        (np.diag([2.0, 2.0, 2.0, 1.0]), "orthonormal"),
        (np.full((4, 4), np.nan), "NaN"),
        (np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [5, 0, 0, 1.0]]), "transposed"),
    ],
)
def test_what_is_not_rigid_is_refused(matrix: np.ndarray, words: str) -> None:
    with pytest.raises(InvalidTransformError, match=words):
        Transform(matrix, "a", "b")


@pytest.mark.parametrize("name", ["", "CT", "a b", "1ct", "unity", "x" * 64])
def test_frame_names_that_cannot_be(name: str) -> None:
    with pytest.raises(InvalidFrameError):
        Transform(np.eye(4), name, "ct")


def test_points_keep_their_shape_and_bad_ones_are_refused() -> None:
    T_a_b = Transform(np.eye(4), "a", "b")
    assert T_a_b.apply([1, 2, 3]).shape == (3,)
    assert T_a_b.apply(np.zeros((0, 3))).shape == (0, 3)
    with pytest.raises(InvalidPointsError):
        T_a_b.apply([1, 2])


def test_a_transform_cannot_change_under_its_holder() -> None:
    matrix = np.eye(4)
    T_a_b = Transform(matrix, "a", "b")
    matrix[0, 3] = 99.0
    assert T_a_b.translation_mm[0] == 0.0
    for array in (T_a_b.matrix, T_a_b.inverse().matrix, (T_a_b @ T_a_b.inverse()).matrix):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 3] = 1.0
    assert T_a_b == Transform(np.eye(4), "a", "b")
    assert T_a_b != Transform(np.eye(4), "a", "c")
    assert hash(T_a_b) == hash(Transform(np.eye(4), "a", "b"))


def test_repr_shows_what_it_does_and_str_its_name():
    quarter = np.array([[0.0, -1, 0, 10.5], [1, 0, 0, -2], [0, 0, 1, 300], [0, 0, 0, 1]])
    pose = Transform(quarter, "reference", "ct")
    assert str(pose) == "T_reference_ct"
    assert repr(pose) == "<T_reference_ct: translation (10.50, -2.00, 300.00) mm, rotation 90.00 deg>"
