"""One point at a time: as the grid in arrays, and never farther than it is where the grid does not know."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registration.distance.closest_point import ExactDistance
from registration.distance.distance_grid import DistanceGrid
from registration.distance.point_distance import PointDistance
from registration.errors import DistanceGridError
from tests.registration.shapes import organ, sample, sphere, tube

ORGAN = organ()
GRID = DistanceGrid.from_surface(ORGAN)
EXACT = ExactDistance(ORGAN)
POINT = PointDistance(GRID)
LOW, HIGH = GRID.lookups[0].origin_mm, GRID.lookups[0].end_mm
MILLIMETRES = st.floats(-400.0, 400.0)


def test_a_ball_by_hand() -> None:
    ball = PointDistance(DistanceGrid.from_surface(sphere(25.0)))
    outside, inside = ball.at((0.0, 0.0, 35.0)), ball.at((0.0, -15.0, 0.0))
    # 20,480 triangles lie 0.02 mm within the ball that they stand for.
    assert outside.signed_mm == pytest.approx(10.0, abs=0.05)
    assert outside.gradient == pytest.approx((0.0, 0.0, 1.0), abs=0.02)
    assert inside.signed_mm == pytest.approx(-10.0, abs=0.05)
    assert inside.gradient == pytest.approx((0.0, -1.0, 0.0), abs=0.02)


def test_within_the_grid_as_in_arrays() -> None:
    rng = np.random.default_rng(3)
    points = np.concatenate(
        [sample(ORGAN, 300, rng) + 2.0 * rng.normal(size=(300, 3)), rng.uniform(LOW, HIGH, (300, 3))]
    )
    expected, found = GRID.distance(points), [POINT.at(tuple(point)) for point in points.tolist()]
    # The arrays are blended in single precision: 100 mm to 7 digits.
    np.testing.assert_allclose([each.signed_mm for each in found], expected.signed_mm, atol=5e-5)
    np.testing.assert_allclose([each.gradient for each in found], expected.gradient, atol=1e-5)


@given(MILLIMETRES, MILLIMETRES, MILLIMETRES)
def test_never_farther_than_it_is(x: float, y: float, z: float) -> None:
    exact_mm = float(EXACT.distance(np.array([[x, y, z]])).signed_mm[0])
    # The grid's own error grows with the distance, see test_distance_grid: 0.2 mm and a hundredth of it are plenty.
    assert POINT.at((x, y, z)).signed_mm <= exact_mm + 0.2 + 0.01 * abs(exact_mm)


def test_beyond_the_rim_of_an_open_surface_as_if_inside() -> None:
    open_tube = tube(20.0, 60.0)
    grid, exact = DistanceGrid.from_surface(open_tube), ExactDistance(open_tube)
    points = np.random.default_rng(4).uniform(*(open_tube.bounds_mm + [[-20.0], [20.0]]), (300, 3))
    one = PointDistance(grid)
    found = np.array([one.at(tuple(point)).signed_mm for point in points.tolist()])
    away_mm = np.abs(exact.distance(points).signed_mm)
    # On the axis, which two walls are equally far from, the grid rounds the ridge off.
    assert (found <= away_mm + 0.5).all()
    assert (found >= -away_mm - 2.0 * 8.0 * np.sqrt(3.0)).all(), "by two diagonals of the coarsest cell at the most"


def test_to_another_process_and_back() -> None:
    again = PointDistance(pickle.loads(pickle.dumps(GRID)))
    point = tuple((ORGAN.bounds_mm.mean(axis=0) + 3.0).tolist())
    assert again.at(point) == POINT.at(point)


def test_a_coarsest_grid_with_gaps_is_told() -> None:
    holes = DistanceGrid.from_surface(ORGAN)
    point = PointDistance(holes)
    for lookup in holes.lookups:
        lookup.row_of_node[:] = -1
    with pytest.raises(DistanceGridError, match="coarsest grid with gaps"):
        point.at((0.0, 0.0, 0.0))
