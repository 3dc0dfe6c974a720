"""Holes are filled along sticks and no farther."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconstruction.freehand.compounding import Compounded
from reconstruction.freehand.errors import FreehandError
from reconstruction.freehand.grid import FreehandGrid
from reconstruction.freehand.holes import fill_holes


def compounded(grey: np.ndarray, seen: np.ndarray) -> Compounded:
    grid = FreehandGrid("reference", np.zeros(3), np.ones(3), grey.shape[::-1])
    return Compounded(grid, np.where(seen, grey, 0).astype(np.uint8), seen)


def planes(gap: int) -> Compounded:
    """Two planes, grey 40 and 120, with `gap` empty planes between them."""
    grey, seen = np.zeros((gap + 2, 20, 20)), np.zeros((gap + 2, 20, 20), bool)
    grey[0], grey[-1], seen[0], seen[-1] = 40, 120, True, True
    return compounded(grey, seen)


def test_a_hole_of_seven_voxels_is_bridged_and_one_of_eight_stays_empty():
    bridged = fill_holes(planes(7), 9)
    by_hand = [40, 57, 66, 75, 84, 93, 102, 111, 120]  # 40 + 80 (k + 1) / 9: PLUS's weights lean to the end ahead
    np.testing.assert_array_equal(bridged.compounded.grey[:, 9, 9], by_hand)
    assert bridged.filled[1:-1, 9, 9].all()
    assert not bridged.filled[[0, -1]].any()
    left = fill_holes(planes(8), 9)
    assert not left.filled.any()
    assert not left.compounded.grey[1:-1].any()


def test_what_is_filled_is_not_called_seen():
    before = planes(3)
    after = fill_holes(before)
    np.testing.assert_array_equal(after.compounded.seen, before.seen)
    np.testing.assert_array_equal(after.covered, True)


def test_nothing_is_filled_beyond_the_last_frame():
    grey, seen = np.full((9, 9, 9), 50), np.zeros((9, 9, 9), bool)
    seen[:3] = True
    assert not fill_holes(compounded(grey, seen)).filled.any()


@given(st.integers(0, 1000), st.integers(3, 9))
def test_a_filled_voxel_lies_between_its_neighbours_and_seen_ones_keep_their_value(seed, stick):
    rng = np.random.default_rng(seed)
    before = compounded(rng.integers(1, 256, (6, 7, 8)), rng.random((6, 7, 8)) < 0.3)
    after = fill_holes(before, stick)
    np.testing.assert_array_equal(after.compounded.grey[before.seen], before.grey[before.seen])
    assert not (after.filled & before.seen).any()
    assert not after.compounded.grey[~after.covered].any()
    if after.filled.any():
        values = after.compounded.grey[after.filled]
        assert int(before.grey[before.seen].min()) - 2 <= values.min()  # PLUS cuts fractions off, twice
        assert values.max() <= before.grey[before.seen].max()


def test_a_stick_that_bridges_nothing_is_refused():
    with pytest.raises(FreehandError, match="3 or more"):
        fill_holes(planes(1), 2)
