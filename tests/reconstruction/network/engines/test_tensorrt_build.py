"""Every shipped network goes through TensorRT's own parser and builder, in every precision, without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconstruction.network.engines import tensorrt_versions
from reconstruction.network.engines.tensorrt_build import build_plan, window_shapes
from reconstruction.network.engines.tensorrt_versions import import_tensorrt
from reconstruction.network.errors import EngineError
from reconstruction.network.forms.write import calibration_windows, write_form
from reconstruction.network.weights import DEFAULT_WEIGHTS, load_weights

pytestmark = pytest.mark.usefixtures("rtx")


SHIPPED = "as shipped"
# Network, form; layers as the parser makes them; convolutions by what they take in.
BUILT = [
    ("surgnav_ct_v1", SHIPPED, 239, {"FLOAT": 19}),
    ("surgnav_ct_v1", "fp32", 168, {"FLOAT": 19}),
    ("surgnav_ct_v1", "fp16", 170, {"HALF": 19}),
    ("surgnav_ct_v1", "int8", 313, {"FLOAT": 4, "INT8": 20}),
    ("surgnav_ct_anatomy", SHIPPED, 239, {"FLOAT": 19}),
    ("surgnav_ct_anatomy", "fp32", 168, {"FLOAT": 19}),
    ("surgnav_ct_anatomy", "fp16", 170, {"HALF": 19}),
    ("surgnav_ct_anatomy", "int8", 313, {"FLOAT": 4, "INT8": 20}),
    ("ultrasound_nerve_vessel", SHIPPED, 55, {"FLOAT": 23}),
    ("ultrasound_nerve_vessel", "fp32", 46, {"FLOAT": 23}),
    ("ultrasound_nerve_vessel", "fp16", 48, {"HALF": 23}),
    ("ultrasound_nerve_vessel_int8", SHIPPED, 255, {"FLOAT": 2, "INT8": 25}),
    ("ultrasound_nerve_vessel_tiny", SHIPPED, 45, {"FLOAT": 18}),
    ("ultrasound_nerve_vessel_tiny", "fp32", 36, {"FLOAT": 18}),
    ("ultrasound_nerve_vessel_tiny", "fp16", 38, {"HALF": 18}),
    ("ultrasound_nerve_vessel_tiny_int8", SHIPPED, 195, {"FLOAT": 2, "INT8": 19}),
]


@pytest.mark.parametrize(("name", "form", "layers", "convolutions"), BUILT, ids=lambda value: str(value)[:40])
def test_every_shipped_network_is_parsed_and_built(
    tmp_path: Path, phantom_ct, name: str, form: str, layers: int, convolutions: dict[str, int]
):
    (description,) = DEFAULT_WEIGHTS.parent.rglob(f"{name}.json")
    if form != SHIPPED:
        windows = calibration_windows(phantom_ct, load_weights(), 2) if form == "int8" else ()
        description = write_form(description, form, tmp_path, [part[:, :, :32, 32:64, 48:80] for part in windows])
    weights = load_weights(description)
    plan = build_plan(weights.onnx.read_bytes(), window_shapes(weights), timing_cache=tmp_path / "timing.cache")
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(plan.precisions.items(), reverse=True))
    print(f"\n| {name} | {form} | {plan.layers} | {counted} | {len(plan.content) / 1e6:.1f} MB |")
    assert (plan.layers, plan.precisions) == (layers, convolutions)
    assert len(plan.content) > weights.onnx.stat().st_size, "the parameters are in it"
    assert plan.builder.startswith("tensorrt_rtx ")


def test_no_shipped_network_is_left_out():
    shipped = {path.stem for path in DEFAULT_WEIGHTS.parent.rglob("*.onnx")}
    assert {name for name, *_ in BUILT} == shipped


def test_a_network_that_it_cannot_parse_is_an_error_with_its_words():
    with pytest.raises(EngineError, match="cannot read"):
        build_plan(b"no network", window_shapes(load_weights()))


def test_without_tensorrt_the_error_names_the_extras(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tensorrt_versions, "MODULES", ("tensorrt_of_nobody",))
    with pytest.raises(EngineError, match=r"\[tensorrt\].*\[tensorrt-rtx\]"):
        import_tensorrt()
