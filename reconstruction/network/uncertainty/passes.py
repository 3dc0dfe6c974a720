"""The network several times over, each time a little different, and what the passes say together."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geometry.points import Bools, Singles
from reconstruction.network.classes import OUTSIDE_INDEX, Anatomy
from reconstruction.network.engines.engine import InferenceEngine
from reconstruction.network.segmentation import class_probabilities, normalised_entropy
from reconstruction.network.uncertainty.dropout import thinned
from reconstruction.network.uncertainty.perturbation import Perturbation
from reconstruction.network.uncertainty.settings import DROPOUT, SEED
from reconstruction.network.weights import Weights

Progress = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Passes:
    """What the passes say together, on the network's grid.

    Attributes:
        mean: ``(c, nk, nj, ni)`` mean class probabilities.
        mutual_information: entropy of the mean less the mean entropy, over that of a uniform guess: what the passes do
            not agree on, 0 to 1.
        variance: structure to the variance of its probability over the passes.
        agreement: structure to each pass's soft Dice with the answer.
    """

    mean: Singles
    mutual_information: Singles
    variance: Mapping[str, Singles]
    agreement: Mapping[str, tuple[float, ...]]


def run_passes(
    hu: Singles,
    own: Singles,
    answer: Mapping[str, Bools],
    changes: Sequence[Perturbation],
    weights: Weights,
    make_engine: Callable[[Weights], InferenceEngine],
    overlap: float,
    progress: Progress | None = None,
) -> Passes:
    """Runs the network once for each change of the CT, each time with other channels left out.

    Args:
        hu: ``(nk, nj, ni)`` on the network's grid.
        own: ``(c, nk, nj, ni)`` class probabilities of the network as it is: the first pass.
        answer: structure to its voxels there.
        make_engine: loads a network.
    """
    anatomy = weights.ct_anatomy
    count = np.float32(1 + len(changes))
    mean = np.zeros(own.shape, np.float32)
    entropy = np.zeros(hu.shape, np.float32)
    squares = {name: np.zeros(hu.shape, np.float32) for name in answer}
    agreement: dict[str, list[float]] = {name: [] for name in answer}

    def take(said: Singles) -> None:
        nonlocal mean, entropy
        mean += said / count
        entropy += normalised_entropy(said) / count
        for name, mask in answer.items():
            probability = probability_of(anatomy, said, name)
            squares[name] += probability**2 / count
            agreement[name].append(soft_dice(probability, mask))

    take(np.asarray(own, np.float32))
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory(prefix="surgnav-dropout-") as folder:
        for index, change in enumerate(changes):
            engine = make_engine(thinned(weights, DROPOUT, rng, Path(folder)))
            output = class_probabilities(change.apply(hu), weights, engine, overlap)
            take(change.undo(output[: len(anatomy.classes)]))
            if progress is not None:
                progress((index + 1) / len(changes))
    variance = {n: np.maximum(total - probability_of(anatomy, mean, n) ** 2, 0.0) for n, total in squares.items()}
    disagreement = np.maximum(normalised_entropy(mean) - entropy, 0.0)
    return Passes(mean, disagreement, variance, {name: tuple(row) for name, row in agreement.items()})


def probability_of(anatomy: Anatomy, probabilities: Singles, structure: str) -> Singles:
    """Probability of a structure from class probabilities ``(c, nk, nj, ni)``; `body` is all inside the skin."""
    if structure == "body":
        return np.subtract(1.0, probabilities[OUTSIDE_INDEX], dtype=np.float32)
    return np.asarray(probabilities[anatomy.indices(structure)].sum(axis=0), np.float32)


def soft_dice(probability: Singles, mask: Bools) -> float:
    """Dice that is to be expected of a mask if each voxel is the structure's with that probability."""
    total = float(probability.sum(dtype=np.float64)) + float(mask.sum())
    return 2.0 * float(probability[mask].sum(dtype=np.float64)) / total if total else 1.0
