"""Bone in ultrasound frames: made ones with a known surface, PlusToolkit's recordings with points marked by hand."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from reconstruction.errors import FrameError
from reconstruction.ultrasound.bone_path import best_path
from reconstruction.ultrasound.bone_surface import BoneSurface, find_bone_surface
from tests.reconstruction.ultrasound.bone_marks import FEMUR, SPINE, BoneScore, read_frames, score_bone
from tests.reconstruction.ultrasound.frames import made_frame

# A made ridge falls off as exp(-(d / 4 px)^2): 80 % of its brightness, its border, lies this far above its middle.
BORDER_PX = 4.0 * np.sqrt(np.log(1 / 0.8))


@pytest.mark.parametrize("seed", range(5))
def test_the_border_of_a_known_surface_is_found(seed: int):
    truth = 210.0 + 40.0 * np.cos(np.arange(300) / 60.0 + seed)
    found = find_bone_surface(made_frame(truth, seed))
    assert len(found.columns) > 280
    apart = found.rows - (truth[found.columns] - BORDER_PX)
    assert np.abs(apart).max() < 3.0  # two pixels of the grid
    assert np.median(apart) == pytest.approx(0.0, abs=0.4)


def test_where_the_bone_ends_the_surface_ends():
    truth = np.where(np.arange(300) < 150, 230.0, 10_000.0)
    found = find_bone_surface(made_frame(truth))
    assert (found.columns < 150).mean() > 0.95
    assert (found.columns < 150).sum() > 130


def test_a_bone_at_two_depths_is_two_pieces():
    truth = np.where(np.arange(300) < 150, 230.0, 290.0)
    found = find_bone_surface(made_frame(truth))
    assert len(found.columns) > 270
    first, second = np.split(found.columns, np.flatnonzero(np.diff(found.columns) > 1) + 1)
    assert first[-1] == pytest.approx(150, abs=5)
    assert second[0] == pytest.approx(150, abs=5)
    assert (np.abs(found.rows - truth[found.columns] + BORDER_PX) < 3.0).mean() > 0.97


def test_black_beside_above_and_below_the_image_is_no_part_of_it():
    truth = np.full(300, 220.0)
    found = find_bone_surface(made_frame(truth))
    wide = find_bone_surface(np.pad(made_frame(truth), ((60, 90), (150, 70))))
    np.testing.assert_array_equal(wide.columns, found.columns + 150)
    np.testing.assert_allclose(wide.rows, found.rows + 60)


@pytest.mark.parametrize("scale", [1 / 255, 1.0, 100.0])
def test_the_scale_of_the_grey_values_does_not_count(scale: float):
    frame = made_frame(np.full(300, 220.0))
    scaled = find_bone_surface(frame * scale)
    np.testing.assert_array_equal(scaled.columns, find_bone_surface(frame).columns)


# ------------------------------------------------------------------------------------------------------------- no bone
def tissue() -> np.ndarray:
    return made_frame(None)


def bright_layer() -> np.ndarray:
    """Bright and thick, but the tissue below is seen."""
    frame = tissue().astype(float)
    frame[215:225] += 80.0
    return frame


def wire_in_water() -> np.ndarray:
    """Bright, and black below; but black above too."""
    frame = np.random.default_rng(1).uniform(0, 4, (400, 300))
    frame[215:225, 100:160] = 200.0
    return frame


def bone_at_the_bottom() -> np.ndarray:
    """Its shadow would lie outside the frame."""
    return made_frame(np.full(300, 370.0))


def noise() -> np.ndarray:
    return np.random.default_rng(2).rayleigh(60.0, (400, 400))


@pytest.mark.parametrize("frame", [tissue, bright_layer, wire_in_water, bone_at_the_bottom, noise])
def test_what_is_not_sure_enough_is_not_drawn(frame):
    assert len(find_bone_surface(frame()).columns) == 0


def test_a_black_frame_has_no_bone():
    assert len(find_bone_surface(np.zeros((400, 300), np.uint8)).columns) == 0


@pytest.mark.parametrize("frame", [np.zeros((400, 300, 3)), np.full((400, 300), np.nan), np.zeros((40, 300))])
def test_what_is_no_frame_is_refused(frame: np.ndarray):
    with pytest.raises(FrameError):
        find_bone_surface(frame)


# ------------------------------------------------------------------------------------------------------------ the path
def test_the_path_is_the_cheapest_of_all():
    """Against every path through a small picture, absences included."""
    likelihood = np.random.default_rng(3).uniform(0.01, 1.0, (4, 6)).astype(np.float32)
    absence, step_cost, change_cost = 0.3, 0.4, 0.7

    def cost(path: tuple[int, ...]) -> float:
        total = sum(-np.log(absence if row < 0 else likelihood[row, column]) for column, row in enumerate(path))
        for a, b in pairwise(path):
            if (a < 0) != (b < 0):
                total += change_cost
            elif a >= 0:
                total += step_cost * abs(a - b) if abs(a - b) <= 1 else 2 * change_cost + 1e9
        return total

    best = min(product(range(-1, 4), repeat=6), key=cost)
    assert tuple(best_path(likelihood, absence, 1, step_cost, change_cost)) == best


# ---------------------------------------------------------------------------------------------------------- recordings
def measured(shared_data: Path, recording: str) -> BoneScore:
    """``pytest -s`` prints how many of the marked points have bone in their column, how far, and what is false."""

    def find(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found: BoneSurface = find_bone_surface(frame)
        return found.columns, found.rows

    score = score_bone(recording, read_frames(shared_data, recording), find)
    print(score.line(recording))
    return score


def test_a_recorded_femur_against_points_marked_by_hand(shared_data: Path):
    score = measured(shared_data, FEMUR)
    assert score.hits >= 0.95 * score.marked
    assert np.median(score.apart_px) < 3.0
    assert max(score.apart_px) < 15.0
    assert score.false < 0.03 * score.found


def test_a_recorded_spine_phantom_against_points_marked_by_hand(shared_data: Path):
    """What is drawn is nearly all bone; a third of the bone is not drawn."""
    score = measured(shared_data, SPINE)
    assert score.hits >= 0.65 * score.marked
    assert np.median(score.apart_px) < 6.0
    assert score.false < 0.1 * score.found


def test_wires_in_water_are_no_bone(shared_data: Path):
    frames = read_frames(shared_data, "NwirePhantomFreehand")
    assert not any(len(find_bone_surface(frame).columns) for frame in frames[::8])
