"""Training on CT: labelled scans brought onto the network's grid, windows drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geometry.points import Floats
from reconstruction.network.architecture import build_network
from reconstruction.network.errors import TrainingDataError
from reconstruction.network.export import export_checkpoint
from reconstruction.network.fingerprint import scan_fingerprint
from reconstruction.training.config import Source, TrainingConfig
from reconstruction.training.sample import Sample
from reconstruction.training.sampling import Sampler
from reconstruction.training.scans import ScanFiles, find_scans, read_label_map, read_scan
from reconstruction.training.synthesis.volume import LabelVolume, prepare_labels
from reconstruction.training.targets import TrainingVolume, prepare
from reconstruction.training.warm_start import shipped_parent, start_from

if TYPE_CHECKING:
    import torch


# A class with less than this share of the scans counts as having so much.
RAREST = 1e-3


class VolumeTask:
    """What the training loop needs to know of CT volumes."""

    def __init__(self, config: TrainingConfig, data: Path) -> None:
        scans = _prepared(config, data)
        training = [scan for scan in scans if not scan.files.validation]
        self.config = config
        self._parent = None if config.start_from is None else shipped_parent(config.start_from)
        seen_before = () if self._parent is None else self._parent.trained_on
        self.trained_on = tuple(dict.fromkeys((*seen_before, *(scan.fingerprint for scan in training))))
        shares = [s.volume.fractions.mean(axis=(1, 2, 3), dtype=np.float64) / 255 for s in training]
        self.class_weights = balanced_weights(shares) if config.schedule.balanced else None
        self._held_out = [s.volume for s in scans if s.files.validation and isinstance(s.volume, TrainingVolume)]
        weights = {source.name: source.weight for source in config.source}
        self._sampler = Sampler([s.volume for s in training for _ in range(weights[s.files.source])], config)

    def network(self) -> torch.nn.Module:
        """A fresh network, with the parameters that the training file says it starts from."""
        network = build_network(self.config.network.channels, self.config.meaning.channels)
        if self._parent is not None:
            start_from(network, self.config.meaning, self._parent)
        return network

    def draw(self, number: int) -> Sample:
        """One window; the same number gives the same window."""
        return self._sampler.draw(number)

    def validate(self, network: torch.nn.Module) -> dict[str, float]:
        """Mean Dice of each class over the scans held out; empty without any."""
        from reconstruction.training.evaluate import dice_of_training_volumes

        return dice_of_training_volumes(network, self._held_out, self.config) if self._held_out else {}

    def export(self, checkpoint: Path, description: Path) -> None:
        """Writes ONNX and description."""
        export_checkpoint(checkpoint, description)


def balanced_weights(shares: Sequence[Floats]) -> tuple[float, ...]:
    """A weight for each class, one over the root of its share of the scans; their mean over all voxels is 1."""
    mean = np.maximum(np.mean(shares, axis=0), RAREST)
    weights = mean**-0.5
    return tuple(float(w) for w in weights / (weights * mean).sum())


@dataclass(frozen=True)
class _PreparedScan:
    files: ScanFiles
    volume: TrainingVolume | LabelVolume
    fingerprint: str


def _prepared(config: TrainingConfig, data: Path) -> list[_PreparedScan]:
    # Every file is looked for before the first is read: a missing scan must not cost the minutes before it.
    found: list[tuple[Source, ScanFiles]] = [(s, files) for s in config.source for files in find_scans(s, data)]
    if all(files.validation for _, files in found):
        came = "no scan to train on: every scan is held out for validation"
        raise TrainingDataError(came, "at least one scan to train on", "hold out fewer")
    prepared = []
    for source, files in found:
        prepared.append(_PreparedScan(files, *_read(files, source, data, config)))
    return prepared


def _read(
    files: ScanFiles, source: Source, data: Path, config: TrainingConfig
) -> tuple[TrainingVolume | LabelVolume, str]:
    """A scan or label map on the network's grid, and its fingerprint."""
    if source.kind == "label_map":
        labels = read_label_map(files, source, data)
        return prepare_labels(labels, config), scan_fingerprint(labels.labels)
    scan = read_scan(files, source, data)
    return prepare(scan, config), scan_fingerprint(scan.ct)
