"""From a checkpoint of a 2D network to ONNX and its description, with the temperature that calibrates it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from reconstruction.network.export import load_checkpoint, write_onnx
from reconstruction.network.image_network import build_image_network, fold_batch_norm, image_stride
from reconstruction.network.weights import FORMAT
from reconstruction.training.images.config import ImageTrainingConfig
from reconstruction.training.images.files import TrainingImage
from reconstruction.training.images.scores import fit_temperature, logits_of

INPUT = "image"


def export_images(
    checkpoint: Path, description: Path, config: ImageTrainingConfig, validation: Sequence[TrainingImage]
) -> None:
    """Writes ``<name>.onnx`` and its description (JSON), the description last.

    The running average of the weights is exported, batch normalisation folded into the convolutions, all in single
    precision. Without validation images the temperature is 1.
    """
    state, network = load_checkpoint(checkpoint), config.network
    built = build_image_network(network.channels, len(config.class_names), network.family)
    built.load_state_dict(state["average"])
    folded = fold_batch_norm(built)
    temperature = fit_temperature([logits_of(folded, [image])[0] for image in validation], validation)
    onnx_path = description.with_suffix(".onnx")
    description.parent.mkdir(parents=True, exist_ok=True)
    write_onnx(folded, network.window, onnx_path, INPUT, half=False)
    names = config.class_names
    text = {
        "format": FORMAT,
        "name": config.name,
        "dimensions": 2,
        "task": config.task,
        "onnx": onnx_path.name,
        "sha256": hashlib.sha256(onnx_path.read_bytes()).hexdigest(),
        "input": "grey 0 to 1, float32 (n, 1, h, w), row 0 at the probe",
        "input_name": INPUT,
        "input_shape": [1, 1, *network.window],
        "preprocessing": "mean of the colours over 255, on the window by reconstruction.network.letterbox",
        "output": f"logits, float32 (n, {len(names)}, h, w); softmax of logits over temperature is calibrated",
        "classes": list(names),
        "window": list(network.window),
        "stride": image_stride(network.channels, network.family),
        "family": network.family,
        "channels": list(network.channels),
        "temperature": round(temperature, 4),
        "licences": [f"{source.name}: {source.licence}" for source in config.source],
        "trained_iterations": state["iteration"],
        "trained_on": state["trained_on"],
    }
    description.write_text(json.dumps(text, indent=2) + "\n", "utf-8")
