"""Whose fault it is that landmarks disagree: the right one, or nobody; never one that is right."""

from __future__ import annotations

import numpy as np
import pytest

from registration.landmarks.blame import possibly_wrong
from tests.registration.shapes import T_TRUE

STATED_SD_MM = 0.8 / np.sqrt(3.0)


def named(count: int, off_mm: float, worse: float, cases: int) -> tuple[int, int, int]:
    """How often the wrong one of `count` landmarks, touched `off_mm` astray, is named, a right one, and nobody.

    Args:
        worse: how many times the stated error the touches have.
    """
    rng = np.random.default_rng(1)
    right = wrong = 0
    for case in range(cases):
        planned = rng.uniform(-90.0, 90.0, (count, 3))
        touched = T_TRUE.apply(planned) + rng.normal(scale=worse * STATED_SD_MM, size=planned.shape)
        direction = rng.normal(size=3)
        touched[case % count] += off_mm * direction / np.linalg.norm(direction)
        suspects = possibly_wrong(planned, touched, np.full(count, STATED_SD_MM))
        right += suspects == (case % count,)
        wrong += len(suspects) == 1 and suspects != (case % count,)
    return right, wrong, cases - right - wrong


@pytest.mark.parametrize("worse", [1.0, 2.5])
@pytest.mark.parametrize(("count", "least"), [(4, 0.0), (5, 0.1), (6, 0.2)])
def test_nobody_is_named_wrongly(count: int, least: float, worse: float) -> None:
    right, wrong, _ = named(count, 6.0, worse, 100)
    assert wrong <= 1  # one in a hundred is what is meant by beyond doubt
    assert right >= least * 100


def test_a_gross_error_is_named_among_five() -> None:
    right, wrong, _ = named(5, 30.0, 1.0, 100)
    assert (right, wrong) == (100, 0)


def test_of_three_nobody_can_be_named() -> None:
    assert named(3, 30.0, 1.0, 20) == (0, 0, 20)


@pytest.mark.slow
def test_how_often_which_one_is_named() -> None:
    print("\n400 sets each, one landmark 6 mm off: right one, a right one, nobody")
    for worse in (1.0, 2.5):
        for count in (4, 5, 6):
            found = named(count, 6.0, worse, 400)
            print(f"  touches {worse:g} times worse than stated, {count} landmarks: {found}")
            assert found[1] <= 4
