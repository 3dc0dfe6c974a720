"""Every shipped network goes through TensorRT's own parser and builder, in every precision, without a GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reconstruction.network.engines import tensorrt_versions
from reconstruction.network.engines.tensorrt_build import build_plan, window_shapes
from reconstruction.network.engines.tensorrt_versions import import_tensorrt
from reconstruction.network.errors import EngineError
from reconstruction.network.forms.write import calibration_windows, write_form
from reconstruction.network.weights import DEFAULT_WEIGHTS, load_weights

pytestmark = pytest.mark.usefixtures("rtx")


@pytest.mark.parametrize(
    ("precision", "counted"), [("fp32", {"FLOAT": 19}), ("fp16", {"HALF": 19}), ("int8", {"FLOAT": 24, "INT8": 12})]
)
def test_each_precision_is_parsed_and_built(tmp_path: Path, phantom_ct, precision: str, counted: dict[str, int]):
    inputs = ()
    if precision == "int8":
        inputs = [window[:, :, :32, 32:64, 48:80] for window in calibration_windows(phantom_ct, load_weights(), 2)]
    weights = load_weights(write_form(DEFAULT_WEIGHTS, precision, tmp_path, inputs))
    plan = build_plan(weights.onnx.read_bytes(), window_shapes(weights), timing_cache=tmp_path / "timing.cache")
    assert len(plan.content) > 1_000_000
    assert plan.precisions == counted
    assert plan.layers > 100
    assert plan.builder.split()[0] in tensorrt_versions.MODULES


def test_a_network_that_it_cannot_parse_is_an_error_with_its_words():
    with pytest.raises(EngineError, match="cannot read"):
        build_plan(b"no network", window_shapes(load_weights()))


def test_without_tensorrt_the_error_names_the_extras(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tensorrt_versions, "MODULES", ("tensorrt_of_nobody",))
    with pytest.raises(EngineError, match=r"\[tensorrt\].*\[tensorrt-rtx\]"):
        import_tensorrt()


@pytest.mark.parametrize("name", ["ultrasound_nerve_vessel", "ultrasound_nerve_vessel_tiny"])
@pytest.mark.parametrize(("precision", "type_"), [("fp32", "FLOAT"), ("fp16", "HALF"), ("int8", "INT8")])
def test_ultrasound_networks_are_parsed_and_built(tmp_path: Path, name: str, precision: str, type_: str):
    frames = [np.random.default_rng(seed).random((1, 1, 256, 256), dtype=np.float32) for seed in range(2)]
    description = DEFAULT_WEIGHTS.parent / f"{name}.json"
    weights = load_weights(write_form(description, precision, tmp_path, frames if precision == "int8" else ()))
    plan = build_plan(weights.onnx.read_bytes(), window_shapes(weights))
    assert plan.precisions[type_] > 5
    assert len(plan.content) > 100_000
