"""An nnU-Net v2 model here beside nnU-Net's own predictor: time and agreement, same folder, same CT, by turns.

    python benchmarks/reconstruction/bench_guests.py [--rounds 3] [--nnunet FOLDER]

The model is of the size that nnU-Net's planner gives a CT of 1.5 mm (PlainConvUNet, six stages, 32 to 320 features,
patch 64 x 96 x 96 so that a round is short), with random weights, as the time does not depend on them. nnU-Net is where
``scripts/setup tests`` installs it, apart. Both predict the whole chain: crop, resampling, windows, labels on the CT's
grid. Loading is left out on both sides. Times are medians over the rounds; the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from geometry.volume import Volume
from reconstruction.guests.axes import along
from reconstruction.guests.kinds import open_guest, read_card
from reconstruction.phantom.torso import TorsoPhantomSettings, make_torso_phantom
from tests.reconstruction.guests.nnunet import models as make

FEATURES = [32, 64, 128, 256, 320, 320]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nnunet", type=Path, default=Path(sys.prefix) / "nnunet")
    options = parser.parse_args()
    paths = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
    sys.path.append(str(options.nnunet))
    with tempfile.TemporaryDirectory() as name:
        os.environ.update(dict.fromkeys(paths, name))
        folder, ct = write_model(Path(name) / "model"), middle_of_a_trunk()
        compare(folder, ct, options.rounds)


def write_model(folder: Path) -> Path:
    """The folder of a model as nnU-Net leaves it."""
    stages = len(FEATURES)
    built = make.architecture(make.PLAIN)
    built["arch_kwargs"] |= {
        "n_stages": stages,
        "features_per_stage": FEATURES,
        "kernel_sizes": [[3, 3, 3]] * stages,
        "strides": [[1, 1, 1], *[[2, 2, 2]] * 4, [1, 2, 2]],
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
    }
    chosen = make.configuration(spacing=[1.5, 1.5, 1.5], patch_size=[64, 96, 96], architecture=built)
    make.write_texts(folder, make.plans(chosen), make.dataset(make.LABELS))
    from tests.reconstruction.guests.nnunet.by_nnunet import write_weights

    write_weights(folder, ["0"])
    return folder


def middle_of_a_trunk() -> Volume:
    """A CT of 2 mm, some 150 x 200 x 200 mm."""
    ct = make_torso_phantom(TorsoPhantomSettings(spacing_mm=(2.0, 2.0, 2.0)), np.random.default_rng(0)).ct
    k, j, i = (n // 2 for n in ct.voxels.shape)
    where = tuple(slice(max(0, m - h), m + h) for m, h in zip((k, j, i), (38, 50, 50), strict=True))
    return Volume(np.ascontiguousarray(ct.voxels[where]), np.diag([2.0, 2.0, 2.0, 1.0]), ct.frame)


def compare(folder: Path, ct: Volume, rounds: int) -> None:
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    guest = open_guest(read_card(folder, "bench"))
    predictor = nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), None)
    turned = along(ct, guest.card.orientation)
    image, spacing = np.ascontiguousarray(turned.voxels)[None].astype(np.float32), turned.spacing_mm[::-1].tolist()
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        labels, seconds = timed(lambda: guest.segment(ct).layers[0].voxels)
        ours.append(seconds)
        expected, seconds = timed(
            lambda: predictor.predict_single_npy_array(image, {"spacing": spacing}, None, None, False)
        )
        theirs.append(seconds)
        same = float((np.asarray(labels) == expected).mean())
        assert len(np.unique(expected)) > 1, "a network that answers alike everywhere compares nothing"
        print(json.dumps({"round": number, "ours_s": ours[-1], "nnunet_s": theirs[-1], "same_labels": same}))
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(f"{guest.engine}; nnU-Net in torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"nnU-Net takes {ratio:.2f} times as long; labels agree in {same:.5f} of the voxels of {ct.shape_ijk}")


def timed(run: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    result = run()
    return result, round(time.perf_counter() - start, 2)


if __name__ == "__main__":
    main()
