"""One frame through a network: the same answer as by the steps of training, whatever the frame's size."""

from __future__ import annotations

import numpy as np
import pytest

from reconstruction.network.engines.engine import InferenceEngine, choose_engine
from reconstruction.network.engines.frame_operations import FrameOperations
from reconstruction.network.letterbox import letterbox
from reconstruction.network.segmentation import softmax
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights
from reconstruction.ultrasound.errors import UltrasoundError
from reconstruction.ultrasound.segment import FrameSegmenter
from tests.reconstruction.ultrasound.frames import made_frame

TINY = DEFAULT_WEIGHTS.parent / "ultrasound_nerve_vessel_tiny.json"


def test_a_frame_gets_the_calibrated_answer_of_the_network() -> None:
    weights = load_weights(TINY)
    pixels = made_frame(None)
    engine = choose_engine("onnxruntime", weights)
    segmented = FrameSegmenter(weights, engine).segment(pixels)
    placed = letterbox((400, 300), (256, 256))
    grey = np.rint(placed.to_grid(pixels.astype(np.float32)))
    logits = engine.run((grey / 255)[None, None].astype(np.float32))
    expected = softmax(logits / np.float32(weights.temperature))[0]
    np.testing.assert_allclose(segmented.probabilities, expected, atol=1e-6)
    assert segmented.placement == placed
    assert segmented.classes == ("background", "nerve", "vessel")


class WholeFrames:
    """An engine that does all of it, with the operations that a GPU runs, on the CPU."""

    name = "whole frames"

    def __init__(self, weights: Weights, engine: InferenceEngine) -> None:
        self._weights, self._engine = weights, engine

    def run(self, batch: np.ndarray) -> np.ndarray:
        raise AssertionError("whole frames go to run_frame")

    def run_frame(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        import torch

        placed = letterbox((pixels.shape[0], pixels.shape[1]), (256, 256))
        operations = FrameOperations(placed, self._weights.temperature, torch.device("cpu"))
        image = operations.before(torch.from_numpy(pixels))
        logits = torch.from_numpy(self._engine.run(image.numpy()))
        grey, probabilities = operations.after(image, logits)
        return grey.numpy().astype(np.uint8), probabilities.numpy()


def test_an_engine_that_takes_whole_frames_gives_the_same_answer() -> None:
    weights = load_weights(TINY)
    engine = choose_engine("onnxruntime", weights)
    pixels = made_frame(None)
    whole = FrameSegmenter(weights, WholeFrames(weights, engine)).segment(pixels)
    here = FrameSegmenter(weights, engine).segment(pixels)
    np.testing.assert_allclose(whole.probabilities, here.probabilities, atol=2e-3)
    assert np.abs(whole.grey - here.grey).max() <= 1
    assert np.isfinite(whole.scores).all()


def test_a_network_of_volumes_is_refused() -> None:
    weights = load_weights(DEFAULT_WEIGHTS)
    with pytest.raises(UltrasoundError, match="takes volumes"):
        FrameSegmenter(weights, choose_engine("onnxruntime", weights))
