"""What simplifying costs, measured both ways: neither lost parts nor added ones go unseen."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Surface
from reconstruction.surfaces.simplification import surface_distance

CORNERS = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [0.0, 10.0, 0.0], [0.0, 0.0, 10.0]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
ONE = Surface(CORNERS, FACES, "ct", "one part")
FAR_MM = np.array([100.0, 0.0, 0.0])
TWO = Surface(np.vstack([CORNERS, CORNERS + FAR_MM]), np.vstack([FACES, FACES + 4]), "ct", "two parts")


@pytest.mark.parametrize(("first", "second"), [(ONE, TWO), (TWO, ONE)])
def test_a_part_that_only_one_of_two_surfaces_has_shows_either_way(first: Surface, second: Surface) -> None:
    """Its farthest corner lies 110 mm along x, 100 mm from the other part's corner at 10 mm."""
    assert surface_distance(first, second).max_mm == pytest.approx(100.0, abs=1e-3)  # single precision inside
    assert surface_distance(first, first).max_mm == pytest.approx(0.0, abs=1e-3)
