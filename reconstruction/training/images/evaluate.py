"""Evaluates a 2D network on images with masks: Dice by structure, and whether its probabilities are to be believed.

All is measured on the images' own pixels, not on the network's grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.points import Singles
from reconstruction.network.engines.engine import InferenceEngine, choose_engine
from reconstruction.network.errors import TrainingConfigError, TrainingDataError
from reconstruction.network.segmentation import Progress
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights
from reconstruction.training.images.config import ImageTrainingConfig
from reconstruction.training.images.files import ImageFiles, find_images, read_image, read_pixels, to_grey
from reconstruction.training.images.scores import ImageScores, frame_dice, frame_probabilities, score_frames
from reconstruction.training.read_config import read_config


@dataclass(frozen=True)
class FrameScore:
    """One frame against its mask.

    Attributes:
        dice: structure to Dice, of those that are drawn or found.
        trained_on: whether the network has seen this very frame in training.
    """

    files: ImageFiles
    dice: dict[str, float]
    trained_on: bool

    @property
    def mean_dice(self) -> float:
        """Mean over the structures; 1 where nothing is drawn and nothing found."""
        return float(np.mean(list(self.dice.values()))) if self.dice else 1.0


@dataclass(frozen=True, eq=False)
class FrameAnswer:
    """A frame with what people drew and what the network found, all ``(h, w)``; the last two are class indices."""

    grey: Singles
    truth: NDArray[np.uint8]
    found: NDArray[np.integer]


@dataclass(frozen=True)
class ImageEvaluation:
    """A 2D network on one part of the images of a training file."""

    network: str
    weights_sha256: str
    engine: str
    part: str
    scores: ImageScores
    frames: tuple[FrameScore, ...]

    @property
    def trained_on(self) -> int:
        """How many of the frames the network has seen in training."""
        return sum(frame.trained_on for frame in self.frames)

    def table(self) -> str:
        """For a person: one line a structure."""
        lines = ["structure    pooled Dice   median Dice"]
        for name, pooled in self.scores.pooled_dice.items():
            lines.append(f"{name:12} {pooled:11.3f} {self.scores.median_dice[name]:13.3f}")
        error = f"{self.scores.calibration_error:.3f}, at structures {self.scores.structure_calibration_error:.3f}"
        seen = f"{self.trained_on} of them WERE SEEN in training" if self.trained_on else "none was seen in training"
        lines += [
            f"Expected calibration error {error}.",
            f"{len(self.frames)} frames, part {self.part}; {seen}.",
            f"{self.network}, weights {self.weights_sha256[:12]}, {self.engine}.",
        ]
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """For JSON: the scores, and the Dice of every frame."""
        return {
            "network": self.network,
            "weights_sha256": self.weights_sha256,
            "engine": self.engine,
            "part": self.part,
            "scores": asdict(self.scores),
            "frames": [
                {"name": frame.files.name, "dice": frame.dice, "trained_on": frame.trained_on} for frame in self.frames
            ],
        }

    def examples(self) -> dict[str, FrameScore]:
        """The worst, the median and the best frame by the mean Dice over structures."""
        ordered = sorted(self.frames, key=lambda frame: frame.mean_dice)
        return {"worst": ordered[0], "median": ordered[len(ordered) // 2], "best": ordered[-1]}


class ImageEvaluator:
    """A network beside the images and masks of a training file."""

    def __init__(self, config: Path, data: Path | None = None, weights: Weights | None = None) -> None:
        """Reads the training file, and the shipped network of its name where none is given.

        Args:
            config: training TOML of a 2D network; it says where images, masks and split lie.
            data: folder that the TOML's paths lie under; the TOML's own folder if not given.

        Raises:
            TrainingConfigError: a fault in the TOML, one of volumes, or of other classes than the network's.
            WeightsError: no such weights, or they are damaged.
            TrainingDataError: no images, or an image without a mask.
        """
        settings = read_config(config)
        if not isinstance(settings, ImageTrainingConfig):
            raise TrainingConfigError(
                f"{config.name}, a training file of volumes",
                "one of images, with dimensions = 2",
                "to evaluate on a CT, give its folder and its masks",
            )
        self.config = settings
        self.weights = weights or load_weights(DEFAULT_WEIGHTS.parent / f"{settings.name}.json")
        if self.weights.classes != settings.class_names:
            raise TrainingConfigError(
                f"masks of {list(settings.class_names)} for the network {self.weights.name!r}",
                f"its classes, {list(self.weights.classes)}",
                "list these under [classes] in this order, or name another network",
            )
        beside = config.parent
        self.files = [pair for source in settings.source for pair in find_images(source, data or beside, beside)]
        self._engine: InferenceEngine = choose_engine(weights=self.weights)

    def evaluate(self, part: str = "held_out", progress: Progress | None = None) -> ImageEvaluation:
        """Scores the network on all frames of one part of the split.

        Raises:
            TrainingDataError: no frame is in this part, or one cannot be read.
        """
        pairs = [pair for pair in self.files if pair.part == part]
        if not pairs:
            parts = sorted({pair.part for pair in self.files})
            raise TrainingDataError(f"no frame in the part {part!r}", f"one of {', '.join(parts)}", "name another part")
        frames: list[FrameScore] = []
        answers = self._scored(pairs, frames, progress)
        scores = score_frames(answers, self.config.class_names)
        weights = self.weights
        return ImageEvaluation(weights.name, weights.sha256, self._engine.name, part, scores, tuple(frames))

    def answer(self, files: ImageFiles) -> FrameAnswer:
        """One frame, its mask and the network's answer."""
        probabilities, truth, _ = self._run(files)
        return FrameAnswer(to_grey(read_pixels(files.image)), truth, probabilities.argmax(axis=0))

    def _scored(
        self, pairs: Sequence[ImageFiles], frames: list[FrameScore], progress: Progress | None
    ) -> Iterator[tuple[Singles, NDArray[np.uint8]]]:
        for number, files in enumerate(pairs):
            probabilities, truth, fingerprint = self._run(files)
            found = frame_dice(probabilities.argmax(axis=0), truth, self.config.class_names)
            frames.append(FrameScore(files, found, fingerprint in self.weights.trained_on))
            yield probabilities, truth
            if progress is not None:
                progress((number + 1) / len(pairs))

    def _run(self, files: ImageFiles) -> tuple[Singles, NDArray[np.uint8], str]:
        """Calibrated probabilities ``(c, h, w)``, the mask ``(h, w)`` and the frame's fingerprint."""
        image = read_image(files, self.config)
        logits = self._engine.run(image.grey[None, None].astype(np.float32) / np.float32(255))[0]
        return frame_probabilities(logits, self.weights.temperature, image), image.classes, image.fingerprint
