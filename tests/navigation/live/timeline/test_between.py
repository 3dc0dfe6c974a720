"""A pose between two others, against SciPy's Slerp and by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from geometry import Transform
from geometry.frames import TRACKER
from navigation.live.timeline.between import between
from tests.unity_bridge.strategies import transforms


def pose(rotation: Rotation, *translation_mm: float) -> Transform:
    return Transform.from_rotation(rotation, translation_mm, TRACKER, "stylus")


def test_a_third_of_the_way_by_hand() -> None:
    """From no turn at the origin to 60 degrees about z at (30, 0, -6): 20 degrees at (10, 0, -2)."""
    third = between(
        pose(Rotation.identity(), 0, 0, 0), pose(Rotation.from_euler("z", 60, degrees=True), 30, 0, -6), 1 / 3
    )
    cosine, sine = np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))
    np.testing.assert_allclose(
        third.matrix, [[cosine, -sine, 0, 10], [sine, cosine, 0, 0], [0, 0, 1, -2], [0, 0, 0, 1]], atol=1e-12
    )


@given(transforms(), st.lists(st.floats(-0.9, 0.9), min_size=3, max_size=3), st.floats(0.0, 1.0))
def test_it_is_scipys_slerp_and_a_straight_line(first: Transform, turn: list[float], share: float) -> None:
    assume(np.linalg.norm(turn) < 1.5)
    last = Rotation.from_rotvec(turn) * first.rotation
    second = Transform.from_rotation(last, first.translation_mm + [9.0, -5.0, 2.0], first.to_frame, first.from_frame)
    found = between(first, second, share)
    expected = Slerp([0.0, 1.0], Rotation.concatenate([first.rotation, last]))(share)
    np.testing.assert_allclose(found.rotation_matrix, expected.as_matrix(), atol=1e-7)
    np.testing.assert_allclose(
        found.translation_mm, first.translation_mm + share * np.array([9.0, -5.0, 2.0]), atol=1e-9
    )
    assert (found.to_frame, found.from_frame) == (first.to_frame, first.from_frame)


@given(transforms(), st.floats(0.0, 1.0))
def test_between_a_pose_and_itself_is_that_pose(only: Transform, share: float) -> None:
    np.testing.assert_allclose(between(only, only, share).matrix, only.matrix, atol=1e-9)


def test_of_a_quarter_turn_and_more_the_way_is_not_known() -> None:
    still = pose(Rotation.identity(), 0, 0, 0)
    assert between(still, pose(Rotation.from_euler("y", 89.9, degrees=True), 0, 0, 0), 0.5) is not None
    for degrees in (90.1, 120.0, 180.0):
        assert between(still, pose(Rotation.from_euler("y", degrees, degrees=True), 0, 0, 0), 0.5) is None
