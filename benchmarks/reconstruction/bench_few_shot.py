"""Few-shot tuning on a real CT that the shipped network never saw: Dice on the unseen rest, and what is forgotten.

TPTBox's lumbar crop has its vertebrae labelled. The network learns from the crop's lower half; Dice is measured in the
upper half, which it does not see, and for what the network knew before in the upper slices of TotalSegmentator's
example, from its own training. Plain tuning, which takes what has no label for background, is measured beside ours.

    python benchmarks/reconstruction/bench_few_shot.py ../shared/data [--from MODEL.json] [--windows 20]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from geometry.volume import Volume
from reconstruction.ct.read import read_ct
from reconstruction.labels.read import read_labels
from reconstruction.network.engines.torch_engine import load_network
from reconstruction.network.grid import to_nearest_lps
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights
from reconstruction.training.tuning.judging import Dices, dice_on
from reconstruction.training.tuning.learning import between, learn
from reconstruction.training.tuning.settings import TuningSettings
from reconstruction.training.tuning.site import SiteScan, site_scan

UPPER_SLICES = 24  # of TotalSegmentator's example: liver, lungs, spine and ribs, quick enough


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--from", dest="parent", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--windows", type=int, default=20, help="to learn from")
    parser.add_argument("--side", type=int, default=32, help="of a window, voxels")
    arguments = parser.parse_args()
    weights = load_weights(arguments.parent)
    folder = arguments.data / "ct" / "tptbox_vertebra_crop"
    crop = folder / "sub-ct_label-22_ct.nii.gz", folder / "sub-ct_seg-vert_label-22_msk.nii.gz"
    lower, upper = (_part(*crop, None, half, weights) for half in ((0.0, 0.5), (0.5, 1.0)))
    folder = arguments.data / "ct" / "totalseg_example"
    example = folder / "totalseg_example_ct_3mm.nii.gz", folder / "totalseg_example_seg_3mm.nii.gz"
    known = _part(*example, folder / "totalseg_example_labels.csv", UPPER_SLICES, weights)
    scans = {"learnt from": lower, "unseen half": upper, "known before": known}

    network, old = load_network(weights), load_network(weights).state_dict()

    def row(title: str, seconds: float) -> None:
        found = {name: _rounded(dice_on(network, weights, [scan])) for name, scan in scans.items()}
        print(f"{title:28} {seconds:5.0f} s  {found}", flush=True)

    print(
        f"{weights.name}, {weights.ct_spacing_mm:g} mm, {arguments.windows} windows of {arguments.side} voxels a side"
    )
    row("before", 0.0)
    ours = TuningSettings(iterations=arguments.windows, largest_side=arguments.side, average_over=5)
    for title, settings, shares in (("ours", ours, (1.0, 0.5)), ("plain", replace(ours, keep_old=False), (1.0,))):
        started = time.perf_counter()
        new = learn(load_network(weights), weights, [lower], [], settings)
        seconds = time.perf_counter() - started
        for share in shares:
            network.load_state_dict(between(old, new, share))
            row(f"{title}, {share:g} of the way", seconds)


def _rounded(dices: Dices) -> Dices:
    return {name: round(value, 3) for name, value in dices.items()}


def _part(
    ct: Path, labels: Path, names_csv: Path | None, part: tuple[float, float] | int, weights: Weights
) -> SiteScan:
    """Slices of a labelled scan from the feet on: a range in shares of its height, or so many at its upper end."""
    scan = read_ct(ct)
    reading = read_labels(labels, scan, names_csv=names_csv)
    volume, mask = to_nearest_lps(scan.volume), to_nearest_lps(reading.layers[0])
    count = len(volume.voxels)
    first, last = (count - part, count) if isinstance(part, int) else (int(part[0] * count), int(part[1] * count))
    names = {s.value: s.name if names_csv is not None else "vertebrae" for s in reading.structures}
    return site_scan(labels.name, _cut(volume, first, last), [(_cut(mask, first, last), names)], weights)


def _cut(volume: Volume, first: int, last: int) -> Volume:
    affine = volume.affine.copy()
    affine[:3, 3] = volume.index_to_mm([[0, 0, first]])[0]
    return Volume(np.ascontiguousarray(volume.voxels[first:last]), affine, volume.frame)


if __name__ == "__main__":
    main()
