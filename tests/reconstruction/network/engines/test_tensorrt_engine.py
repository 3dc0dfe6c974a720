"""TensorRT as it runs, where there is a GPU that it supports; skipped elsewhere, each time with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reconstruction.network.engines.engine import choose_engine
from reconstruction.network.engines.tensorrt_engine import TensorRtEngine
from reconstruction.network.errors import EngineError
from reconstruction.network.letterbox import letterbox
from reconstruction.network.segmentation import softmax
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights

pytestmark = pytest.mark.gpu

SHIPPED = ("surgnav_ct_v1", "ultrasound_nerve_vessel", "ultrasound_nerve_vessel_tiny", "surgnav_ct_anatomy")
FRAME = np.random.default_rng(4).integers(0, 256, (616, 820)).astype(np.uint8)


def weights_of(name: str) -> Weights:
    (description,) = DEFAULT_WEIGHTS.parent.rglob(f"{name}.json")
    return load_weights(description)


def an_input(weights: Weights, share: float = 1.0) -> np.ndarray:
    """Values of the kind that the network takes, the window's size or a smaller one."""
    sides = [max(1, int(side * share) // weights.stride) * weights.stride for side in weights.window]
    lowest, highest = (-1000, 1000) if weights.dimensions == 3 else (0, 1)
    return np.random.default_rng(9).uniform(lowest, highest, (1, 1, *sides)).astype(np.float32)


def engine_for(weights: Weights, plans: Path, *, graph: bool = True) -> TensorRtEngine:
    try:
        return TensorRtEngine(weights, plans, graph=graph)
    except EngineError as error:
        pytest.skip(f"TensorRT does not run here: {error}")


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the module, so that each plan is built once."""
    return tmp_path_factory.mktemp("plans")


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_it_agrees_with_openvino(plans: Path, name: str, share: float):
    weights = weights_of(name)
    batch = an_input(weights, share)
    expected = softmax(choose_engine("openvino", weights).run(batch))
    engine = engine_for(weights, plans)
    np.testing.assert_allclose(softmax(engine.run(batch)), expected, atol=1e-3)
    two = engine.run(np.concatenate([batch, batch]))
    np.testing.assert_allclose(softmax(two[1:]), expected, atol=1e-3)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_graph_changes_nothing(plans: Path, name: str):
    weights = weights_of(name)
    with_graph, without = engine_for(weights, plans), engine_for(weights, plans, graph=False)
    batch = an_input(weights)
    expected = without.run(batch)
    np.testing.assert_allclose(with_graph.run(batch), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(with_graph.run(-batch), without.run(-batch), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(with_graph.run(batch), expected, rtol=1e-5, atol=1e-5)
    assert with_graph.notes == [], "a graph was captured, and the plan kept"


@pytest.mark.parametrize("size", [(616, 820), (256, 256), (120, 200)])
def test_a_frame_agrees_with_the_path_on_the_cpu(plans: Path, size: tuple[int, int]):
    weights = weights_of("ultrasound_nerve_vessel_tiny")
    pixels = np.ascontiguousarray(FRAME[: size[0], : size[1]])
    seen = np.rint(letterbox(size, (256, 256)).to_grid(pixels.astype(np.float32)))
    logits = choose_engine("openvino", weights).run(seen[None, None] / np.float32(255))
    grey, probabilities = engine_for(weights, plans).run_frame(pixels)
    np.testing.assert_allclose(grey, seen, atol=1)
    np.testing.assert_allclose(probabilities, softmax(logits / np.float32(weights.temperature))[0], atol=1e-3)


def test_a_thousand_frames_need_no_more_memory_than_one(plans: Path):
    torch = pytest.importorskip("torch")
    engine = engine_for(weights_of("ultrasound_nerve_vessel_tiny"), plans)
    first = engine.run_frame(FRAME)[1]
    allocated, (free, _) = torch.cuda.memory_allocated(), torch.cuda.mem_get_info()
    for _ in range(1000):
        last = engine.run_frame(FRAME)[1]
    np.testing.assert_array_equal(last, first)
    assert torch.cuda.memory_allocated() == allocated
    assert torch.cuda.mem_get_info()[0] > free - (1 << 20)


def test_the_second_start_takes_the_plan_of_the_first(tmp_path: Path):
    weights = weights_of("ultrasound_nerve_vessel_tiny")
    batch = an_input(weights)
    first = engine_for(weights, tmp_path).run(batch)
    made = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.plan")}
    np.testing.assert_allclose(engine_for(weights, tmp_path).run(batch), first, atol=1e-3)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.plan")} == made
    assert len(made) == 1


def test_what_the_network_cannot_take_is_refused(plans: Path):
    volumes, images = engine_for(weights_of(SHIPPED[0]), plans), engine_for(weights_of(SHIPPED[2]), plans)
    with pytest.raises(EngineError, match="takes volumes"):
        volumes.run_frame(FRAME)
    with pytest.raises(EngineError, match="of shape"):
        images.run(np.zeros((1, 1, 512, 512), np.float32))
