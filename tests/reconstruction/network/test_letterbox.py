"""Frames on the network's grid and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconstruction.network.letterbox import letterbox


def test_a_wide_frame_is_centred_and_keeps_its_proportions():
    placed = letterbox((100, 200), (64, 64))
    assert (placed.inner, placed.first) == ((32, 64), (16, 0))
    grid = placed.to_grid(np.full((100, 200), 7, np.float32))
    np.testing.assert_allclose(grid[16:48], 7.0, rtol=1e-6)
    assert not grid[:16].any()
    assert not grid[48:].any()


def test_pixels_are_averaged_over_their_extent():
    placed = letterbox((4, 4), (2, 2))
    pixels = np.arange(16, dtype=np.float32).reshape(4, 4)
    np.testing.assert_allclose(placed.to_grid(pixels), pixels.reshape(2, 2, 2, 2).mean(axis=(1, 3)))
    # A third of a grid of 3 from 4 pixels: one pixel and a third of the next.
    rows = letterbox((4, 4), (3, 3)).to_grid(np.tile([[3.0], [6.0], [9.0], [12.0]], (1, 4)).astype(np.float32))
    np.testing.assert_allclose(
        rows[:, 0], [(3 + 6 / 3) / (4 / 3), (6 * 2 / 3 + 9 * 2 / 3) / (4 / 3), (12 + 3) / (4 / 3)]
    )


@given(st.integers(40, 700), st.integers(40, 700), st.floats(0.2, 0.8), st.floats(0.2, 0.8))
def test_what_lies_somewhere_in_the_frame_comes_back_there(height: int, width: int, down: float, across: float):
    """A smooth field that is linear in row and column survives the way there and back away from the border."""
    placed = letterbox((height, width), (256, 256))
    row, column = np.indices((height, width), np.float32)
    back = placed.to_frame(np.stack([placed.to_grid(field) for field in (row, column)]))
    at = int(down * (height - 1)), int(across * (width - 1))
    assert back[:, at[0], at[1]] == pytest.approx(at, abs=0.51)
    assert back.dtype == np.float32
    on_grid = np.argwhere(placed.to_grid(np.ones((height, width), np.float32)) > 0)
    inside = on_grid[len(on_grid) // 3][None]
    points = placed.points_to_frame(inside.astype(float))[0]
    fields = [placed.to_grid(field)[tuple(inside[0])] for field in (row, column)]
    assert points == pytest.approx(fields, abs=0.51)


@pytest.mark.parametrize("frame", [(512, 534), (761, 632), (200, 240), (256, 256)])
def test_a_frame_of_one_value_stays_so_up_to_its_border(frame: tuple[int, int]):
    placed = letterbox(frame, (256, 256))
    (r, c), (h, w) = placed.first, placed.inner
    np.testing.assert_allclose(placed.to_grid(np.full(frame, 9.0, np.float32))[r : r + h, c : c + w], 9.0, rtol=1e-5)
