"""A changed depth seen in the picture: made tissue that moves, and recordings as they are and zoomed at some frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from reconstruction.training.images.familiarity import zoomed
from reconstruction.ultrasound.frame_state import FrameJudge, FrameState
from tests.reconstruction.ultrasound.recordings import liver, plus_sequence

STEP_NS = 40_000_000
USABLE, CHANGED = FrameState.USABLE, FrameState.DEPTH_CHANGED


def moving_tissue(number: int) -> np.ndarray:
    """Blobs and speckle that slide sideways by 2 px a frame, with noise of its own in each."""
    rng = np.random.default_rng(7)
    blobs = gaussian_filter(rng.standard_normal((400, 800)), (9, 14))
    fine = gaussian_filter(rng.standard_normal((400, 800)), (1, 2))
    picture = 90 + 40 * blobs / blobs.std() + 15 * fine / fine.std()
    live = np.random.default_rng(number).normal(0.0, 4.0, (400, 300))
    return np.clip(picture[:, 2 * number : 2 * number + 300] + live, 0, 255).astype(np.uint8)


def states(frames: list[np.ndarray], judge: FrameJudge | None = None) -> list[FrameState]:
    judge = judge or FrameJudge(None)
    return [judge.judge(frame, number * STEP_NS).state for number, frame in enumerate(frames)]


@pytest.mark.parametrize("zoom", [0.5, 0.67, 0.8, 1.25, 1.5, 2.0])
def test_a_changed_depth_is_seen_at_once_stays_and_is_over_when_it_is_back(zoom: float):
    frames = [moving_tissue(number) for number in range(9)]
    changed = [zoomed(frame, zoom) if 3 <= number < 6 else frame for number, frame in enumerate(frames)]
    assert states(changed) == [USABLE] * 3 + [CHANGED] * 3 + [USABLE] * 3


def test_the_reason_says_by_how_much():
    judge = FrameJudge(None)
    judge.judge(moving_tissue(0), 0)
    judged = judge.judge(zoomed(moving_tissue(1), 1.5), STEP_NS)
    assert "1.50 times as large" in judged.reason


def test_a_person_may_accept_the_new_depth_and_then_the_old_one_is_changed():
    judge = FrameJudge(None)
    assert states([moving_tissue(0), zoomed(moving_tissue(1), 0.8)], judge)[-1] is CHANGED
    judge.accept_geometry()
    after = [
        judge.judge(frame, 10 * STEP_NS + i).state
        for i, frame in enumerate([zoomed(moving_tissue(2), 0.8), zoomed(moving_tissue(3), 0.8), moving_tissue(4)])
    ]
    assert after == [USABLE, USABLE, CHANGED]


def test_a_changed_depth_stays_over_black_frames_and_other_pictures():
    deeper = [zoomed(moving_tissue(number), 0.67) for number in range(1, 4)]
    other = np.clip(np.random.default_rng(0).rayleigh(60.0, (400, 300)), 0, 255).astype(np.uint8)
    seen = states([moving_tissue(0), deeper[0], np.zeros((400, 300), np.uint8), deeper[1], other, deeper[2]])
    assert seen == [USABLE, CHANGED, FrameState.BLACK, CHANGED, CHANGED, CHANGED]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([0.67, 0.8, 1.0, 1.25, 1.5]), max_size=6))
def test_depth_as_a_state_machine(zooms: list[float]):
    frames = [zoomed(moving_tissue(number), zoom) for number, zoom in enumerate([1.0, *zooms])]
    assert states(frames) == [USABLE if zoom == 1.0 else CHANGED for zoom in [1.0, *zooms]]


def test_one_line_that_moves_is_no_other_depth():
    frames = []
    for number in range(20):
        frame = np.zeros((400, 300), np.uint8)
        cv2.line(frame, (60, 150 + 4 * number), (240, 140 + 4 * number), 255, 4)
        frames.append(frame)
    assert CHANGED not in states(frames)


def test_stills_have_no_depth_to_keep():
    judge = FrameJudge(None)
    assert judge.judge(moving_tissue(0), None).state is USABLE
    assert judge.judge(zoomed(moving_tissue(1), 0.67), None).state is USABLE


@pytest.mark.parametrize("every", [1, 3])
def test_no_recorded_sequence_changes_its_depth_at_any_rate(shared_data: Path, every: int):
    names = ("BoneUltrasound_L14", "SpinePhantomFreehand", "NwirePhantomFreehand", "WaterTankBottomTranslationCombined")
    for frames in (*(plus_sequence(shared_data, name) for name in names), liver(shared_data)):
        assert CHANGED not in states(frames[::every])


@pytest.mark.parametrize("zoom", [0.67, 0.8, 1.25, 1.5])
def test_recorded_sequences_whose_depth_is_changed_are_told(shared_data: Path, zoom: float):
    for name in ("BoneUltrasound_L14", "SpinePhantomFreehand"):
        frames = plus_sequence(shared_data, name)[:9]
        changed = [zoomed(frame, zoom) if number % 2 else frame for number, frame in enumerate(frames)]
        assert states(changed) == [USABLE, CHANGED] * 4 + [USABLE]
