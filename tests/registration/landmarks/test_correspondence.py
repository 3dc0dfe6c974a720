"""Landmarks in unknown order: the right pairs, the pose with them, and every arrangement that allows more than one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from scipy.spatial.transform import Rotation

from geometry import Transform
from registration import register_landmarks
from registration.errors import LandmarksRefusedError
from registration.landmarks.correspondence import CorrespondenceSettings, LandmarkMatch, match_landmarks
from tests.geometry.strategies import transforms
from tests.registration.shapes import T_TRUE

SETTINGS = CorrespondenceSettings(fle_rms_mm=0.7)
SD_MM = 0.7 / np.sqrt(3.0)
TORSO_MM = np.array(
    [[-80, -60, 150], [75, -55, 148], [0, -90, 60], [-120, -20, -40], [110, -25, -20], [5, -85, -120]], dtype=float
)
SCALENE = np.array([[0, 0, 0], [100, 0, 0], [30, 60, 0]], dtype=float)
ISOSCELES = np.array([[-40, 0, 0], [40, 0, 0], [0, 90, 0]], dtype=float)
EQUILATERAL = 60.0 * np.array([[1, 0, 0], [-0.5, np.sqrt(0.75), 0], [-0.5, -np.sqrt(0.75), 0]])
SQUARE = np.array([[50, 50, 0], [-50, 50, 0], [-50, -50, 0], [50, -50, 0]], dtype=float)
RECTANGLE = SQUARE * [1.6, 1.0, 1.0]
TETRAHEDRON = 60.0 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])


def touched_in_order(ct_mm: np.ndarray, order: list[int], rng: np.random.Generator | None = None) -> np.ndarray:
    """The planned points of `order`, as touched under `T_TRUE`."""
    points = T_TRUE.apply(ct_mm[order])
    return points if rng is None else points + SD_MM * rng.normal(size=points.shape)


@given(transforms("reference", "ct"), st.integers(0, 2**32 - 1), st.integers(4, 10))
def test_any_order_any_pose_gives_what_the_right_pairs_give(T: Transform, seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    planned = rng.uniform(-120.0, 120.0, (count, 3))
    spread = np.linalg.svd(planned - planned.mean(axis=0), compute_uv=False) / np.sqrt(count)
    assume(pdist(planned).min() > 10.0 and spread[2] > 15.0)
    order = rng.permutation(count)
    touched = T.apply(planned)[order] + 0.1 * rng.normal(size=(count, 3))
    found = match_landmarks(planned, touched, settings=SETTINGS)
    assert found.pairings[0].touched == {
        str(planned + 1): int(np.flatnonzero(order == planned)[0]) for planned in range(count)
    }
    expected = register_landmarks(planned[order], touched, fle_rms_mm=0.7)
    np.testing.assert_allclose(
        found.registration.T_reference_ct.apply(planned), expected.T_reference_ct.apply(planned), atol=1e-8
    )


def test_twenty_points_a_third_of_them_astray_and_planned_ones_left_out() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        planned = rng.uniform(-120.0, 120.0, (20, 3))
        if pdist(planned).min() < 10.0:
            continue
        chosen = rng.permutation(20)[:15]
        touched = touched_in_order(planned, list(chosen), rng)
        astray = rng.permutation(15)[:5]
        touched[astray] += 60.0 * rng.normal(size=(5, 3))
        found = match_landmarks(planned, touched, settings=SETTINGS)
        assert not found.ambiguous, found.reason
        right = {str(chosen[i] + 1): i for i in range(15) if i not in astray}
        assert right.items() <= found.pairings[0].touched.items()
        # One strewn over the whole volume may come to lie on a free landmark; not two.
        assert len(found.pairings[0].touched) <= len(right) + 1
        assert len(found.extra) + len(found.pairings[0].touched) == 15
        assert found.registration.T_reference_ct.translation_difference_mm(T_TRUE) < 3.0


def test_extra_and_missing_points_are_named() -> None:
    touched = np.vstack([touched_in_order(TORSO_MM, [4, 0, 2, 3]), T_TRUE.apply([[0.0, 0.0, 0.0]])])
    found = match_landmarks(TORSO_MM, touched, ["a", "b", "c", "d", "e", "f"], SETTINGS)
    assert found.pairings[0].touched == {"a": 1, "c": 2, "d": 3, "e": 0}
    assert found.registration.names == ("a", "c", "d", "e")
    assert found.not_touched == ("b", "f")
    assert found.extra == (4,)
    assert "not touched: b, f" in found.reason
    assert "no planned landmark: 5" in found.reason


def test_a_scalene_triangle_is_told_from_its_mirror_image_by_turning_it_over() -> None:
    found = match_landmarks(SCALENE, touched_in_order(SCALENE, [2, 0, 1]), settings=SETTINGS)
    assert found.pairings[0].touched == {"1": 1, "2": 2, "3": 0}
    assert len(found.pairings) == 1


@pytest.mark.parametrize(
    ("planned", "ways", "groups"),
    [
        (ISOSCELES, 2, [("1", "2")]),
        (EQUILATERAL, 6, [("1", "2", "3")]),
        (SQUARE, 8, [("1", "2", "3", "4")]),
        (RECTANGLE, 4, [("1", "2", "3", "4")]),
        (TETRAHEDRON, 12, [("1", "2", "3", "4")]),
    ],
    ids=["isosceles", "equilateral", "square", "rectangle", "tetrahedron"],
)
def test_symmetry_is_said_and_nothing_is_chosen(planned: np.ndarray, ways: int, groups: list[tuple[str, ...]]) -> None:
    # As many ways as the figure has proper rotations onto itself: 2, 6, 8, 4 and 12.
    rng = np.random.default_rng(0)
    found = match_landmarks(planned, touched_in_order(planned, list(range(len(planned))), rng), settings=SETTINGS)
    assert found.ambiguous
    assert found.registration is None
    assert len(found.pairings) == ways
    assert list(found.exchangeable) == groups
    assert all(np.linalg.det(way.T_reference_ct.rotation_matrix) > 0.0 for way in found.pairings)
    assert "could be taken for one another" in found.reason
    assert "off the symmetry" in found.action


def test_a_square_with_one_landmark_off_the_symmetry_is_unique_and_the_advice_names_it() -> None:
    planned = np.vstack([SQUARE, [[70.0, 10.0, 40.0], [0.0, 0.0, 45.0]]])
    names = ["a", "b", "c", "d", "off", "above"]
    square = touched_in_order(planned, [2, 3, 0, 1])
    found = match_landmarks(planned, square, names, SETTINGS)
    assert found.ambiguous
    assert "touch 'off' too" in found.action  # 'above' would leave a quarter turn open
    still = match_landmarks(planned, np.vstack([square, T_TRUE.apply(planned[[5]])]), names, SETTINGS)
    assert still.ambiguous
    assert len(still.pairings) == 4
    done = match_landmarks(planned, np.vstack([square, T_TRUE.apply(planned[[4]])]), names, SETTINGS)
    assert done.pairings[0].touched == {"a": 2, "b": 3, "c": 0, "d": 1, "off": 4}
    np.testing.assert_allclose(done.registration.T_reference_ct.matrix, T_TRUE.matrix, atol=1e-9)


def test_how_unequal_sides_must_be_follows_from_the_stated_error() -> None:
    # Two sides that differ by 4 mm: told apart by touches of 0.5 mm, not by touches of 3 mm.
    nearly = ISOSCELES + [[0.0, -5.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert squareform(pdist(nearly))[0, 2] - squareform(pdist(nearly))[1, 2] == pytest.approx(4.6, abs=0.2)
    touched = touched_in_order(nearly, [1, 2, 0])
    assert not match_landmarks(nearly, touched, settings=CorrespondenceSettings(fle_rms_mm=0.5)).ambiguous
    assert match_landmarks(nearly, touched, settings=CorrespondenceSettings(fle_rms_mm=3.0)).ambiguous


def test_the_order_in_which_either_side_is_listed_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    touched = touched_in_order(TORSO_MM, [5, 3, 1, 0, 2, 4], rng)
    names = np.array(list("abcdef"))
    first = match_landmarks(TORSO_MM, touched, names, SETTINGS)
    planned_order, touched_order = rng.permutation(6), rng.permutation(6)
    again = match_landmarks(TORSO_MM[planned_order], touched[touched_order], names[planned_order], SETTINGS)
    assert {name: touched_order[i] for name, i in again.pairings[0].touched.items()} == first.pairings[0].touched
    np.testing.assert_allclose(
        again.registration.T_reference_ct.matrix, first.registration.T_reference_ct.matrix, atol=1e-9
    )


def test_touching_one_place_twice_is_no_ambiguity() -> None:
    touched = touched_in_order(TORSO_MM, [0, 1, 2, 3, 4, 0], np.random.default_rng(2))
    found = match_landmarks(TORSO_MM, touched, settings=SETTINGS)
    assert not found.ambiguous
    assert found.extra in {(0,), (5,)}


@pytest.mark.parametrize("planned", [TORSO_MM, TETRAHEDRON * [1.0, 0.9, 0.8]], ids=["torso", "flattened tetrahedron"])
def test_a_mirror_image_is_refused(planned: np.ndarray) -> None:
    touched = T_TRUE.apply(planned * [1.0, -1.0, 1.0])[::-1]
    with pytest.raises(LandmarksRefusedError, match=r"mirror image|fit .* in any order"):
        match_landmarks(planned, touched, settings=SETTINGS)


def test_a_mirror_image_is_called_that() -> None:
    with pytest.raises(LandmarksRefusedError, match="mirror image, not themselves"):
        match_landmarks(TORSO_MM, T_TRUE.apply(TORSO_MM * [1.0, -1.0, 1.0])[::-1], settings=SETTINGS)


def test_points_strewn_at_random_are_never_registered() -> None:
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        planned, touched = rng.uniform(-100.0, 100.0, (12, 3)), rng.uniform(-100.0, 100.0, (5, 3))
        try:
            found: LandmarkMatch | None = match_landmarks(planned, touched, settings=SETTINGS)
        except LandmarksRefusedError:
            found = None
        assert found is None or found.ambiguous, found.reason
        refused += found is None
    assert refused > 40


@pytest.mark.parametrize(
    ("planned", "touched", "said"),
    [
        (TORSO_MM[:2], TORSO_MM, "2 planned landmarks in ct"),
        (TORSO_MM, TORSO_MM[:2], "2 touched points in reference"),
        (TORSO_MM, np.where(np.arange(6)[:, None] == 1, np.nan, TORSO_MM), "NaN or infinity in row 1"),
        (TORSO_MM, TORSO_MM / 1000.0, "convert those in 'reference' from metres"),
        (TORSO_MM * [[1, 0, 0]], TORSO_MM, "of one line in ct"),
        (TORSO_MM, TORSO_MM * [[0, 0, 1]], "of one line in reference"),
        (TORSO_MM[[0, 1, 2, 2]], TORSO_MM, "0.00 mm apart in ct"),
        (TORSO_MM, TORSO_MM * 1.3, "fit the 6 planned landmarks in any order"),
        (np.random.default_rng(0).uniform(-200, 200, (41, 3)), TORSO_MM, "41 planned"),
    ],
)
def test_refused(planned: np.ndarray, touched: np.ndarray, said: str) -> None:
    with pytest.raises(LandmarksRefusedError, match=said):
        match_landmarks(planned, touched, settings=SETTINGS)


def test_names_must_tell_the_landmarks_apart() -> None:
    with pytest.raises(LandmarksRefusedError, match="5 different names for 6"):
        match_landmarks(TORSO_MM, TORSO_MM, list("abcdd") + ["e"], SETTINGS)


def test_a_rotation_alone_never_yields_a_reflection() -> None:
    # A regular hexagon fits itself in twelve proper ways; its mirror image fits as well, turned over.
    angle = np.arange(6) * np.pi / 3.0
    hexagon = np.column_stack([70.0 * np.cos(angle), 70.0 * np.sin(angle), np.zeros(6)])
    touched = Rotation.from_rotvec([0.1, 0.2, 0.3]).apply(hexagon * [-1.0, 1.0, 1.0])
    found = match_landmarks(hexagon, touched, settings=SETTINGS)
    assert len(found.pairings) == 12
    assert all(np.linalg.det(way.T_reference_ct.rotation_matrix) > 0.0 for way in found.pairings)
