"""Makes the statistics of the frames that the nerve and vessel networks were trained on, without those held out.

    python benchmarks/ultrasound/make_ultrasound_familiarity.py DATA

writes ultrasound_nerve_vessel.familiarity.json and that of the tiny network, which has seen the same frames, beside
the weights in reconstruction/network/weights/. DATA holds usgra_train/.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from reconstruction.network.weights import DEFAULT_WEIGHTS
from reconstruction.training.images.config import ImageTrainingConfig
from reconstruction.training.images.familiarity import FALSE_ALARMS, GAINS, ZOOMS, fit_familiarity
from reconstruction.training.images.files import find_images, read_pixels, to_grey
from reconstruction.training.images.split import read_groups
from reconstruction.training.read_config import read_config
from reconstruction.ultrasound.frame_familiarity import SUFFIX, write_familiarity

TRAINING = Path(__file__).resolve().parents[2] / "reconstruction" / "training" / "images"
NETWORKS = ("ultrasound_nerve_vessel", "ultrasound_nerve_vessel_tiny")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    config = read_config(TRAINING / "ultrasound_nerve_vessel.toml")
    assert isinstance(config, ImageTrainingConfig)
    source = config.source[0]
    assert source.split
    pairs = [pair for pair in find_images(source, data, TRAINING) if pair.part != "held_out"]
    group_of = read_groups(TRAINING / source.split)
    familiarity = fit_familiarity(
        [to_grey(read_pixels(pair.image)).astype(np.uint8) for pair in pairs],
        [group_of[pair.image.stem] for pair in pairs],
        f"{len(pairs)} frames of {source.name}, none of them held out, with gains {GAINS} and zooms {ZOOMS}; limit: "
        f"passed by {FALSE_ALARMS:.0%} of them when their group is left out. {source.attribution}",
    )
    for network in NETWORKS:
        path = (DEFAULT_WEIGHTS.parent / network).with_suffix(SUFFIX)
        write_familiarity(familiarity, path)
        print(f"{path.name}: {len(pairs)} frames, limit {familiarity.limit:.2f}, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
