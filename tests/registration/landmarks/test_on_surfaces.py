"""Planned landmarks against the surfaces: other axes and units are named, and what nothing vouches for is doubted."""

from __future__ import annotations

import numpy as np
import pytest

from registration.distance.closest_point import ExactDistance
from registration.errors import LandmarksRefusedError
from registration.landmarks.on_surfaces import PlacementLimits, Surroundings, check_placement, lie_on, refuse_outside
from tests.registration.shapes import organ

ORGAN = organ(4)
FIELD = ExactDistance(ORGAN)
AROUND = Surroundings("skin", {"skin": FIELD}, ORGAN.bounds_mm)
# Six on the front, none of them opposite another.
NORMALS = ORGAN.vertex_normals()
FRONT = np.flatnonzero(NORMALS[:, 1] < -0.2)
MARKS = ORGAN.vertices_mm[FRONT[np.linspace(0, len(FRONT) - 1, 6).astype(int)]]
OUTWARD = NORMALS[FRONT[np.linspace(0, len(FRONT) - 1, 6).astype(int)]]


def named(points: np.ndarray) -> dict[str, np.ndarray]:
    return {f"m{number}": point for number, point in enumerate(points, start=1)}


@pytest.mark.parametrize("outside_mm", [0.0, 8.0])  # on the skin, and the centres of balls that stick to it
def test_landmarks_on_the_skin_and_on_markers_are_no_matter(outside_mm: float) -> None:
    points = MARKS + outside_mm * OUTWARD + np.random.default_rng(0).normal(scale=1.0, size=MARKS.shape)
    assert lie_on(named(points), FIELD)
    assert check_placement(named(points), AROUND) == {}


@pytest.mark.parametrize(
    ("written", "words", "meaning"),
    [
        (MARKS * [-1, -1, 1], "x and y negated", "they are RAS"),
        (MARKS * [-1, 1, 1], "x negated", "left and right are exchanged"),
        (MARKS * [1, 1, -1], "z negated", "head and feet are exchanged"),
        (MARKS[:, [1, 0, 2]], "x and y exchanged", "they are mirrored"),
        (MARKS[:, [2, 0, 1]], "in the order y, z, x", "their axes are others"),
        (MARKS / 1000.0, "taken for metres", "they are metres"),
        (MARKS / 10.0, "taken for centimetres", "they are centimetres"),
        (MARKS / 10.0 * [-1, -1, 1], "taken for centimetres and x and y negated", "centimetres, and they are RAS"),
    ],
)
@pytest.mark.parametrize("outside_mm", [0.0, 8.0])
def test_other_axes_and_units_are_named_and_refused(
    written: np.ndarray, words: str, meaning: str, outside_mm: float
) -> None:
    # The markers' balls are moved outwards in the same axes as the numbers.
    moved = MARKS + outside_mm * OUTWARD
    rows = np.linalg.lstsq(np.column_stack([MARKS, np.ones(6)]), written, rcond=None)[0]
    points = np.column_stack([moved, np.ones(6)]) @ rows
    with pytest.raises(LandmarksRefusedError) as refused:
        check_placement(named(points), AROUND)
    assert f"if {words}:" in refused.value.came
    assert meaning in refused.value.came
    if "RAS" in meaning and "taken" not in words:
        assert '"coordinate_system": "RAS"' in refused.value.action


def test_landmarks_in_the_body_are_doubted_unless_they_lie_on_a_bone_that_is_approved() -> None:
    bone = type(ORGAN)(
        0.4 * (ORGAN.vertices_mm - ORGAN.bounds_mm.mean(0)) + ORGAN.bounds_mm.mean(0), ORGAN.triangles, "ct", "bone"
    )
    points = named(bone.vertices_mm[[100, 900, 1500, 2100]])
    doubts = check_placement(points, AROUND)
    assert list(doubts) == list(points)
    assert "on no approved surface" in doubts["m1"]
    known = Surroundings("skin", {"skin": FIELD, "bone": ExactDistance(bone)}, ORGAN.bounds_mm)
    assert check_placement(points, known) == {}


def test_one_landmark_off_the_skin_is_doubted_by_name() -> None:
    points = MARKS.copy()
    points[2] -= 25.0 * OUTWARD[2]
    doubts = check_placement(named(points), AROUND)
    assert list(doubts) == ["m3"]
    assert "'m3' lies 2" in doubts["m3"]


def test_what_is_not_beyond_doubt_is_a_hint_and_no_refusal() -> None:
    doubts = check_placement(named(MARKS[:4] * [-1, -1, 1]), AROUND, PlacementLimits(odds=1e30, beyond_mm=1e6))
    assert doubts
    assert "(all would lie on it if x and y negated: perhaps they are RAS, where LPS is meant)" in next(
        iter(doubts.values())
    )


def test_landmarks_strewn_inside_are_rarely_taken_for_other_axes() -> None:
    rng = np.random.default_rng(0)
    low, high = ORGAN.bounds_mm
    refused = 0
    for _ in range(40):
        points = rng.uniform(low, high, (400, 3))
        inside = points[FIELD.distance(points).signed_mm < -15.0][:6]
        try:
            assert check_placement(named(inside), AROUND)
        except LandmarksRefusedError:
            refused += 1
    assert refused <= 1


def test_a_point_outside_all_that_is_known_is_refused_with_its_place() -> None:
    far = named(np.array([ORGAN.bounds_mm[1] + [0.0, 0.0, 60.0]]))
    with pytest.raises(LandmarksRefusedError, match=r"'m1' at \(.*\), 60 mm outside all that the CT shows"):
        refuse_outside(far, ORGAN.bounds_mm)
    with pytest.raises(LandmarksRefusedError, match="60 mm outside"):
        check_placement(far, AROUND)
    refuse_outside({}, ORGAN.bounds_mm)


@pytest.mark.slow
def test_how_often_landmarks_in_the_body_are_taken_for_other_axes() -> None:
    rng = np.random.default_rng(1)
    low, high = ORGAN.bounds_mm
    print("\n300 sets of landmarks strewn inside, nothing approved but the skin: taken for other axes or units")
    for count in (3, 4, 6):
        refused = 0
        for _ in range(300):
            points = rng.uniform(low, high, (200, 3))
            try:
                check_placement(named(points[FIELD.distance(points).signed_mm < -15.0][:count]), AROUND)
            except LandmarksRefusedError:
                refused += 1
        print(f"  {count} landmarks: {refused}")
        assert refused <= 15
