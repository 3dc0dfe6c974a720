"""CT to structures: class probabilities on the network's grid, labels, and where to look twice.

Probabilities, not labels, are the result: a surface at level 0.5 of a probability field lies between voxels, where the
border is. Everything is a suggestion until a named person has approved it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from geometry.clock import StageTimer, run_untimed
from geometry.points import Singles
from geometry.volume import Volume
from reconstruction.network.classes import CLASSES, OUTSIDE_INDEX, Anatomy, structure_probability
from reconstruction.network.engines.engine import InferenceEngine, choose_engine
from reconstruction.network.fingerprint import scan_fingerprint
from reconstruction.network.grid import NetworkGrid, network_grid, resample_hu, to_nearest_lps
from reconstruction.network.islands import IslandRule, clear_islands, clear_islands_of
from reconstruction.network.outside import clear_beside_patient, clear_outside, far_air, place_skin
from reconstruction.network.physics.answer import Answer, all_onto, answer
from reconstruction.network.sliding_window import sliding_window
from reconstruction.network.weights import Weights, load_weights

Progress = Callable[[float], None]

# The liver and the patient are one piece; lungs are two, ribs and cropped bones many. Below these volumes a piece is
# noise: a rib's cross-section through a 5 mm slice has more than 0.3 ml, the smallest lung remnant of use some 5 ml.
DEFAULT_ISLANDS: Mapping[str, IslandRule] = MappingProxyType(
    {
        "bone": IslandRule(smallest_ml=0.3),
        "lung": IslandRule(smallest_ml=5.0),
        "liver": IslandRule(largest_only=True),
        "body": IslandRule(largest_only=True),
    }
)


@dataclass(frozen=True, kw_only=True)
class SegmentationSettings:
    """How to run the network.

    Attributes:
        engine: an engine's name, or None for the first that loads here.
        overlap: share of a window that its neighbour covers too.
        islands: class to rule, which separate pieces stay; empty to keep everything.
    """

    engine: str | None = None
    overlap: float = 0.25
    islands: Mapping[str, IslandRule] = field(default_factory=lambda: DEFAULT_ISLANDS)


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What the network and the CT make of it, on the answer's grid (isotropic, covering the CT), in the CT's frame.

    Attributes:
        probabilities: offered structure to probability, 0 to 1, float32. `body` is everything inside the skin.
        labels: index of the likeliest of `classes`, uint8.
        uncertainty: entropy of the class probabilities over its maximum, 0 sure to 1 undecided, float32.
        engine: name, version and device of the engine that ran the network.
        weights_sha256: SHA-256 of the ONNX file.
        trained_on: fingerprints of the scans that the network was trained on.
        seen_in_training: this very scan is one of them, so its result says nothing about other patients.
        hu: the CT as the network saw it, float32, on the network's grid.
        answer_hu: the CT on the answer's grid, float32.
        overruled: what of the network's result the CT set aside; sentences for a person.
        classes: the network's classes by index.
        class_probabilities: ``(classes, nk, nj, ni)`` float16, as the network gave them, before any correction; on the
            grid of `hu`.
        offsets_mm: ``(3, nk, nj, ni)`` float16, on the grid of `hu`: from the voxel along L, P and S to the centroid of
            its vertebra, where there is one; None if the network does not give them.
    """

    probabilities: Mapping[str, Volume]
    labels: Volume
    uncertainty: Volume
    engine: str
    weights_sha256: str
    trained_on: tuple[str, ...]
    seen_in_training: bool
    hu: Volume
    answer_hu: Volume
    overruled: tuple[str, ...] = ()
    classes: tuple[str, ...] = CLASSES
    class_probabilities: NDArray[np.float16] | None = None
    offsets_mm: NDArray[np.float16] | None = None


def segment(
    ct: Volume,
    settings: SegmentationSettings | None = None,
    progress: Progress | None = None,
    engine: InferenceEngine | None = None,
    weights: Weights | None = None,
    stages: StageTimer | None = None,
) -> Segmentation:
    """Separates the structures in a CT.

    Args:
        ct: HU, any right-handed grid.
        settings: how to run the network; None for the defaults.
        progress: called with the share of windows done.
        engine: an engine already loaded (for several CTs in a row); `settings.engine` is then ignored.
        weights: other weights than the ones in the package.
        stages: times apart what is done: ``load``, ``resample``, ``network`` and ``correct``.

    Raises:
        EngineError, WeightsError: nothing here can run the network.
    """
    settings = settings or SegmentationSettings()
    weights = weights or load_weights()
    run = stages.run if stages else run_untimed
    lps = to_nearest_lps(ct)
    grid = network_grid(lps, weights.ct_spacing_mm)
    engine = run("load", lambda: engine or choose_engine(settings.engine, weights))
    hu = run("resample", lambda: resample_hu(lps, grid))
    said = run("network", lambda: _said(hu, grid, weights, engine, settings.overlap, progress))

    def correct() -> tuple[Answer, tuple[dict[str, Singles], NDArray[np.uint8], Singles]]:
        tidy(said.tissues, hu, settings.islands, weights.ct_spacing_mm)
        found = answer(lps, grid, said.tissues)
        return found, structures_of(weights.ct_anatomy, all_onto(said.classes, grid, found.grid), found.tissues)

    found, (structures, labels, entropy) = run("correct", correct)
    volume = found.volume
    return Segmentation(
        probabilities=MappingProxyType({name: volume(voxels) for name, voxels in structures.items()}),
        labels=volume(labels),
        classes=weights.ct_anatomy.classes,
        class_probabilities=said.classes,
        offsets_mm=said.offsets_mm,
        uncertainty=volume(entropy),
        engine=engine.name,
        weights_sha256=weights.sha256,
        trained_on=weights.trained_on,
        seen_in_training=scan_fingerprint(ct) in weights.trained_on,
        hu=Volume(hu, grid.affine, grid.frame),
        answer_hu=volume(found.hu),
        overruled=found.overruled,
    )


@dataclass(frozen=True, eq=False)
class _Said:
    """What the network says: classes and offsets as `Segmentation` has them, and tissues to be corrected."""

    classes: NDArray[np.float16]
    offsets_mm: NDArray[np.float16] | None
    tissues: Singles


def _said(
    hu: Singles,
    grid: NetworkGrid,
    weights: Weights,
    engine: InferenceEngine,
    overlap: float,
    progress: Progress | None,
) -> _Said:
    output = class_probabilities(hu, weights, engine, overlap, progress)
    classes = output[: len(weights.ct_anatomy.classes)]
    offsets_mm = _offsets_mm(output, weights.ct_anatomy, grid)
    return _Said(classes.astype(np.float16), offsets_mm, weights.ct_anatomy.tissues(classes))


def structures_of(
    anatomy: Anatomy, classes: NDArray[np.float16], tissues: Singles
) -> tuple[dict[str, Singles], NDArray[np.uint8], Singles]:
    """Offered structures, labels and normalised entropy of the network's classes, on one grid.

    Args:
        anatomy: what the classes mean.
        classes: ``(classes, nk, nj, ni)`` as the network gave them.
        tissues: ``(5, nk, nj, ni)``, corrected; each class gets its share of its tissue.
    """
    structures = {name: structure_probability(tissues, "body") for name in anatomy.offered if name == "body"}
    wanted = {name: anatomy.indices(name) for name in anatomy.offered if name != "body"}
    highest, labels = np.full(tissues.shape[1:], -1.0, np.float32), np.zeros(tissues.shape[1:], np.uint8)
    entropy = np.zeros(tissues.shape[1:], np.float32)
    for index, probability in anatomy.shares(classes, tissues):
        likelier = probability > highest
        highest[likelier], labels[likelier] = probability[likelier], index
        entropy -= probability * np.log(np.maximum(probability, 1e-12))
        for name in (name for name, indices in wanted.items() if index in indices):
            structures[name] = structures[name] + probability if name in structures else probability
    return {name: structures[name] for name in anatomy.offered}, labels, entropy / np.float32(np.log(len(classes)))


def _offsets_mm(output: Singles, anatomy: Anatomy, grid: NetworkGrid) -> NDArray[np.float16] | None:
    """Offsets along L, P and S: the network gives them along the grid's own axes i, j, k."""
    if anatomy.offsets_mm is None:
        return None
    axes = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    along = output[len(anatomy.classes) :] * np.float32(anatomy.offsets_mm)
    return np.einsum("ca,akji->ckji", axes.astype(np.float32), along).astype(np.float16)


def tidy(probabilities: Singles, hu: Singles, islands: Mapping[str, IslandRule], spacing_mm: float) -> None:
    """Corrects class probabilities from the scan, in place: room and table, islands, position of the skin.

    Giving away the probability of outside within the patient, and placing the skin, can raise a class above the others
    in a few voxels; so islands are cleared once more in the end.
    """
    voxel_ml = spacing_mm**3 / 1000
    clear_outside(probabilities, hu, spacing_mm)
    clear_beside_patient(probabilities, hu, spacing_mm)
    clear_islands(probabilities, dict(islands), voxel_ml)
    place_skin(probabilities, hu)
    for name, rule in islands.items():
        if name != "body":
            clear_islands_of(probabilities, name, rule, voxel_ml)


def class_probabilities(
    hu: Singles, weights: Weights, engine: InferenceEngine, overlap: float, progress: Progress | None = None
) -> Singles:
    """Softmax classes ``(classes, nk, nj, ni)`` of HU ``(nk, nj, ni)`` on the network's grid.

    Channels that the network regresses follow the classes as they are. Far air, which the network is not
    asked about, is outside.
    """
    # No window larger than the scan needs. What is missing to a multiple of the stride continues the edge: air there
    # would look like skin.
    step = weights.stride
    needed = [-(-n // step) * step for n in hu.shape]
    window = [min(w, n) for w, n in zip(weights.window, needed, strict=True)]
    missing = [max(0, w - n) for w, n in zip(window, hu.shape, strict=True)]
    padded = np.pad(hu, [(m // 2, m - m // 2) for m in missing], mode="edge")

    anatomy = weights.ct_anatomy
    known = np.eye(anatomy.channels, dtype=np.float32)[OUTSIDE_INDEX]
    asked = np.pad(~far_air(hu, weights.ct_spacing_mm), [(m // 2, m - m // 2) for m in missing], mode="edge")

    def predict(batch: Singles) -> Singles:
        output = engine.run(batch)
        return np.concatenate([softmax(output[:, : len(anatomy.classes)]), output[:, len(anatomy.classes) :]], axis=1)

    shape = (window[0], window[1], window[2])
    blended = sliding_window(padded, shape, overlap, predict, known, asked, progress)
    k, j, i = (slice(m // 2, m // 2 + n) for m, n in zip(missing, hu.shape, strict=True))
    return np.ascontiguousarray(blended[:, k, j, i])


def softmax(logits: Singles) -> Singles:
    """Over axis 1 of ``(n, c, ...)``."""
    exponentials = logits - logits.max(axis=1, keepdims=True)
    np.exp(exponentials, out=exponentials)
    exponentials /= exponentials.sum(axis=1, keepdims=True)
    return exponentials


def normalised_entropy(probabilities: Singles) -> Singles:
    """Entropy over classes ``(c, ...)`` divided by that of a uniform guess: 0 sure, 1 undecided."""
    entropy = np.zeros(probabilities.shape[1:], np.float32)
    for p in probabilities:
        entropy -= p * np.log(np.maximum(p, 1e-12))
    return entropy / np.float32(np.log(len(probabilities)))


__all__ = ["CLASSES", "Segmentation", "SegmentationSettings", "segment"]
