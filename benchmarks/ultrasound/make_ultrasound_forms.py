"""Writes the INT8 forms of the shipped ultrasound networks, calibrated on frames that they were trained on.

    python benchmarks/ultrasound/make_ultrasound_forms.py DATA [--out reconstruction/network/weights]

DATA holds usgra_train/. Only frames of the split's part `training` decide the scales, evenly spread over it; so the
held-out ones still say how good the forms are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from reconstruction.network.forms.write import CALIBRATION_FRAMES, calibration_frames, spread, write_form
from reconstruction.network.weights import DEFAULT_WEIGHTS, load_weights
from reconstruction.training.images.config import ImageTrainingConfig
from reconstruction.training.images.files import find_images, read_pixels, to_grey
from reconstruction.training.read_config import read_config

TRAINING = Path(__file__).resolve().parents[2] / "reconstruction" / "training" / "images"
SHIPPED = ("ultrasound_nerve_vessel", "ultrasound_nerve_vessel_tiny")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=DEFAULT_WEIGHTS.parent)
    options = parser.parse_args()
    config = read_config(TRAINING / "ultrasound_nerve_vessel.toml")
    assert isinstance(config, ImageTrainingConfig)
    found = [pair for source in config.source for pair in find_images(source, options.data, TRAINING)]
    trained_on = [pair.image for pair in found if pair.part == "training"]
    chosen = [trained_on[index] for index in spread(len(trained_on), CALIBRATION_FRAMES)]
    frames = [np.rint(to_grey(read_pixels(path))).astype(np.uint8) for path in chosen]
    for name in SHIPPED:
        description = DEFAULT_WEIGHTS.parent / f"{name}.json"
        written = write_form(description, "int8", options.out, calibration_frames(frames, load_weights(description)))
        print(f"{written.stem}: {written.with_suffix('.onnx').stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
