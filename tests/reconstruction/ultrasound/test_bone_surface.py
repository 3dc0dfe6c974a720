"""Bone in ultrasound frames: made ones with a known surface, and PlusToolkit's recording with points marked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reconstruction.errors import FrameError
from reconstruction.ultrasound.bone_surface import find_bone_surface
from tests.reconstruction.ultrasound.frames import made_frame

# Marked by eye on enlarged frames, before the finder was run on them: the middle of the bright ridge, (column, row),
# about 3 px to believe. Frame -> points.
MARKED = {
    0: "200,340 220,313 240,293 260,280 280,271 310,267 340,269 370,276 400,288 430,297 450,307 470,328 490,372 "
    "510,405",
    10: "200,340 220,316 240,296 260,280 280,272 320,266 350,269 380,277 410,287 440,293 480,315 500,333 520,370",
    20: "200,357 220,330 240,312 260,297 280,284 300,275 340,267 370,272 400,277 430,289 460,296 490,302",
}


@pytest.mark.parametrize("seed", range(5))
def test_a_known_surface_is_found_within_two_pixels(seed: int):
    truth = 210.0 + 40.0 * np.cos(np.arange(300) / 60.0 + seed)
    found = find_bone_surface(made_frame(truth, seed))
    assert len(found.columns) > 280
    assert np.abs(found.rows - truth[found.columns]).max() < 2.0
    # The shadow draws the middle of the ridge half a pixel up, to the edge that the sound meets first.
    assert np.median(found.rows - truth[found.columns]) == pytest.approx(-0.5, abs=0.3)


def test_where_the_bone_ends_the_surface_ends():
    truth = np.where(np.arange(300) < 150, 230.0, 10_000.0)
    found = find_bone_surface(made_frame(truth))
    assert (found.columns < 150).mean() > 0.95
    assert (found.columns < 150).sum() > 130


def test_columns_outside_the_image_are_left_out_and_counted():
    truth = np.full(300, 220.0)
    wide = np.pad(made_frame(truth), ((0, 0), (150, 70)))
    found = find_bone_surface(wide)
    assert found.columns.min() >= 150
    assert found.columns.max() < 450
    assert np.median(found.rows) == pytest.approx(219.5, abs=0.3)


def test_a_black_frame_has_no_bone():
    assert len(find_bone_surface(np.zeros((400, 300), np.uint8)).columns) == 0


@pytest.mark.parametrize("frame", [np.zeros((400, 300, 3)), np.full((400, 300), np.nan), np.zeros((40, 300))])
def test_what_is_no_frame_is_refused(frame: np.ndarray):
    with pytest.raises(FrameError):
        find_bone_surface(frame)


def test_a_recorded_femur_against_points_marked_by_hand(shared_data: Path):
    """``pytest -s`` prints how many of the marked points have bone in their column, and how far it lies."""
    import SimpleITK as sitk

    path = shared_data / "tracking" / "pluslib" / "TestImages" / "BoneUltrasound_L14.igs.mha"
    frames = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    apart, marked = [], 0
    for number, text in MARKED.items():
        found = find_bone_surface(frames[number])
        rows = dict(zip(found.columns.tolist(), found.rows.tolist(), strict=True))
        for point in text.split():
            column, row = map(int, point.split(","))
            marked += 1
            if column in rows:
                apart.append(abs(rows[column] - row))
    print(f"{len(apart)} of {marked} marked points: median {np.median(apart):.1f} px, worst {max(apart):.1f} px")
    assert len(apart) >= 0.85 * marked
    assert np.median(apart) < 3.0
    assert max(apart) < 15.0
