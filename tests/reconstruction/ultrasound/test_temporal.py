"""Scores that are steadied over time: less noise, no delay, and nothing of the past where the picture changed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from reconstruction.network.letterbox import letterbox
from reconstruction.ultrasound.segment import SegmentedFrame
from reconstruction.ultrasound.temporal import SteadyScores

FRAME_NS = 33_000_000
SIZE = (128, 128)


def tissue(seed: int = 0) -> np.ndarray:
    texture = gaussian_filter(np.random.default_rng(seed).rayleigh(60.0, (200, 200)), 2.0)
    return 40.0 + 120.0 * (texture - texture.min()) / np.ptp(texture)


def frame_at(x: float, rng: np.random.Generator, noise: float = 2.0, seed: int = 0) -> SegmentedFrame:
    """Tissue moved by `x` px to the right, with a disc that moves with it, and scores that are noisy in each frame."""
    grey = shift(tissue(seed), (0, x), order=1, mode="wrap")[36:164, 36:164]
    rows, columns = np.indices(SIZE)
    inside = 20.0 - np.hypot(rows - 64, columns - 64 - x)
    scores = np.stack([-inside / 8, inside / 8]) + noise * gaussian_filter(rng.normal(size=(2, *SIZE)), (0, 2, 2)) * 5
    grey = np.clip(grey + rng.normal(0, 2, SIZE), 0, 255)
    return SegmentedFrame(grey.astype(np.float32), scores.astype(np.float32), letterbox(SIZE, SIZE), ("rest", "disc"))


def mask(frame: SegmentedFrame) -> np.ndarray:
    return np.asarray(frame.scores.argmax(axis=0) == 1)


def test_noise_is_halved_and_a_moving_structure_is_not_trailed() -> None:
    rng, steady = np.random.default_rng(1), SteadyScores()
    raw_errors, errors, behind = [], [], []
    for number in range(40):
        x = 1.5 * number - 30.0  # 45 px a second
        frame = frame_at(x, rng)
        steadied = steady.step(frame, number * FRAME_NS)
        truth = np.hypot(*(np.indices(SIZE) - np.array([64, 64 + x])[:, None, None])) < 20
        if number > 4:
            raw_errors.append((mask(frame) ^ truth).sum())
            errors.append((mask(steadied) ^ truth).sum())
            behind.append(x + 64 - np.nonzero(mask(steadied))[1].mean())
    assert np.mean(errors) < 0.6 * np.mean(raw_errors)
    assert abs(np.mean(behind)) < 0.2 * 1.5  # a fifth of a frame


def test_where_the_picture_changed_the_new_frame_alone_counts() -> None:
    rng, steady = np.random.default_rng(2), SteadyScores()
    for number in range(5):
        steady.step(frame_at(0.0, rng), number * FRAME_NS)
    other = frame_at(0.0, rng, seed=9)
    other.grey[...] = 255.0 - other.grey
    cleared = SegmentedFrame(other.grey, np.zeros_like(other.scores), other.placement, other.classes)
    assert np.abs(steady.step(cleared, 5 * FRAME_NS).scores).max() < 0.2


@pytest.mark.parametrize("gap_ns", [-FRAME_NS, 0, 300_000_000])
def test_after_a_pause_or_a_time_that_goes_back_nothing_is_kept(gap_ns: int) -> None:
    rng, steady = np.random.default_rng(3), SteadyScores()
    steady.step(frame_at(0.0, rng), FRAME_NS)
    frame = frame_at(0.0, rng)
    np.testing.assert_array_equal(steady.step(frame, FRAME_NS + gap_ns).scores, frame.scores)


def test_after_a_reset_and_at_another_size_nothing_is_kept() -> None:
    rng, steady = np.random.default_rng(4), SteadyScores()
    steady.step(frame_at(0.0, rng), 0)
    steady.reset()
    frame = frame_at(0.0, rng)
    np.testing.assert_array_equal(steady.step(frame, FRAME_NS).scores, frame.scores)
    other = SegmentedFrame(frame.grey, frame.scores, letterbox((300, 200), SIZE), frame.classes)
    np.testing.assert_array_equal(steady.step(other, 2 * FRAME_NS).scores, other.scores)
