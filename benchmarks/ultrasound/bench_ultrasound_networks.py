"""Nerve and vessel on held-out frames: Dice and calibration of the shipped networks and of their rivals, in one run.

    python benchmarks/ultrasound/bench_ultrasound_networks.py DATA [--rival RIVAL.json] [--part held_out]

DATA holds usgra_train/ and networks_of_others/. The rivals:

* MONAI's plain U-Net (channels 16 to 256), trained alike: same frames, augmentation, batches, steps and schedule.
  `surgnav train reconstruction/training/images/ultrasound_rival.toml --data DATA --out out/train/rival` makes it.
* The public carotid network (ImFusion, TorchScript), for vessels. Its description asks for floating-point grey values,
  resampled to 0.25 mm and padded by mirroring to multiples of 16. The frames here state no pixel size, so several pixel
  sizes are tried, with values 0 to 255 and 0 to 1, and the best result counts, which favours this network. It was
  trained on carotids from one scanner and on no nerves.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from geometry.points import Singles
from reconstruction.network.engines.engine import choose_engine
from reconstruction.network.letterbox import Letterbox, letterbox
from reconstruction.network.weights import DEFAULT_WEIGHTS, load_weights
from reconstruction.training.images.config import ImageTrainingConfig
from reconstruction.training.images.files import TrainingImage, find_images, read_image, read_pixels, to_grey
from reconstruction.training.images.scores import ImageScores, frame_probabilities, score_frames
from reconstruction.training.read_config import read_config

TRAINING = Path(__file__).resolve().parents[2] / "reconstruction" / "training" / "images"
SHIPPED = ("ultrasound_nerve_vessel", "ultrasound_nerve_vessel_tiny")
PIXELS_MM = (0.06, 0.08, 0.1, 0.125, 0.15)
# The network's classes: background, artery.
CAROTID = ("background", "vessel")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rival", type=Path, help="description of the rival trained alike")
    parser.add_argument("--networks", type=Path, nargs="*", help="descriptions instead of the shipped ones")
    parser.add_argument("--part", default="held_out", choices=["held_out", "validation", "training"])
    options = parser.parse_args()
    config = read_config(TRAINING / "ultrasound_nerve_vessel.toml")
    assert isinstance(config, ImageTrainingConfig)
    found = [pair for source in config.source for pair in find_images(source, options.data, TRAINING)]
    pairs = [pair for pair in found if pair.part == options.part]
    images = [read_image(pair, config) for pair in pairs]
    print(f"{len(images)} frames, part {options.part}")
    print("network                        median Dice    pooled Dice    calibration error")
    print("                               nerve  vessel  nerve  vessel  all     structures")
    networks = options.networks or [DEFAULT_WEIGHTS.parent / f"{name}.json" for name in SHIPPED]
    for path in [*networks, *([options.rival] if options.rival else [])]:
        show(path.stem, score_frames(network_answers(path, images), config.class_names))
    carotid = options.data / "networks_of_others" / "imfusion_carotid" / "carotid.pt"
    if carotid.exists():
        frames = [to_grey(read_pixels(pair.image)) for pair in pairs]
        best, tried = best_carotid(carotid, frames, images)
        show(f"carotid ({tried})", best)


def network_answers(description: Path, images: list[TrainingImage]) -> Iterator[tuple[Singles, Singles]]:
    """Calibrated probabilities on each frame's pixels, beside its mask."""
    weights = load_weights(description)
    engine = choose_engine("openvino", weights)
    for image in images:
        logits = engine.run(image.grey[None, None].astype(np.float32) / 255)[0]
        yield frame_probabilities(logits, weights.temperature, image), image.classes


def best_carotid(path: Path, frames: list[Singles], images: list[TrainingImage]) -> tuple[ImageScores, str]:
    """The result of the public network with the best median Dice over the pixel sizes and value ranges, and which."""
    import torch

    network = torch.jit.load(str(path), map_location="cpu").eval()
    results = []
    for pixel_mm in PIXELS_MM:
        for divisor, values in ((1.0, "0..255"), (255.0, "0..1")):
            scored = score_frames(carotid_answers(network, frames, images, pixel_mm / 0.25, divisor), CAROTID)
            results.append((scored, f"{pixel_mm} mm, {values}"))
    return max(results, key=lambda result: result[0].median_dice.get("vessel", 0.0))


def carotid_answers(
    network: Callable[[object], object],
    frames: list[Singles],
    images: list[TrainingImage],
    scale: float,
    divisor: float,
) -> Iterator[tuple[Singles, Singles]]:
    """Probabilities of background and artery on each frame's pixels; nerves in the mask count as background."""
    import torch

    for grey, image in zip(frames, images, strict=True):
        placed = scaled(grey, scale)
        small = placed.to_grid(grey) / np.float32(divisor)
        h, w = small.shape
        padded = np.pad(small, ((0, -h % 16), (0, -w % 16)), mode="symmetric")
        with torch.inference_mode():
            out = torch.as_tensor(network(torch.from_numpy(padded)[None, None]))[0, :, :h, :w]
        probabilities = torch.softmax(out, dim=0).numpy()
        vessel = (image.classes == 2).astype(np.uint8)
        yield placed.to_frame(probabilities), vessel


def scaled(grey: Singles, scale: float) -> Letterbox:
    """A placement that only changes the pixel's size."""
    frame = (grey.shape[0], grey.shape[1])
    return letterbox(frame, (round(frame[0] * scale), round(frame[1] * scale)))


def show(name: str, scores: ImageScores) -> None:
    kinds = (scores.median_dice, scores.pooled_dice)
    cells = [kind.get(structure) for kind in kinds for structure in ("nerve", "vessel")]
    dice = "  ".join("   - " if cell is None else f"{cell:.3f}" for cell in cells)
    print(f"{name:30} {dice}   {scores.calibration_error:.4f}  {scores.structure_calibration_error:.4f}", flush=True)


if __name__ == "__main__":
    main()
