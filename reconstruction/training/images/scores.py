"""How well a 2D network does: Dice by frame and pooled, and whether its probabilities are to be believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.points import Singles
from reconstruction.network.segmentation import softmax
from reconstruction.training.images.files import TrainingImage

if TYPE_CHECKING:
    import torch

CONFIDENCE_BINS = 15
Labels = NDArray[np.integer]


@dataclass(frozen=True)
class ImageScores:
    """A 2D network on frames with masks, on the frames' own pixels.

    Attributes:
        median_dice: class to the median over the frames on which the class is drawn or found.
        pooled_dice: class to Dice of all frames taken as one picture.
        calibration_error: expected calibration error of the likeliest class's probability over all pixels, 0 to 1.
        structure_calibration_error: the same over pixels where any structure has a probability of 0.05 or more; the
            background, which nobody doubts, does not dilute it.
        frames: how many.
    """

    median_dice: dict[str, float]
    pooled_dice: dict[str, float]
    calibration_error: float
    structure_calibration_error: float
    frames: int


def score_frames(
    pairs: Iterable[tuple[Singles, Labels]], names: Sequence[str], structure_from: float = 0.05
) -> ImageScores:
    """Scores probabilities ``(c, h, w)`` against class indices ``(h, w)``, frame by frame.

    Args:
        names: of the classes by index, background first.
        structure_from: probability of anything but background from which a pixel counts for the second error.
    """
    by_frame: dict[str, list[float]] = {name: [] for name in names[1:]}
    overlap, total = np.zeros(len(names)), np.zeros(len(names))
    everywhere, structure = _Reliability(), _Reliability()
    frames = 0
    for probabilities, truth in pairs:
        frames += 1
        labels = probabilities.argmax(axis=0)
        for name, value in frame_dice(labels, truth, names).items():
            by_frame[name].append(value)
        for index in range(len(names)):
            overlap[index] += 2 * ((labels == index) & (truth == index)).sum()
            total[index] += (labels == index).sum() + (truth == index).sum()
        everywhere.add(probabilities, labels == truth)
        some = probabilities[0] <= 1 - structure_from
        structure.add(probabilities[:, some], (labels == truth)[some])
    return ImageScores(
        {name: float(np.median(values)) for name, values in by_frame.items() if values},
        {name: float(overlap[i] / total[i]) for i, name in enumerate(names) if i and total[i]},
        everywhere.error,
        structure.error,
        frames,
    )


class _Reliability:
    """Confidence and correctness by bins of confidence (Guo et al. 2017)."""

    def __init__(self) -> None:
        self._count, self._sure, self._right = np.zeros((3, CONFIDENCE_BINS))

    def add(self, probabilities: Singles, correct: NDArray[np.bool_]) -> None:
        confidence = probabilities.max(axis=0).ravel().astype(np.float64)
        bins = np.minimum((confidence * CONFIDENCE_BINS).astype(int), CONFIDENCE_BINS - 1)
        self._count += np.bincount(bins, minlength=CONFIDENCE_BINS)
        self._sure += np.bincount(bins, confidence, CONFIDENCE_BINS)
        self._right += np.bincount(bins, correct.ravel().astype(float), CONFIDENCE_BINS)

    @property
    def error(self) -> float:
        """Mean distance of confidence from accuracy, weighted by pixels; 0 without any."""
        return float(np.abs(self._sure - self._right).sum() / max(1.0, self._count.sum()))


def logits_of(network: torch.nn.Module, images: Sequence[TrainingImage]) -> Singles:
    """Logits ``(n, c, H, W)`` on the network's grid."""
    with from_extra("training"):
        import torch

    grey = torch.from_numpy(np.stack([image.grey for image in images])[:, None]).float() / 255
    with torch.inference_mode():
        return network(grey).numpy()


def frame_probabilities(logits: Singles, temperature: float, image: TrainingImage) -> Singles:
    """Calibrated probabilities ``(c, h, w)`` at the frame's pixels of logits ``(c, H, W)`` on the network's grid."""
    return image.placement.to_frame(softmax(logits[None] / np.float32(temperature))[0])


def frame_dice(labels: Labels, truth: Labels, names: Sequence[str]) -> dict[str, float]:
    """Dice of each class but the background that is drawn or found."""
    scores = {}
    for index, name in enumerate(names):
        a, b = labels == index, truth == index
        if index > 0 and (a.any() or b.any()):
            scores[name] = 2.0 * float((a & b).sum()) / float(a.sum() + b.sum())
    return scores


def fit_temperature(logits: Sequence[Singles], images: Sequence[TrainingImage]) -> float:
    """The temperature at which the logits ``(c, H, W)`` explain the masks best (Guo et al. 2017); 1 without images."""
    from scipy.optimize import minimize_scalar

    if not images:
        return 1.0
    raw, target = [], []
    for values, image in zip(logits, images, strict=True):
        (r, c), (h, w) = image.placement.first, image.placement.inner
        inside = (slice(None), slice(r, r + h), slice(c, c + w))
        raw.append(values[inside].reshape(len(values), -1))
        target.append(image.fractions[inside].argmax(axis=0).ravel())
    stacked, classes = np.concatenate(raw, axis=1).astype(np.float64), np.concatenate(target)

    def surprise(log_temperature: float) -> float:
        scaled = stacked / np.exp(log_temperature)
        scaled -= scaled.max(axis=0)
        chosen = np.take_along_axis(scaled, classes[None], axis=0)[0]
        return float((np.log(np.exp(scaled).sum(axis=0)) - chosen).mean())

    return float(np.exp(minimize_scalar(surprise, bounds=(-2.0, 2.0), method="bounded").x))
