"""How steady contours are from frame to frame, and how far they lag behind, with and without the frames before.

    python benchmarks/ultrasound/bench_ultrasound_steady.py DATA [--frames 20]

DATA holds usgra_train/. Held-out frames are moved on a known path (up to 3 px a frame, back and forth, at 30 frames a
second), each with multiplicative and additive noise of its own. What the network finds is moved back, where it should
not change: `change` is 1 - Dice between neighbours, `lag` the shift along the motion that explains the centre best, in
frames (positive: behind). `mask` is Dice against the drawn masks. Structures of under 400 px are left out of `lag`.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reconstruction.network.engines.openvino_engine import OpenVinoEngine
from reconstruction.network.weights import DEFAULT_WEIGHTS, load_weights
from reconstruction.training.images.config import ImageTrainingConfig
from reconstruction.training.images.files import find_images, read_image, read_pixels, to_grey
from reconstruction.training.read_config import read_config
from reconstruction.ultrasound.segment import FrameSegmenter
from reconstruction.ultrasound.temporal import SteadyScores, SteadySettings

TRAINING = Path(__file__).resolve().parents[2] / "reconstruction" / "training" / "images"
STEPS, SETTLED, FRAME_NS = 24, 4, 33_333_333
ACROSS_PX, DOWN_PX = 12.0, 6.0
SMALLEST_PX = 400
Mask = NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--frames", type=int, default=20)
    options = parser.parse_args()
    config = read_config(TRAINING / "ultrasound_nerve_vessel.toml")
    assert isinstance(config, ImageTrainingConfig)
    found = [pair for source in config.source for pair in find_images(source, options.data, TRAINING)]
    pairs = [pair for pair in found if pair.part == "held_out"][: options.frames]
    weights = load_weights(DEFAULT_WEIGHTS.parent / "ultrasound_nerve_vessel.json")
    segmenter = FrameSegmenter(weights, OpenVinoEngine(weights))
    print(f"{len(pairs)} held-out frames, {STEPS} steps each")
    print("                   vessel: change   lag in frames (spread)   mask    nerve: change   mask")
    for name, kept in (("single frames", 0.0), ("steadied", SteadySettings().most_kept)):
        rows = {index: ([], [], []) for index in (1, 2)}
        for number, pair in enumerate(pairs):
            truth = read_image(pair, config).classes
            labels = follow(to_grey(read_pixels(pair.image)), segmenter, kept, np.random.default_rng(number))
            for index, (changes, behind, dices) in rows.items():
                masks = [label == index for label in labels]
                changes.extend(1 - dice(a, b) for a, b in itertools.pairwise(masks) if a.any() or b.any())
                dices.extend(dice(mask, truth == index) for mask in masks if mask.any() or (truth == index).any())
                if min(mask.sum() for mask in masks) > SMALLEST_PX:
                    behind.append(lag(masks))
        (nerve, _, nerve_dice), (vessel, lags, vessel_dice) = rows[1], rows[2]
        print(
            f"{name:18} {np.mean(vessel):14.3f} {np.mean(lags):9.2f} ({np.std(lags):.2f}, {len(lags)} frames)"
            f" {np.mean(vessel_dice):11.3f} {np.mean(nerve):13.3f} {np.mean(nerve_dice):8.3f}"
        )


def path(step: int) -> tuple[float, float]:
    """Where the picture is at a step, in px across and down."""
    turn = 2 * np.pi * step / STEPS
    return ACROSS_PX * np.sin(turn), DOWN_PX * np.sin(2 * turn)


def follow(grey: np.ndarray, segmenter: FrameSegmenter, kept: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Class of each pixel at each step once settled, moved back to where the frame was."""
    h, w = grey.shape
    steady, labels = SteadyScores(SteadySettings(most_kept=kept)), []
    for step in range(STEPS):
        there, back = (np.array([[1, 0, sign * x], [0, 1, sign * y]]) for x, y in [path(step)] for sign in (1, -1))
        moved = cv2.warpAffine(grey, there, (w, h), borderMode=cv2.BORDER_REFLECT)
        noisy = moved * np.exp(0.12 * noise((h, w), rng)) + 4 * noise((h, w), rng)
        frame = segmenter.segment(np.clip(noisy, 0, 255).astype(np.uint8))
        frame = steady.step(frame, step * FRAME_NS)
        label = frame.placement.to_frame(frame.probabilities).argmax(axis=0).astype(np.uint8)
        labels.append(cv2.warpAffine(label, back, (w, h), flags=cv2.INTER_NEAREST))
    return labels[SETTLED:]


def noise(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Of unit variance, as wide as speckle."""
    smooth = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), 1.5)
    return np.asarray(smooth / smooth.std())


def dice(a: Mask, b: Mask) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def lag(masks: list[Mask]) -> float:
    """Frames by which the centre across is behind the motion: what moved back too far or too little shows it."""
    centres = np.array([np.nonzero(mask)[1].mean() for mask in masks])
    speed = np.gradient([path(step)[0] for step in range(STEPS)])[SETTLED:]
    return float(-((centres - centres.mean()) @ speed) / (speed @ speed))


if __name__ == "__main__":
    main()
