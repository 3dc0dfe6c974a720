"""The committed ultrasound networks, on held-out frames: what the model card says of them is what they do."""

import json
from pathlib import Path

import numpy as np
import pytest

from reconstruction.network.engines.engine import choose_engine
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights, read_parameters
from reconstruction.training.images.config import ImageTrainingConfig
from reconstruction.training.images.files import TrainingImage, find_images, read_image
from reconstruction.training.images.scores import ImageScores, frame_probabilities, score_frames
from reconstruction.training.read_config import read_config

NAMES = ("ultrasound_nerve_vessel", "ultrasound_nerve_vessel_tiny")
# Pooled Dice on every fourth held-out frame, of nerve and vessel, as measured when the weights were committed.
COMMITTED = {"ultrasound_nerve_vessel": (0.445, 0.733), "ultrasound_nerve_vessel_tiny": (0.469, 0.756)}


def shipped(name: str) -> Weights:
    return load_weights(DEFAULT_WEIGHTS.parent / f"{name}.json")


@pytest.fixture(scope="module")
def config(repository: Path) -> ImageTrainingConfig:
    config = read_config(repository / "reconstruction" / "training" / "images" / "ultrasound_nerve_vessel.toml")
    assert isinstance(config, ImageTrainingConfig)
    return config


@pytest.fixture(scope="module")
def all_held_out(config: ImageTrainingConfig, repository: Path, shared_data: Path) -> list[TrainingImage]:
    beside = repository / "reconstruction" / "training" / "images"
    pairs = [pair for source in config.source for pair in find_images(source, shared_data / "us", beside)]
    return [read_image(pair, config) for pair in pairs if pair.part == "held_out"]


@pytest.fixture(scope="module")
def held_out(all_held_out: list[TrainingImage]) -> list[TrainingImage]:
    return all_held_out[::4]


def measured(name: str, images: list[TrainingImage], engine_name: str = "openvino") -> ImageScores:
    weights = shipped(name)
    engine = choose_engine(engine_name, weights)
    logits = [engine.run(image.grey[None, None].astype(np.float32) / 255)[0] for image in images]
    answers = [
        frame_probabilities(values, weights.temperature, image) for values, image in zip(logits, images, strict=True)
    ]
    return score_frames(zip(answers, [image.classes for image in images], strict=True), weights.classes)


def test_they_are_small_and_say_what_they_are():
    files = list(DEFAULT_WEIGHTS.parent.glob("ultrasound_*.onnx"))
    assert len(files) == 4
    assert sum(path.stat().st_size for path in files) < 10e6
    for name in NAMES:
        weights = shipped(name)
        assert (weights.name, weights.dimensions, weights.window) == (name, 2, (256, 256))
        assert weights.classes == ("background", "nerve", "vessel")
    tiny = sum(values.size for values in read_parameters(shipped(NAMES[1]).onnx).values())
    assert 0.1e6 < tiny < 0.15e6


def test_their_operators_are_those_that_int8_engines_fuse():
    import onnx

    for name in NAMES:
        operators = {node.op_type for node in onnx.load(str(shipped(name).onnx)).graph.node}
        assert operators <= {"Conv", "ConvTranspose", "Relu", "Concat", "Resize", "Identity", "Constant"}


@pytest.mark.parametrize("name", NAMES)
def test_held_out_frames_give_the_committed_dice(name: str, held_out: list[TrainingImage]):
    scores = measured(name, held_out)
    found = scores.pooled_dice["nerve"], scores.pooled_dice["vessel"]
    assert found == pytest.approx(COMMITTED[name], abs=0.01)
    assert scores.calibration_error < 0.05
    assert scores.structure_calibration_error < 0.1


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("name", NAMES)
def test_int8_loses_less_than_a_hundredth_of_dice(name: str, engine: str, all_held_out: list[TrainingImage]):
    """On all held-out frames; none of them decided a scale."""
    single, int8 = measured(name, all_held_out), measured(f"{name}_int8", all_held_out, engine)
    for kind in ("pooled_dice", "median_dice"):
        for structure, dice in getattr(single, kind).items():
            assert getattr(int8, kind)[structure] == pytest.approx(dice, abs=0.01), f"{kind} of {structure}"
    assert int8.structure_calibration_error < 0.05


@pytest.mark.parametrize("name", NAMES)
def test_int8_was_made_from_the_shipped_network(name: str):
    text = json.loads((DEFAULT_WEIGHTS.parent / f"{name}_int8.json").read_text("utf-8"))
    assert (text["precision"], text["made_from_sha256"]) == ("int8", shipped(name).sha256)


def test_no_held_out_frame_was_trained_on(held_out: list[TrainingImage]):
    for name in NAMES:
        trained_on = set(shipped(name).trained_on)
        assert len(trained_on) == 143, "144 frames, of which one is there twice"
        assert not trained_on & {image.fingerprint for image in held_out}
