"""Levels of detail: what each says of its error is true against the shape itself."""

import numpy as np
import pytest

from geometry.errors import InvalidSurfaceError
from reconstruction.detail_levels import levels_of_detail
from reconstruction.label_surfaces import surface_from_labels
from reconstruction.simplification import surface_distance
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
