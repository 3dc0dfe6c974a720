"""Numbers of others: told where they do not follow the spine."""

import numpy as np

from geometry.volume import Volume
from reconstruction.vertebrae.anatomy import USUAL, SpinePlan
from reconstruction.vertebrae.order import level_of, order_findings
from tests.reconstruction.vertebrae.spines import spine


def test_a_usual_spine_is_in_order_in_any_orientation():
    labels, names = spine(USUAL.levels[14:])
    assert order_findings(labels, names) == ()
    flipped = labels.affine.copy()
    flipped[:3, 3] += flipped[:3, 2] * (labels.voxels.shape[0] - 1) + flipped[:3, 1] * (labels.voxels.shape[1] - 1)
    flipped[:3, 1:3] *= -1
    assert order_findings(Volume(labels.voxels[::-1, ::-1], flipped), names) == ()


def test_two_that_were_exchanged_are_named():
    labels, names = spine(USUAL.levels[14:])
    names[4], names[5] = names[5], names[4]
    assert any("out of order: T12 lies above T11" in finding for finding in order_findings(labels, names))


def test_a_number_left_out_and_a_vertebra_left_out_are_named():
    labels, names = spine(USUAL.levels[14:])
    assert "T12 is missing between T11 and L1" in order_findings(labels, {v: n for v, n in names.items() if v != 5})
    shifted = {v: f"vertebrae_{USUAL.levels[13 + v - (v > 4)]}" for v in range(1, 10) if v != 4}
    assert any("may be missing" in finding for finding in order_findings(labels, shifted))


def test_six_lumbar_vertebrae_of_others_are_named():
    labels, names = spine(SpinePlan(12, 6, 0.0).levels[18:])
    assert any("six lumbar" in finding for finding in order_findings(labels, names))


def test_names_that_are_no_vertebrae_are_left_alone():
    assert [level_of(n) for n in ("vertebrae_L3", "vertebra_l3", "T13", "c7", "liver", "L7", "t0", "lung")] == [
        "L3", "L3", "T13", "C7", None, None, None, None,
    ]  # fmt: skip
    empty = Volume(np.zeros((3, 3, 3), np.uint8), np.eye(4))
    assert order_findings(empty, {1: "vertebrae_L1", 2: "vertebrae_L2"}) == ()
