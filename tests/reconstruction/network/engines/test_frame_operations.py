"""A frame's way in and out in torch: the numbers of the CPU path, by the code that runs on the GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reconstruction.network.engines.cuda_session import Session
from reconstruction.network.engines.frame_operations import FrameOperations
from reconstruction.network.engines.onnxruntime_engine import OnnxRuntimeEngine
from reconstruction.network.letterbox import letterbox
from reconstruction.network.segmentation import softmax
from reconstruction.network.weights import DEFAULT_WEIGHTS, load_weights

CPU = torch.device("cpu")
TINY = DEFAULT_WEIGHTS.parent / "ultrasound_nerve_vessel_tiny.json"
# Wide, tall, the grid's own size, twice it, finer than the grid in both axes and in one.
SIZES = [(616, 820), (600, 200), (256, 256), (512, 512), (100, 180), (80, 700), (1, 1)]


def frame(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(sum(size)).integers(0, 256, size).astype(np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_the_way_in_is_the_letterbox(size: tuple[int, int]):
    pixels, placement = frame(size), letterbox(size, (256, 256))
    expected = np.rint(placement.to_grid(pixels.astype(np.float32))) / np.float32(255)
    found = FrameOperations(placement, 1.0, CPU).before(torch.from_numpy(pixels))
    assert found.shape == (1, 1, 256, 256)
    # A sum in another order may round half a grey value the other way, here and there.
    difference = np.abs(found[0, 0].numpy() - expected) * 255
    assert difference.max() < 1.01
    assert (difference > 0.01).mean() < 1e-3


def test_the_way_out_is_the_softmax_of_tempered_logits():
    logits = np.random.default_rng(1).normal(0, 5, (1, 3, 64, 64)).astype(np.float32)
    image = np.random.default_rng(2).integers(0, 256, (1, 1, 64, 64)).astype(np.float32)
    operations = FrameOperations(letterbox((64, 64), (64, 64)), 1.7, CPU)
    grey, probabilities = operations.after(torch.from_numpy(image / 255), torch.from_numpy(logits))
    np.testing.assert_array_equal(grey.numpy(), image[0, 0].astype(np.uint8))
    np.testing.assert_allclose(probabilities.numpy(), softmax(logits / np.float32(1.7))[0], atol=1e-6)


@pytest.mark.parametrize("size", [(616, 820), (300, 250)])
def test_a_whole_frame_agrees_with_the_cpu_path(size: tuple[int, int]):
    """A network between both ways, in a session as the GPU's, without the GPU."""
    weights = load_weights(TINY)
    engine, pixels, placement = OnnxRuntimeEngine(weights), frame(size), letterbox(size, (256, 256))
    operations = FrameOperations(placement, weights.temperature, CPU)

    def compute(values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        image = operations.before(values)
        return operations.after(image, torch.from_numpy(engine.run(image.numpy())))

    session = Session(compute, size, torch.uint8, CPU, graph=True)
    assert session.no_graph == "no GPU"
    grey, probabilities = session.run(pixels)
    seen = np.rint(placement.to_grid(pixels.astype(np.float32)))
    expected = softmax(engine.run(seen[None, None] / np.float32(255)) / np.float32(weights.temperature))[0]
    assert grey.dtype == np.uint8
    np.testing.assert_allclose(grey, seen, atol=1)
    np.testing.assert_allclose(probabilities, expected, atol=1e-3)


def test_a_session_gives_each_caller_arrays_of_his_own():
    session = Session(lambda values: (values * 2, values.sum()), (2, 3), torch.float32, CPU, graph=False)
    first = session.run(np.ones((2, 3), np.float32))
    second = session.run(np.full((2, 3), 5, np.float32))
    np.testing.assert_array_equal(first[0], np.full((2, 3), 2))
    np.testing.assert_array_equal(second[0], np.full((2, 3), 10))
    assert (first[1], second[1]) == (6, 30)
