"""Forms that lie beside a network, and those that only look like its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from reconstruction.network.forms.load import load_forms
from reconstruction.network.weights import DEFAULT_WEIGHTS

NAME = "ultrasound_nerve_vessel_tiny"


def test_the_int8_form_beside_a_network_is_found() -> None:
    names = [weights.name for weights in load_forms(DEFAULT_WEIGHTS.parent / f"{NAME}.json")]
    assert names == [NAME, f"{NAME}_int8"]
    assert len(load_forms(DEFAULT_WEIGHTS.parent / f"{NAME}_int8.json")) == 1
    assert len(load_forms(DEFAULT_WEIGHTS)) == 1


def test_a_form_of_other_weights_is_left_out(tmp_path: Path) -> None:
    for path in DEFAULT_WEIGHTS.parent.glob(f"{NAME}*"):
        shutil.copy(path, tmp_path)
    form = tmp_path / f"{NAME}_int8.json"
    text = json.loads(form.read_text("utf-8")) | {"made_from_sha256": "0" * 64}
    form.write_text(json.dumps(text), "utf-8")
    assert [weights.name for weights in load_forms(tmp_path / f"{NAME}.json")] == [NAME]
