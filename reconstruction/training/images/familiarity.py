"""The statistics of the frames that a network was trained on, by which others are known to be unfamiliar.

The limit is chosen on frames that the statistics were not made of: groups of frames that look alike are left out in
turn, and the limit is a high quantile of the distances of those left out. Each frame counts as it is, at other gains
and at other depths, as far as the network was trained to bear them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.points import Floats
from reconstruction.ultrasound.frame_descriptor import describe
from reconstruction.ultrasound.frame_familiarity import Familiarity

GAINS, ZOOMS = (0.7, 1.0, 1.4), (0.8, 1.25)
FALSE_ALARMS = 0.02  # of frames left out
FOLDS = 12
# Weight of no correlation at all: two dozen numbers of fewer than two hundred frames. From 0.02 to 0.4 no more of the
# held-out frames were called unfamiliar, and hardly fewer of the wrong ones.
SHRINKAGE = 0.1


def fit_familiarity(frames: Sequence[NDArray[np.uint8]], groups: Sequence[str], made_from: str) -> Familiarity:
    """The statistics of frames ``(h, w)``; frames of one group look alike.

    Args:
        made_from: in words, for the file.
    """
    numbers = np.stack([[describe(variant) for variant in _variants(frame)] for frame in frames])
    names = sorted(set(groups))
    left_out: list[float] = []
    for fold in range(min(FOLDS, len(names))):
        out = np.isin(groups, names[fold::FOLDS])
        mean, deviation, whitening = _statistics(numbers[~out])
        apart = (numbers[out].reshape(-1, numbers.shape[2]) - mean) / deviation
        left_out += np.linalg.norm(apart @ whitening.T, axis=1).tolist()
    return Familiarity(*_statistics(numbers), float(np.quantile(left_out, 1 - FALSE_ALARMS)), made_from)


def with_gain(frame: NDArray[np.uint8], gain: float) -> NDArray[np.uint8]:
    """The frame with its grey values multiplied, and cut off at white."""
    return np.clip(frame * np.float32(gain), 0, 255).astype(np.uint8)


def zoomed(frame: NDArray[np.uint8], zoom: float) -> NDArray[np.uint8]:
    """The frame as a shallower (over 1) or deeper (under 1) setting shows it: zoomed about the transducer's middle."""
    with from_extra("training"):
        import cv2

    height, width = frame.shape
    matrix = np.array([[zoom, 0.0, (1 - zoom) * (width - 1) / 2], [0.0, zoom, 0.0]])
    return cv2.warpAffine(frame, matrix, (width, height)).astype(np.uint8, copy=False)


def _variants(frame: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [*(with_gain(frame, gain) for gain in GAINS), *(zoomed(frame, zoom) for zoom in ZOOMS)]


def _statistics(numbers: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, deviation and whitening of ``(frames, variants, n)``."""
    flat = numbers.reshape(-1, numbers.shape[2])
    mean, deviation = flat.mean(axis=0), flat.std(axis=0) + 1e-6
    correlation = np.corrcoef(((flat - mean) / deviation).T)
    shrunk = (1 - SHRINKAGE) * correlation + SHRINKAGE * np.eye(len(correlation))
    return mean, deviation, np.linalg.inv(np.linalg.cholesky(shrunk))
