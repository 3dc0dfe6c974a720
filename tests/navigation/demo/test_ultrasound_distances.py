"""The true distance of the ultrasound demo by hand, and the frame's smallest distance against it."""

from __future__ import annotations

import numpy as np
import pytest

from navigation.demo.ultrasound.decoded import DecodedDistance, DecodedFrame
from navigation.demo.ultrasound.distances import (
    RADIUS_MM,
    STRUCTURE,
    against_truth,
    measured,
    planned_structure,
    true_distance_mm,
)

# A pixel of half a millimetre; the image's x along -y, its depth along z.
IMAGE = np.array([[0.0, 0.0, 0.0, 7.0], [-0.5, 0.0, 0.0, 3.0], [0.0, 0.5, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
LINE_PX = np.array([[0.0, 10.0], [40.0, 10.0]])


def frame(*distances: DecodedDistance) -> DecodedFrame:
    return DecodedFrame(0, 0, "valid", "", "ct", IMAGE, None, (LINE_PX,), distances)


def test_a_line_passes_a_ball_at_the_distance_of_their_middles_less_the_radius() -> None:
    # The line runs from y = 3 to y = -17 at x = 7, z = 6; the ball's middle is 10 mm beside it, at y = -7.
    assert true_distance_mm(LINE_PX, IMAGE, np.array([13.0, -7.0, 14.0])) == pytest.approx(10.0 - RADIUS_MM, abs=0.02)
    assert true_distance_mm(LINE_PX, IMAGE, np.array([7.0, 6.0, 10.0])) == pytest.approx(5.0 - RADIUS_MM)


def test_the_planned_ball_has_the_distance_of_the_formula() -> None:
    ((name, grid),) = planned_structure(np.array([5.0, -20.0, 300.0]))
    found = grid.distance(np.array([[5.0, -20.0, 316.0], [5.0, -8.0, 309.0]])).signed_mm
    assert name == STRUCTURE
    np.testing.assert_allclose(found, [12.0, 11.0], atol=0.25)  # on grids of 2 mm and coarser


def test_the_smallest_of_a_frame_counts_unless_only_its_least_is_known() -> None:
    far, near = (DecodedDistance(0, STRUCTURE, each, 1.0, False) for each in (9.0, 6.5))
    other, none = DecodedDistance(0, "stylus", 1.0, 1.0, False), DecodedDistance(0, STRUCTURE, None, None, False)
    assert measured(frame(far, other, near, none)) == near
    assert measured(frame(other, none)) is None
    assert measured(frame(DecodedDistance(0, STRUCTURE, 40.0, 1.0, True))) is None
    assert against_truth([(frame(none), IMAGE)], np.zeros(3)) is None
    # Truly 6 mm off: 0.5 mm less than was shown, within the 1 mm that was stated; 3 mm less than the other.
    middle = np.array([7.0, 13.0, 6.0])
    check = against_truth([(frame(near), IMAGE), (frame(far), IMAGE)], middle)
    assert (check.off_mm, check.within) == (pytest.approx(1.75), 0.5)
