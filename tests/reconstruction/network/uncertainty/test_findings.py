"""Pieces too many and organs on the other side, in a grid that lies somewhere in LPS."""

import numpy as np
import pytest

from geometry.volume import Volume
from reconstruction.network.uncertainty.findings import on_the_other_side, pieces_too_many

AFFINE = np.array([[3.0, 0, 0, -90.0], [0, 3.0, 0, 20.0], [0, 0, 3.0, -700.0], [0, 0, 0, 1]])


def made(*boxes: tuple[slice, slice, slice]) -> Volume:
    voxels = np.zeros((40, 50, 60), bool)
    for box in boxes:
        voxels[box] = True
    return Volume(voxels, AFFINE)


RIGHT, LEFT = (slice(5, 25), slice(10, 30), slice(5, 20)), (slice(5, 25), slice(10, 30), slice(40, 55))
SMALL = (slice(30, 38), slice(40, 48), slice(50, 58))


def test_pieces_beyond_an_adults_are_found_where_they_are() -> None:
    both = made(RIGHT, LEFT)
    assert pieces_too_many("lung", both) == ()
    assert pieces_too_many("bone", both) == ()
    (second,) = pieces_too_many("liver", both)
    assert second.volume_ml == pytest.approx(20 * 20 * 15 * 0.027)
    (third,) = pieces_too_many("lung", made(RIGHT, LEFT, SMALL))
    np.testing.assert_allclose(third.centre_mm, (-90 + 3 * 53.5, 20 + 3 * 43.5, -700 + 3 * 33.5), atol=0.1)
    assert "piece 3 of lung" in third.what


@pytest.mark.parametrize(("structure", "right_is_wrong"), [("liver", False), ("spleen", True)])
def test_an_organ_on_the_other_side_is_said(structure: str, right_is_wrong: bool) -> None:
    patient = np.zeros((40, 50, 60), bool)
    patient[2:38, 2:48, 2:58] = True
    on_the_right, on_the_left = (on_the_other_side(structure, made(box), patient) for box in (RIGHT, LEFT))
    wrong, usual = (on_the_right, on_the_left) if right_is_wrong else (on_the_left, on_the_right)
    assert usual is None
    assert wrong is not None
    assert f"to the patient's {'right' if right_is_wrong else 'left'}" in wrong.what


def test_an_organ_in_the_middle_or_a_speck_of_one_is_not_said() -> None:
    patient = np.ones((40, 50, 60), bool)
    middle = made((slice(5, 25), slice(10, 30), slice(25, 40)))
    assert on_the_other_side("liver", middle, patient) is None
    assert on_the_other_side("liver", made((slice(5, 8), slice(5, 8), slice(50, 53))), patient) is None
