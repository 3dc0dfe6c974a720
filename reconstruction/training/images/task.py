"""Training on 2D images: pairs of an image and a mask, ultrasound augmentation, Dice on the frames' own grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geometry.extras import from_extra
from reconstruction.network.errors import TrainingDataError
from reconstruction.network.image_network import build_image_network
from reconstruction.training.images.config import ImageTrainingConfig
from reconstruction.training.images.files import find_images, read_image
from reconstruction.training.images.ultrasound_augmentation import augment
from reconstruction.training.sample import Sample

if TYPE_CHECKING:
    import torch


class ImageTask:
    """What the training loop needs to know of 2D images."""

    class_weights: tuple[float, ...] | None = None

    def __init__(self, config: ImageTrainingConfig, data: Path, beside: Path) -> None:
        files = [pair for source in config.source for pair in find_images(source, data, beside)]
        self.training = [read_image(pair, config) for pair in files if pair.part == "training"]
        self.validation = [read_image(pair, config) for pair in files if pair.part == "validation"]
        if not self.training:
            raise TrainingDataError("no image to train on", "at least one", "hold out fewer in the split")
        self.config = config
        self.trained_on = tuple(image.fingerprint for image in self.training)

    def network(self) -> torch.nn.Module:
        """A fresh network."""
        network = self.config.network
        return build_image_network(network.channels, len(self.config.class_names), network.family)

    def draw(self, number: int) -> Sample:
        """Batch number n: each epoch sees every image once, in an order of its own."""
        with from_extra("training"):
            import torch

        schedule, count = self.config.schedule, len(self.training)
        rng = np.random.default_rng((schedule.seed, number))
        chosen = []
        for place in range(number * schedule.batch, (number + 1) * schedule.batch):
            epoch, index = divmod(place, count)
            order = np.random.default_rng((schedule.seed, epoch, count)).permutation(count)
            chosen.append(self.training[order[index]])
        grey = torch.from_numpy(np.stack([image.grey for image in chosen])[:, None]).float() / 255
        fractions = torch.from_numpy(np.stack([image.fractions for image in chosen])).float() / 255
        return Sample(*augment(grey, fractions, self.config.augmentation, rng))

    def validate(self, network: torch.nn.Module) -> dict[str, float]:
        """Mean Dice of each class over the validation frames that have it; empty without any."""
        from reconstruction.training.images.scores import frame_dice, frame_probabilities, logits_of

        pairs: dict[str, list[float]] = {}
        for image in self.validation:
            labels = frame_probabilities(logits_of(network, [image])[0], 1.0, image).argmax(axis=0)
            for name, value in frame_dice(labels, image.classes, self.config.class_names).items():
                pairs.setdefault(name, []).append(value)
        return {name: float(np.mean(values)) for name, values in pairs.items()}

    def export(self, checkpoint: Path, description: Path) -> None:
        """Writes ONNX and description, with the temperature that calibrates the validation frames."""
        from reconstruction.training.images.export import export_images

        export_images(checkpoint, description, self.config, self.validation)
