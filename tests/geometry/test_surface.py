"""Volumes, areas and watertightness of a cube that can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from geometry import Surface, Transform
from geometry.errors import FrameMismatchError, InvalidPointsError, InvalidSurfaceError
from tests.geometry.strategies import transforms

CUBE_VERTICES = np.array([[x, y, z] for x in (0, 10) for y in (0, 20) for z in (0, 30)], float)
CUBE_TRIANGLES = np.array(
    [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]
)  # fmt: skip


def box(triangles: np.ndarray = CUBE_TRIANGLES) -> Surface:
    return Surface(CUBE_VERTICES, triangles, "ct", "box")


def test_a_box_by_hand() -> None:
    assert box().volume_ml == pytest.approx(6.0)  # 10 x 20 x 30 mm
    assert box().area_mm2 == pytest.approx(2 * (200 + 300 + 600))
    np.testing.assert_array_equal(box().bounds_mm, [[0, 0, 0], [10, 20, 30]])
    assert box().is_watertight


def test_normals_point_outward() -> None:
    outward = CUBE_VERTICES - CUBE_VERTICES.mean(axis=0)
    assert (np.einsum("ij,ij->i", box().vertex_normals(), outward) > 0).all()


def test_a_vertex_without_triangles_has_no_normal() -> None:
    lonely = Surface(np.vstack([CUBE_VERTICES, [[50.0, 0, 0]]]), CUBE_TRIANGLES, "ct", "box")
    np.testing.assert_array_equal(lonely.vertex_normals()[-1], 0.0)
    np.testing.assert_allclose(np.linalg.norm(lonely.vertex_normals()[:-1], axis=1), 1.0)
    assert box(np.zeros((0, 3), int)).vertex_normals().tolist() == [[0.0, 0.0, 0.0]] * 8


def test_inside_out_has_negative_volume_and_an_open_box_is_not_watertight() -> None:
    assert box(CUBE_TRIANGLES[:, ::-1]).volume_ml == pytest.approx(-6.0)
    assert not box(CUBE_TRIANGLES[1:]).is_watertight
    one_turned = CUBE_TRIANGLES.copy()
    one_turned[0] = one_turned[0, ::-1]
    assert not box(one_turned).is_watertight
    assert not box(np.vstack([CUBE_TRIANGLES, CUBE_TRIANGLES[:1]])).is_watertight
    assert not box(np.zeros((0, 3), int)).is_watertight


def test_two_boxes_that_share_an_edge_are_no_manifold() -> None:
    """Each alone is closed, and so is each edge's direction; but the shared edge has four triangles."""
    other = np.array([2, 3, 8, 9, 10, 11, 12, 13])  # its vertices 0 and 1 are the first box' 2 and 3
    triangles = np.vstack([CUBE_TRIANGLES, other[CUBE_TRIANGLES]])
    vertices = np.vstack([CUBE_VERTICES, CUBE_VERTICES[2:] + CUBE_VERTICES[2]])
    both = Surface(vertices, triangles, "ct", "two boxes")
    assert both.volume_ml == pytest.approx(12.0)
    assert not both.is_watertight


@given(transforms("tracker", "ct"))
def test_volume_and_area_do_not_depend_on_the_pose(T_tracker_ct: Transform) -> None:
    moved = box().transformed(T_tracker_ct)
    assert moved.frame == "tracker"
    assert moved.volume_ml == pytest.approx(6.0, rel=1e-9)
    assert moved.area_mm2 == pytest.approx(2200.0, rel=1e-9)


def test_what_is_no_surface_is_refused() -> None:
    with pytest.raises(InvalidSurfaceError, match="0 to 7"):
        box(np.array([[0, 1, 8]]))
    with pytest.raises(InvalidSurfaceError, match="indices from -1"):
        box(np.array([[0, 1, -1]]))
    with pytest.raises(InvalidSurfaceError, match="integers"):
        box(np.array([[0.0, 1.0, 2.0]]))
    with pytest.raises(InvalidPointsError, match="NaN"):
        Surface(np.full((3, 3), np.nan), np.array([[0, 1, 2]]), "ct", "bad")
    with pytest.raises(InvalidSurfaceError, match="empty"):
        _ = Surface(np.zeros((0, 3)), np.zeros((0, 3), int), "ct", "nothing").bounds_mm
    with pytest.raises(FrameMismatchError, match="'box' in 'ct'"):
        box().transformed(Transform(np.eye(4), "tracker", "reference"))
