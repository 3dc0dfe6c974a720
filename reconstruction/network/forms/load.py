"""The forms of a network that lie beside one another in a folder."""

from __future__ import annotations

import json
from pathlib import Path

from reconstruction.network.weights import Weights, load_weights


def load_forms(description: Path) -> tuple[Weights, ...]:
    """The network of that description, and its INT8 form where `write_form` has left one beside it.

    A form that was made from other weights is left out.

    Raises:
        WeightsError: as `load_weights`.
    """
    weights = load_weights(description)
    int8 = description.with_name(f"{weights.name}_int8.json")
    if int8 == description or not int8.is_file():
        return (weights,)
    form = load_weights(int8)
    made_from = json.loads(int8.read_text("utf-8")).get("made_from_sha256")
    return (weights, form) if made_from == weights.sha256 else (weights,)
