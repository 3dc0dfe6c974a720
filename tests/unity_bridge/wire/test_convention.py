"""The door to Unity: hand-computed vectors, and what must hold for every pose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from geometry.errors import InvalidPointsError
from geometry.transform import Transform
from tests.unity_bridge.strategies import bumpy_sphere, points, tetrahedron, transforms
from unity_bridge.errors import InvalidPoseError
from unity_bridge.wire.convention import (
    UnityPose,
    directions_to_unity,
    points_from_unity,
    points_to_unity,
    pose_from_unity,
    pose_numbers,
    pose_to_unity,
    surface_from_unity,
    surface_to_unity,
)

# Double precision on coordinates of metres: rounding is 1e-13 mm, a thousand operations stay far below this.
EXACT_MM = 1e-9
EXACT_M = EXACT_MM / 1000.0


def unity_rotate(quaternion: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Unity's `Quaternion * Vector3`, written out as in its reference source: independent of SciPy."""
    x, y, z, w = quaternion
    x2, y2, z2 = 2 * x, 2 * y, 2 * z
    matrix = np.array(
        [
            [1 - (y * y2 + z * z2), x * y2 - w * z2, x * z2 + w * y2],
            [x * y2 + w * z2, 1 - (x * x2 + z * z2), y * z2 - w * x2],
            [x * z2 - w * y2, y * z2 + w * x2, 1 - (x * x2 + y * y2)],
        ]
    )
    return matrix @ vector


def unity_transform_point(pose: UnityPose, point_m: np.ndarray) -> np.ndarray:
    """Unity's `Transform.TransformPoint` at unit scale."""
    return unity_rotate(pose.rotation_xyzw, point_m) + pose.position_m


def unity_multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Unity's `Quaternion * Quaternion` (Hamilton's product)."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return np.array(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by + ay * bw + az * bx - ax * bz,
            aw * bz + az * bw + ax * by - ay * bx,
            aw * bw - ax * bx - ay * by - az * bz,
        ]
    )


def test_patient_directions_by_hand():
    """LPS: +x is the patient's left, +y posterior, +z superior. A patient who stands in Unity looks along +z."""
    left, posterior, superior = np.eye(3) * 1000.0
    np.testing.assert_array_equal(points_to_unity(left), [-1.0, 0.0, 0.0])
    np.testing.assert_array_equal(points_to_unity(posterior), [0.0, 0.0, -1.0])
    np.testing.assert_array_equal(points_to_unity(superior), [0.0, 1.0, 0.0])
    np.testing.assert_allclose(points_to_unity([[12.0, -34.0, 56.0]]), [[-0.012, 0.056, 0.034]], atol=EXACT_M)


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        # A quarter turn about an axis a becomes one about -A a: x -> +x, y -> +z, z -> -y.
        ("x", [np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]),
        ("y", [0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)]),
        ("z", [0.0, -np.sqrt(0.5), 0.0, np.sqrt(0.5)]),
    ],
)
def test_quarter_turns_by_hand(axis, expected):
    turn = Transform.from_rotation(Rotation.from_euler(axis, 90, degrees=True), [0, 0, 0], "reference", "stylus")
    np.testing.assert_allclose(pose_to_unity(turn).rotation_xyzw, expected, atol=1e-15)


def test_a_turn_by_hand_moves_a_point_where_the_patient_would_see_it():
    """A quarter turn about superior takes the patient's left to posterior; in Unity, -x to -z."""
    turn = Transform.from_rotation(Rotation.from_euler("z", 90, degrees=True), [0, 0, 0], "reference", "stylus")
    np.testing.assert_allclose(turn.apply([1000.0, 0, 0]), [0, 1000.0, 0], atol=EXACT_MM)
    moved = unity_transform_point(pose_to_unity(turn), np.array([-1.0, 0.0, 0.0]))
    np.testing.assert_allclose(moved, [0.0, 0.0, -1.0], atol=EXACT_M)


def test_the_map_is_a_reflection_and_keeps_lengths():
    basis = directions_to_unity(np.eye(3))
    assert np.linalg.det(basis) == pytest.approx(-1.0)
    np.testing.assert_array_equal(basis @ basis.T, np.eye(3))


@given(points, points)
def test_points_round_trip_and_distances_shrink_a_thousandfold(a, b):
    np.testing.assert_allclose(points_from_unity(points_to_unity(a)), a, atol=EXACT_MM)
    distance_m = np.linalg.norm(points_to_unity(a) - points_to_unity(b))
    assert distance_m * 1000.0 == pytest.approx(np.linalg.norm(a - b), abs=EXACT_MM)


@given(transforms())
def test_poses_round_trip(transform):
    back = pose_from_unity(pose_to_unity(transform))
    np.testing.assert_allclose(back.matrix[:3, 3], transform.matrix[:3, 3], atol=EXACT_MM)
    np.testing.assert_allclose(back.rotation_matrix, transform.rotation_matrix, atol=1e-12)
    assert (back.to_frame, back.from_frame) == ("reference", "stylus_tip")


@given(transforms())
def test_the_pose_path_agrees_with_scipy(transform):
    """Shepperd's scalars against SciPy's own conversion, for every rotation: 1e-12 is rounding."""
    x, y, z, w = transform.rotation.as_quat()
    *position_m, qx, qy, qz, qw = pose_numbers(transform)
    assert qw >= 0.0
    assert abs(np.dot([qx, qy, qz, qw], [x, -z, y, w])) == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(position_m, points_to_unity(transform.translation_mm), atol=EXACT_M)


@given(st.sampled_from("xyz"), st.floats(-1e-7, 1e-7))
def test_half_turns_keep_their_precision(axis, off_rad):
    """Around 180 degrees w vanishes; formulas that divide by it lose the axis there."""
    half_turn = Rotation.from_euler(axis, np.pi + off_rad)
    transform = Transform.from_rotation(half_turn, [0, 0, 0], "reference", "stylus")
    back = pose_from_unity(pose_to_unity(transform))
    np.testing.assert_allclose(back.rotation_matrix, transform.rotation_matrix, atol=1e-12)


@given(transforms(), points)
def test_mapping_a_point_in_unity_equals_converting_the_mapped_point(transform, point_mm):
    in_unity = unity_transform_point(pose_to_unity(transform), points_to_unity(point_mm))
    np.testing.assert_allclose(in_unity, points_to_unity(transform.apply(point_mm)), atol=EXACT_M)


@given(transforms("tracker", "stylus"), transforms("stylus", "stylus_tip"))
def test_composing_in_unity_equals_converting_the_composition(T_tracker_stylus, T_stylus_tip):
    parent, child = pose_to_unity(T_tracker_stylus), pose_to_unity(T_stylus_tip)
    both = pose_to_unity(T_tracker_stylus @ T_stylus_tip)
    np.testing.assert_allclose(unity_transform_point(parent, child.position_m), both.position_m, atol=EXACT_M)
    composed = unity_multiply(parent.rotation_xyzw, child.rotation_xyzw)
    assert abs(composed @ both.rotation_xyzw) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("surface", [tetrahedron(), bumpy_sphere()], ids=lambda surface: surface.name)
def test_outward_stays_outward(surface):
    """Unity draws the side from which corners run clockwise; there `Cross(b - a, c - a)` points at the viewer."""
    assert surface.volume_ml > 0.0
    unity = surface_to_unity(surface)
    a, b, c = unity.vertices_m[unity.triangles].transpose(1, 0, 2)
    outward = np.cross(b - a, c - a)
    volume_m3 = np.einsum("ij,ij->", a - unity.vertices_m.mean(axis=0), outward) / 6.0
    assert volume_m3 * 1e6 == pytest.approx(surface.volume_ml, rel=1e-9)
    shading = unity.normals[unity.triangles].mean(axis=1)
    assert (np.einsum("ij,ij->i", shading, outward) > 0.0).all()


def test_surfaces_round_trip():
    surface = tetrahedron()
    back = surface_from_unity(surface_to_unity(surface))
    np.testing.assert_allclose(back.vertices_mm, surface.vertices_mm, atol=EXACT_MM)
    np.testing.assert_array_equal(back.triangles, surface.triangles)
    assert (back.frame, back.name) == ("ct", "tetrahedron")


@pytest.mark.parametrize(
    ("position", "rotation"),
    [
        ([0, 0, np.nan], [0, 0, 0, 1]),
        ([0, 0, 0], [0, 0, 0, 0]),
        ([0, 0, 0], [0, 0, 0, 1.01]),
        ([0, 0], [0, 0, 0, 1]),
        ([0, 0, 0], [0, 0, np.nan, 1]),
    ],
)
def test_what_is_no_pose_is_refused(position, rotation):
    with pytest.raises(InvalidPoseError):
        UnityPose(np.array(position), np.array(rotation), "reference", "stylus")


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(InvalidPointsError):
        points_to_unity([0.0, np.inf, 0.0])
