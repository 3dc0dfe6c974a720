"""The shipped weights are the ones that their description speaks of, byte by byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconstruction.network.errors import WeightsError
from reconstruction.network.weights import DEFAULT_WEIGHTS, load_weights


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
