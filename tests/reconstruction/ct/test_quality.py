"""The verdict: what costs `good`, each threshold from both sides, on volumes made for it."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from geometry import Volume
from reconstruction.ct.errors import CtRefusedError
from reconstruction.ct.quality import CtReadSettings, cut_fraction, find_slice_axis, judge

SETTINGS = CtReadSettings()


def scan(
    spacing: tuple[float, float, float] = (0.7, 0.7, 1.0), shape_ijk: tuple[int, int, int] = (512, 512, 60)
) -> Volume:
    """Air around one voxel of bone."""
    voxels = np.full(shape_ijk[::-1], -1000, dtype=np.int16)
    voxels[shape_ijk[2] // 2, shape_ijk[1] // 2, shape_ijk[0] // 2] = 1000
    return Volume(voxels, np.diag([*spacing, 1.0]))


@pytest.mark.parametrize(
    ("volume", "thickness_mm", "words"),
    [
        (scan(), 1.0, None),
        (scan(), 1.25, "slice thickness 1.25 mm"),
        (scan((0.7, 0.7, 1.01)), 1.0, "slices 1.01 mm apart"),
        (scan(shape_ijk=(512, 511, 60)), 1.0, "matrix 512 x 511"),
        (scan((0.3, 0.3, 0.95)), None, "3.2 times longer than wide"),
        (scan(shape_ijk=(512, 512, 49)), 1.0, "only 49 mm covered by 49 slices"),
    ],
)
def test_one_limit_at_a_time_costs_good(volume: Volume, thickness_mm: float | None, words: str | None) -> None:
    verdict = judge(volume, SETTINGS, slice_axis=2, thickness_mm=thickness_mm)
    assert verdict.level == ("good" if words is None else "usable")
    assert len(verdict.reasons) == (words is not None)
    assert all(words in reason for reason in verdict.reasons)


def test_reasons_of_the_door_cost_good_and_its_notes_do_not() -> None:
    verdict = judge(scan(), SETTINGS, slice_axis=2, reasons=("lossy",), notes=("seen",))
    assert (verdict.level, verdict.reasons, verdict.notes) == ("usable", ("lossy",), ("seen",))
    assert judge(scan(), SETTINGS, slice_axis=2, notes=("seen",)).level == "good"


def test_body_cut_off_at_the_sides() -> None:
    """By hand: of the four side faces of a 10 x 10 x 5 grid (each 5 x 10 voxels), one is tissue: a quarter."""
    voxels = np.full((5, 10, 10), -1000, dtype=np.int16)
    voxels[:, :, 0] = 40
    voxels[:, 0, 0] = voxels[:, -1, 0] = -1000  # the edges would count for two faces
    volume = Volume(voxels, np.eye(4))
    assert cut_fraction(volume, 2, SETTINGS) == pytest.approx(0.2)  # 5 x 8 of 200
    assert any("20.0%" in reason for reason in judge(volume, SETTINGS, slice_axis=2).reasons)
    voxels = np.full((5, 10, 10), -1000, dtype=np.int16)
    voxels[:, 3, 0] = 40
    verdict = judge(Volume(voxels, np.eye(4)), SETTINGS, slice_axis=2)
    assert any("2.5%" in note for note in verdict.notes)
    assert not any("cuts" in reason for reason in verdict.reasons)


def test_top_and_bottom_of_the_scan_are_no_cut() -> None:
    voxels = np.full((5, 10, 10), -1000, dtype=np.int16)
    voxels[[0, -1], 1:-1, 1:-1] = 40
    assert cut_fraction(Volume(voxels, np.eye(4)), 2, SETTINGS) == 0.0
    assert cut_fraction(Volume(voxels, np.eye(4)), 0, SETTINGS) > 0.1


def test_values_that_cannot_be_hu_are_refused_with_a_verdict_that_survives_a_process_boundary() -> None:
    volume = Volume(np.arange(256, dtype=np.uint8).reshape(4, 8, 8), np.eye(4))
    with pytest.raises(CtRefusedError, match="values from 0 to 255 only") as caught:
        judge(volume, SETTINGS)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.verdict == caught.value.verdict
    assert again.verdict.level == "refused"


def test_padding_and_missing_air_are_noted() -> None:
    padded = scan()
    voxels = padded.voxels.copy()
    voxels[0, 0, 0] = -3024
    assert any("-3024 HU: padding" in note for note in judge(padded.with_voxels(voxels), SETTINGS).notes)
    inside = Volume(np.linspace(0, 400, 1000).reshape(10, 10, 10).astype(np.int16), np.eye(4))
    assert any("no air" in note for note in judge(inside, SETTINGS).notes)


@pytest.mark.parametrize(
    ("spacing", "axes", "expected"),
    [
        ((0.7, 0.7, 0.5), (0, 1, 2), 2),  # finer slices than pixels
        ((5.0, 0.8, 0.8), (0, 1, 2), 0),  # sagittal slices
        ((1.0, 1.0, 1.0), (0, 1, 2), 2),  # all alike: along the body
        ((1.5, 1.5, 1.5), (1, 2, 0), 1),  # all alike, and j points along the body
    ],
)
def test_slice_axis_is_the_odd_one_out(
    spacing: tuple[float, float, float], axes: tuple[int, int, int], expected: int
) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, list(axes)] * spacing
    assert find_slice_axis(Volume(np.zeros((4, 4, 4), np.int16), affine)) == expected
