"""The shipped weights are the ones that their description speaks of, byte by byte."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from reconstruction.network.errors import WeightsError
from reconstruction.network.weights import DEFAULT_WEIGHTS, load_weights, shipped_ct_networks


def test_one_bit_that_is_another_is_refused(tmp_path: Path) -> None:
    shipped = load_weights()
    description = Path(shutil.copy(DEFAULT_WEIGHTS, tmp_path))
    content = bytearray(shipped.onnx.read_bytes())
    (tmp_path / shipped.onnx.name).write_bytes(content)
    assert load_weights(description).sha256 == shipped.sha256
    content[len(content) // 2] ^= 1
    (tmp_path / shipped.onnx.name).write_bytes(content)
    with pytest.raises(WeightsError, match="SHA-256"):
        load_weights(description)


def test_what_is_not_offered_can_be_asked_for():
    weights = load_weights(shipped_ct_networks()["surgnav_ct_anatomy"])
    structures = tuple(weights.ct_anatomy.structures)
    few = replace(weights, anatomy=replace(weights.ct_anatomy, offered=("body", "bone")))
    assert few.offering(["kidney"]).ct_anatomy.offered == tuple(
        s for s in structures if s in ("body", "bone", "kidney")
    )
    assert few.offering(["all"]).ct_anatomy.offered == structures
    with pytest.raises(WeightsError, match=r"'heart', which .* one of .*kidney.*all"):
        few.offering(["heart"])
