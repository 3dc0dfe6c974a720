"""Networks of this program's own format that did not come with it: what ``surgnav train`` writes."""

from __future__ import annotations

import json
from pathlib import Path

from reconstruction.guests.card import NOT_STATED, ModelCard
from reconstruction.guests.errors import ModelError
from reconstruction.guests.files import digests, read_json
from reconstruction.network.errors import WeightsError
from reconstruction.network.weights import Weights, load_weights


def is_own_network(path: Path) -> bool:
    """Whether this looks like the description that ``surgnav train`` writes beside its ONNX file."""
    if not path.is_file() or path.suffix.lower() != ".json":
        return False
    try:
        text = json.loads(path.read_bytes())
    except ValueError:
        return False
    return isinstance(text, dict) and {"onnx", "classes", "sha256"} <= text.keys()


def read_own_card(path: Path, name: str) -> ModelCard:
    """The card of a trained network, from its description.

    Raises:
        ModelError: the description or its ONNX file is missing or damaged, or it is a network of images.
    """
    weights = _load(path)
    i, j, k = reversed(weights.window)
    licence = read_json(path).get("licence")
    return ModelCard(
        name=name,
        kind="surgnav",
        path=str(path),
        structures=weights.ct_anatomy.offered,
        spacing_mm=(weights.ct_spacing_mm,) * 3,
        orientation="LPS",
        window=(i, j, k),
        trained_on=f"{len(weights.trained_on)} scans, known by their fingerprints",
        modality="CT",
        files=digests(path.parent, [path, weights.onnx]),
        licence=str(licence or NOT_STATED),
    )


def load_own(card: ModelCard) -> Weights:
    """The network of a card of this kind.

    Raises:
        ModelError: its files cannot be used.
    """
    return _load(Path(card.path))


def _load(path: Path) -> Weights:
    try:
        weights = load_weights(path)
    except WeightsError as error:
        raise ModelError(error.came, error.allowed, error.action) from error
    if weights.dimensions != 3:
        came = f"{path.name}, a network of {weights.dimensions}D images"
        raise ModelError(came, "a network of CT", "give it to 'surgnav ultrasound run --model'")
    return weights
