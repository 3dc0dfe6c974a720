"""Frames, points, errors and clocks."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import ManualClock, SurgNavError
from geometry.errors import InvalidFrameError, InvalidPointsError
from geometry.frames import FRAMES, check_frame
from geometry.points import as_points


def test_the_frame_table_names_each_frame_once_and_only_unity_is_left_handed_and_in_metres() -> None:
    names = [info.name for info in FRAMES]
    assert len(set(names)) == len(names)
    for info in FRAMES:
        if info.name == "unity":
            assert (info.handedness, info.units) == ("left", "m")
            with pytest.raises(InvalidFrameError, match="unity_bridge"):
                check_frame(info.name)
        else:
            assert info.handedness == "right"
            assert check_frame(info.name) == info.name


def test_an_error_says_what_came_what_is_allowed_and_what_to_do() -> None:
    error = SurgNavError("a mirror", "a patient", "turn round")
    assert str(error) == "Got a mirror; expected a patient. Fix: turn round."


@pytest.mark.parametrize(
    ("points", "words"),
    [([[1, 2]], "shape"), ([[0, 0, 0], [np.nan, 0, 0]], "row 1"), ("three", "not numbers"), ([[[1, 2, 3]]], "shape")],
)
def test_points_that_are_refused(points: object, words: str) -> None:
    with pytest.raises(InvalidPointsError, match=words):
        as_points(points, "landmarks")
    with pytest.raises(InvalidPointsError, match=r"1 landmarks; expected at least 3"):
        as_points([1, 2, 3], "landmarks", minimum=3)


def test_a_manual_clock_moves_only_forward() -> None:
    clock = ManualClock(5)
    clock.advance_ns(7)
    assert clock.now_ns() == 12
    with pytest.raises(ValueError, match="back"):
        clock.advance_ns(-1)
