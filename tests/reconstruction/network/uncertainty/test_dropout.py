"""Dropout that is written into the weights: the right channels, the right scale, the same for the same seed."""

from pathlib import Path

import numpy as np
import pytest

from reconstruction.network.engines.engine import choose_engine
from reconstruction.network.uncertainty.dropout import FEWEST_CHANNELS, thinned
from reconstruction.network.weights import load_weights, read_parameters

RATE = 0.25


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory):
    return thinned(load_weights(), RATE, np.random.default_rng(3), tmp_path_factory.mktemp("dropout"))


def test_channels_are_left_out_and_the_rest_makes_up_for_them(one) -> None:
    before, after = read_parameters(load_weights().onnx), read_parameters(one.onnx)
    residual, unit = (f"body.model.1.submodule.0.{part}.weight" for part in ("residual", "conv.unit0.conv"))
    left_out = np.abs(after[unit]).sum(axis=(0, 2, 3, 4)) == 0.0
    assert 0 < left_out.sum() < len(left_out)
    np.testing.assert_array_equal(left_out, np.abs(after[residual]).sum(axis=(0, 2, 3, 4)) == 0.0)
    kept = after[unit][:, ~left_out] / before[unit][:, ~left_out]
    # Stored in half precision.
    np.testing.assert_allclose(kept, 1.0 / (1.0 - RATE), rtol=2e-3)


def test_the_windows_of_hu_and_the_head_stay_whole(one) -> None:
    before, after = read_parameters(load_weights().onnx), read_parameters(one.onnx)
    for name in ("head.weight", "body.model.0.conv.unit0.conv.weight"):
        assert before[name].shape[1] < FEWEST_CHANNELS
        np.testing.assert_array_equal(before[name], after[name])


def test_the_same_seed_is_the_same_network_and_another_is_another(one, tmp_path: Path) -> None:
    again, other = (thinned(load_weights(), RATE, np.random.default_rng(seed), tmp_path) for seed in (3, 4))
    assert (again.sha256, again.onnx.name) == (one.sha256, one.onnx.name)
    assert other.sha256 != one.sha256


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_engines_run_it_as_it_is(one, engine: str, tmp_path: Path) -> None:
    window = np.random.default_rng(0).normal(0, 200, (1, 1, 32, 32, 32)).astype(np.float32)
    whole = choose_engine(engine).run(window)
    none_left_out = thinned(load_weights(), 0.0, np.random.default_rng(0), tmp_path)
    np.testing.assert_allclose(choose_engine(engine, none_left_out).run(window), whole, atol=1e-4)
    assert np.abs(choose_engine(engine, one).run(window) - whole).max() > 0.1
