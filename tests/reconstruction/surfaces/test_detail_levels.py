"""Levels of detail: what each says of its error is true against the shape itself."""

import numpy as np
import pytest

from geometry.errors import InvalidSurfaceError
from geometry.surface import Surface
from reconstruction.surfaces.detail_levels import levels_of_detail
from reconstruction.surfaces.from_labels import surface_from_labels
from reconstruction.surfaces.simplification import surface_distance
from tests.reconstruction.shapes import SHAPES, binary, centre_of, straight, turned, voxel_centres_mm


@pytest.fixture(scope="module")
def torus():
    grid = straight(n=64)
    distance = turned(SHAPES["torus"])
    return surface_from_labels(binary(grid, distance(voxel_centres_mm(grid), centre_of(grid))), 1, "torus").surface


def test_each_level_is_tight_and_measured_against_the_full_surface(torus):
    levels = levels_of_detail(torus, (6000, 2000, 500))
    assert [len(level.surface.triangles) for level in levels] == [6000, 2000, 500]
    errors = [level.simplification.distance.p95_mm for level in levels]
    assert errors == sorted(errors)
    assert errors[0] < 0.1 < errors[2] < 1.0  # a tube of 7 mm radius and 500 triangles: chords of about 4 mm
    for level in levels:
        assert level.surface.is_watertight
        assert level.simplification.triangles_before == len(torus.triangles)
        assert surface_distance(level.surface, torus) == level.simplification.distance


def test_the_finest_level_may_be_the_surface_itself(torus):
    levels = levels_of_detail(torus, (10**6, 10**5, 1000))
    assert [level.simplification is None for level in levels] == [True, False]
    assert levels[0].surface is torus
    np.testing.assert_array_less(len(levels[1].surface.triangles), 1001)


def test_counts_must_fall(torus):
    for counts in ((), (500, 500), (100, 200), (100, 3)):
        with pytest.raises(InvalidSurfaceError, match="falling"):
            levels_of_detail(torus, counts)


def test_for_looking_at_the_wish_counts_more_than_a_closed_surface(torus):
    (closed,) = levels_of_detail(torus, (24,))
    (looked_at,) = levels_of_detail(torus, (24,), keep_watertight=False)
    assert closed.surface.is_watertight
    assert len(closed.surface.triangles) > 24
    assert len(looked_at.surface.triangles) <= 24
    assert surface_distance(looked_at.surface, torus) == looked_at.simplification.distance


def test_a_level_of_nothing_is_none():
    """Simplified, bodies of four triangles fold up and vanish."""
    corner = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    number = np.arange(100)[:, None, None]
    vertices, triangles = (corner + number * [5.0, 0.0, 0.0]).reshape(-1, 3), (faces + 4 * number).reshape(-1, 3)
    many = Surface(vertices, triangles, "ct", "many")
    (level,) = levels_of_detail(many, (20,), keep_watertight=False)
    assert len(level.surface.triangles) > 0
