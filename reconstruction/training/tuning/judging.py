"""Whether a tuned network is better than the one it came from: Dice before and after, on scans that it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from geometry.extras import from_extra
from geometry.points import Singles
from reconstruction.network.segmentation import class_probabilities
from reconstruction.network.weights import Weights
from reconstruction.training.evaluate import dice
from reconstruction.training.tuning.names import group_name
from reconstruction.training.tuning.site import SiteScan

if TYPE_CHECKING:
    import torch

OVERLAP = 0.25
Dices = dict[str, float]


def dice_on(network: torch.nn.Module, weights: Weights, scans: Sequence[SiteScan]) -> Dices:
    """Mean Dice of each labelled structure over the scans that show it, on the network's grid, uncorrected."""
    found: dict[str, list[float]] = {}
    for scan in scans:
        probabilities = class_probabilities(scan.hu, weights, _Torch(network), OVERLAP)
        for group, share in scan.shares.items():
            truth = share > 127
            if truth.any():
                answer = probabilities[list(group)].sum(axis=0) > 0.5
                found.setdefault(group_name(group, weights.classes), []).append(dice(answer, truth))
    return {name: float(np.mean(values)) for name, values in found.items()}


def mean(dices: Mapping[str, float]) -> float:
    """Over the structures, each as much as another."""
    return float(np.mean(list(dices.values())))


def largest_loss(before: Mapping[str, float], after: Mapping[str, float], known_from: float) -> float:
    """The most Dice that a structure which the old network knew has lost; 0 where none has."""
    return max([0.0, *(value - after[name] for name, value in before.items() if value >= known_from)])


class _Torch:
    """A network in torch, as an engine."""

    name = "torch"

    def __init__(self, network: torch.nn.Module) -> None:
        self._network = network.eval()

    def run(self, batch: Singles) -> Singles:
        with from_extra("training"):
            import torch

        with torch.inference_mode():
            return np.asarray(self._network(torch.from_numpy(np.ascontiguousarray(batch))).numpy())
