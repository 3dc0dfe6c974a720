"""Half precision and INT8 of the shipped network: one file each that engines read, near single precision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from geometry.points import Singles
from geometry.volume import Volume
from reconstruction.network.engines.engine import choose_engine
from reconstruction.network.errors import QuantisationError
from reconstruction.network.forms.quantise import write_precision
from reconstruction.network.forms.write import calibration_frames, calibration_windows, spread, write_form
from reconstruction.network.segmentation import softmax
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights


@pytest.fixture(scope="module")
def windows(phantom_ct: Volume) -> list[Singles]:
    """Eight windows of a phantom, cut to 48 voxels a side so that a test takes seconds."""
    return [window[:, :, 24:72, 24:72, 40:88] for window in calibration_windows(phantom_ct, load_weights())]


@pytest.fixture(scope="module")
def forms(windows: list[Singles], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Weights]:
    out = tmp_path_factory.mktemp("forms")
    given = {"fp32": (), "fp16": (), "int8": windows}
    return {name: load_weights(write_form(DEFAULT_WEIGHTS, name, out, inputs)) for name, inputs in given.items()}


@pytest.mark.parametrize(("name", "far"), [("fp32", 1e-4), ("fp16", 0.02), ("int8", 0.2)])
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_each_form_computes_what_single_precision_does(forms, windows, engine: str, name: str, far: float):
    """Probabilities of windows that the scales were not found on: shifted by half a window."""
    unseen = np.roll(windows[4], 24, axis=4)
    expected = softmax(choose_engine(engine, load_weights()).run(unseen))
    found = softmax(choose_engine(engine, forms[name]).run(unseen))
    assert np.abs(found - expected).max() < far
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.985


def test_int8_is_explicit_symmetric_and_per_channel(forms):
    """What TensorRT asks for: Q/DQ pairs before each convolution, zero points of 0, biases left alone."""
    graph = onnx.load(str(forms["int8"].onnx)).graph
    values = {initializer.name: onnx.numpy_helper.to_array(initializer) for initializer in graph.initializer}
    made_by = {output: node for node in graph.node for output in node.output}
    convolutions = [node for node in graph.node if node.op_type in ("Conv", "ConvTranspose")]
    assert len(convolutions) == 24, "19, of which 5 take two branches"
    single = [node.name for node in convolutions if node.input[1] in values]
    assert len(single) == 4, "the two that take HU, and the head on two branches"
    for node in convolutions:
        assert all(values[bias].dtype == np.float32 for bias in node.input[2:])
        if node.name in single:
            continue
        activation, weights = (made_by[name] for name in node.input[:2])
        assert (activation.op_type, weights.op_type) == ("DequantizeLinear", "DequantizeLinear")
        assert values[weights.input[0]].dtype == np.int8
        assert np.abs(values[weights.input[0]].astype(int)).max() <= 64, "two products must fit 16 bits"
        assert values[weights.input[1]].ndim == 1, "one scale for each output channel"
        assert not values[activation.input[2]].any()
        assert not values[weights.input[2]].any()
    quantised = [node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"]
    assert quantised
    assert not {made_by[name].op_type for name in quantised} & {"Conv", "ConvTranspose", "Concat"}


def test_a_form_says_what_it_was_made_from(forms):
    text = json.loads((forms["int8"].onnx.parent / "surgnav_ct_v1_int8.json").read_text("utf-8"))
    assert (text["precision"], text["made_from_sha256"]) == ("int8", load_weights().sha256)
    assert forms["int8"].onnx.stat().st_size < 0.6 * load_weights().onnx.stat().st_size


def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path: Path):
    source = load_weights().onnx
    with pytest.raises(QuantisationError, match="no calibration data"):
        write_precision(source, tmp_path / "made.onnx", "int8")
    with pytest.raises(QuantisationError, match="fp32, fp16, int8"):
        write_precision(source, tmp_path / "made.onnx", "int4")
    assert list(tmp_path.iterdir()) == []


def test_calibration_windows_are_as_large_as_the_networks_own_and_reach_both_ends():
    weights = load_weights()
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    ramp = np.arange(150, dtype=np.float32)[:, None, None] * np.ones((1, 60, 60), np.float32)
    windows = list(calibration_windows(Volume(ramp, affine, "ct"), weights, count=4))
    assert {window.shape for window in windows} == {(1, 1, *weights.window)}
    assert windows[0].min() == pytest.approx(0.0, abs=1.0)
    assert windows[-1].max() == pytest.approx(149.0, abs=1.0)


def test_calibration_frames_are_those_that_training_and_the_live_path_make():
    weights = load_weights(DEFAULT_WEIGHTS.parent / "ultrasound_nerve_vessel_tiny.json")
    frame = np.zeros((300, 600), np.uint8)
    frame[:, 300:] = 255
    (given,) = calibration_frames([frame], weights)
    assert (given.shape, given.dtype) == ((1, 1, 256, 256), np.float32)
    assert given[0, 0, 128, 60] == 0.0
    assert given[0, 0, 128, 200] == 1.0
    assert not given[0, 0, :60].any(), "a frame twice as wide as high is 128 rows, black above and below"
    assert np.array_equal(np.rint(given * 255), given * 255)


def test_what_a_network_does_not_take_is_refused(phantom_ct: Volume):
    with pytest.raises(QuantisationError, match=r"2 dimensions.*folder of images"):
        next(calibration_windows(phantom_ct, load_weights(DEFAULT_WEIGHTS.parent / "ultrasound_nerve_vessel.json")))
    with pytest.raises(QuantisationError, match=r"3 dimensions.*give a CT"):
        next(calibration_frames([np.zeros((4, 4), np.uint8)], load_weights()))


@pytest.mark.parametrize(("length", "expected"), [(1, [0]), (3, [0, 1, 2]), (9, [0, 3, 5, 8])])
def test_a_choice_is_spread_from_the_first_to_the_last(length: int, expected: list[int]):
    assert spread(length, 4) == expected
