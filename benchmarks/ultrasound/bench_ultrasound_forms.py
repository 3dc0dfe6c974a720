"""Every form of the shipped ultrasound networks by every engine, on the same held-out frames, in one run.

    python benchmarks/ultrasound/bench_ultrasound_forms.py DATA [--part held_out]

DATA holds usgra_train/. fp32 and int8 are the shipped files; fp16 is written by `write_form`, as `surgnav engine build
--precision fp16` does. For each: median and pooled Dice of nerve and vessel at the frames' own pixels, expected
calibration error over all pixels and over those of structures, the largest difference of the four Dice from single
precision in OpenVINO, and the share of pixels on the network's grid with the same class as there. Last what
`choose_fastest` takes of the shipped forms, by these frames.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from geometry.points import Singles
from navigation.clock import MonotonicClock
from reconstruction.network.engines.choice import choose_fastest, this_processor
from reconstruction.network.engines.engine import InferenceEngine
from reconstruction.network.engines.onnxruntime_engine import OnnxRuntimeEngine
from reconstruction.network.engines.openvino_engine import OpenVinoEngine
from reconstruction.network.forms.write import write_form
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights
from reconstruction.training.images.config import ImageTrainingConfig
from reconstruction.training.images.files import TrainingImage, find_images, read_image
from reconstruction.training.images.scores import ImageScores, frame_probabilities, score_frames
from reconstruction.training.read_config import read_config

TRAINING = Path(__file__).resolve().parents[2] / "reconstruction" / "training" / "images"
SHIPPED = ("ultrasound_nerve_vessel", "ultrasound_nerve_vessel_tiny")
ENGINES: dict[str, Callable[[Weights], InferenceEngine]] = {
    "OpenVINO f32": OpenVinoEngine,
    "OpenVINO bf16": lambda weights: OpenVinoEngine(weights, "bf16"),
    "ONNX Runtime": OnnxRuntimeEngine,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--part", default="held_out", choices=["held_out", "validation"])
    options = parser.parse_args()
    config = read_config(TRAINING / "ultrasound_nerve_vessel.toml")
    assert isinstance(config, ImageTrainingConfig)
    found = [pair for source in config.source for pair in find_images(source, options.data, TRAINING)]
    images = [read_image(pair, config) for pair in found if pair.part == options.part]
    processor = this_processor()
    print(f"{len(images)} frames, part {options.part}; OpenVINO on {processor.name}")
    if not processor.has_bf16:
        print("OpenVINO bf16 is left out: this processor has no bf16 of its own")
    print("form, engine                                    median Dice    pooled Dice    calibration     Dice to  same")
    print(
        "                                                nerve  vessel  nerve  vessel  all    struct.  fp32     class"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in SHIPPED:
            for line in table(name, Path(folder), images, processor.has_bf16):
                print(line, flush=True)


def table(name: str, folder: Path, images: list[TrainingImage], has_bf16: bool) -> Iterator[str]:
    """The lines of one network: each form by each engine, single precision in OpenVINO first."""
    description = DEFAULT_WEIGHTS.parent / f"{name}.json"
    forms = {
        "fp32": load_weights(description),
        "fp16": load_weights(write_form(description, "fp16", folder)),
        "int8": load_weights(DEFAULT_WEIGHTS.parent / f"{name}_int8.json"),
    }
    reference: tuple[ImageScores, Singles] | None = None
    for form, weights in forms.items():
        for engine, make in ENGINES.items():
            if engine == "OpenVINO bf16" and not has_bf16:
                continue
            scores, classes = answers(weights, make(weights), images)
            reference = reference or (scores, classes)
            farthest = max(abs(a - b) for a, b in zip(dice(scores), dice(reference[0]), strict=True))
            same = (classes == reference[1]).mean()
            label = f"{name.removeprefix('ultrasound_')} {form}, {engine}"
            cells = "  ".join(f"{value:.4f}" for value in dice(scores))
            errors = f"{scores.calibration_error:.4f}  {scores.structure_calibration_error:.4f}"
            yield f"{label:46} {cells}  {errors}  {farthest:.4f}  {100 * same:.3f} %"
    batch = np.stack([image.grey for image in images])[:, None].astype(np.float32) / 255
    choice = choose_fastest([forms["fp32"], forms["int8"]], batch, MonotonicClock())
    for row in choice.measured[1:]:
        lowest = (
            "no structure" if row.lowest_dice is None else f"lowest Dice with single precision {row.lowest_dice:.3f}"
        )
        yield f"{row.candidate}: {lowest}; {'not used' if row.refused else 'may be used'}"
    yield f"chosen: {choice.weights.name}, {choice.engine.name}"


def answers(weights: Weights, engine: InferenceEngine, images: list[TrainingImage]) -> tuple[ImageScores, Singles]:
    """Scores at the frames' own pixels, and the classes on the network's grid."""
    logits = [engine.run(image.grey[None, None].astype(np.float32) / 255)[0] for image in images]
    pairs = (
        (frame_probabilities(values, weights.temperature, image), image.classes)
        for values, image in zip(logits, images, strict=True)
    )
    return score_frames(pairs, weights.classes), np.stack([values.argmax(axis=0) for values in logits])


def dice(scores: ImageScores) -> list[float]:
    """Of nerve and vessel: medians, then pooled."""
    return [kind[structure] for kind in (scores.median_dice, scores.pooled_dice) for structure in ("nerve", "vessel")]


if __name__ == "__main__":
    main()
