"""The demo's check of what the client received must itself catch a client, or a server, that is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.spatial.transform import Rotation

from geometry import Surface, Transform
from navigation.demo.streaming import _compare_surfaces, _differences
from tests.geometry.strategies import transforms
from unity_bridge.surfaces.payload import decode_surface, encode_surface
from unity_bridge.wire.convention import pose_to_unity

BOX = Surface(
    np.array([[0, 0, 0], [40, 0, 0], [0, 60, 0], [0, 0, 80.0]]) + [10, -200, 900],
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
    "ct",
    "tetrahedron",
)


def received(T: Transform) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pose = pose_to_unity(T)
    return pose.position_m[None, None], pose.rotation_xyzw[None, None], T.matrix[None, None]


@settings(max_examples=50)
@given(transforms("reference", "stylus"))
def test_a_true_conversion_passes(T: Transform) -> None:
    assert _differences(*received(T)).all()


T_EXAMPLE = Transform.from_rotation(
    Rotation.from_euler("xyz", [0.3, -0.5, 1.1]), [120, -340, 80], "reference", "stylus"
)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p, q: (p * [-1, 1, 1], q),
        lambda p, q: (p * 1000.0, q),
        lambda p, q: (p[..., [0, 2, 1]], q),
        lambda p, q: (p, q * [-1, -1, -1, 1]),
        lambda p, q: (p, q[..., [3, 0, 1, 2]]),
        lambda p, q: (p + [0, 0, 1e-5], q),
        lambda p, q: (np.full_like(p, np.nan), np.full_like(q, np.nan)),
    ],
    ids=["mirrored", "millimetres", "axes swapped", "left for right turn", "wxyz", "10 um off", "dropped"],
)
def test_a_wrong_client_is_caught(spoil: object) -> None:
    position, rotation, matrices = received(T_EXAMPLE)
    wrong_position, wrong_rotation = spoil(position, rotation)
    assert not _differences(wrong_position, wrong_rotation, matrices).any()


def test_a_lost_tool_must_be_lost_at_the_client_too() -> None:
    position, rotation, matrices = received(T_EXAMPLE)
    nothing = np.full_like(matrices, np.nan)
    assert not _differences(position, rotation, nothing).any()
    assert _differences(np.full_like(position, np.nan), np.full_like(rotation, np.nan), nothing).all()


def test_surfaces_are_compared_triangle_by_triangle() -> None:
    decoded = decode_surface(encode_surface(BOX).data)
    identical, worst_mm = _compare_surfaces([BOX], [decoded])
    assert identical
    assert 0 < worst_mm < 0.002  # 80 mm in 65535 steps is 1.2 um; half of it in each axis
    moved = Surface(BOX.vertices_mm + 0.01, BOX.triangles, "ct", "tetrahedron")
    turned = Surface(BOX.vertices_mm, BOX.triangles[:, ::-1], "ct", "tetrahedron")
    assert not _compare_surfaces([moved], [decoded])[0]
    assert not _compare_surfaces([turned], [decoded])[0]
    assert not _compare_surfaces([BOX], [])[0]


def test_a_surface_may_come_in_another_order_but_not_with_another_triangle() -> None:
    order = np.array([2, 0, 3, 1])
    shuffled = Surface(BOX.vertices_mm[order], np.argsort(order)[BOX.triangles[::-1, [1, 2, 0]]], "ct", "tetrahedron")
    assert _compare_surfaces([BOX], [decode_surface(encode_surface(shuffled).data)])[0]
    twice = Surface(BOX.vertices_mm, BOX.triangles[[0, 1, 2, 2]], "ct", "tetrahedron")
    assert not _compare_surfaces([BOX], [decode_surface(encode_surface(twice).data)])[0]
