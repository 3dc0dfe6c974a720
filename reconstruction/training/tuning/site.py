"""A site's labelled scans: a folder of folders, each with a CT and its labels, or a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from case.case import Case
from case.folder import MANIFEST
from geometry.points import Singles
from geometry.volume import Volume
from reconstruction import in_case
from reconstruction.ct.read import read_ct
from reconstruction.labels.grid import same_grid
from reconstruction.labels.read import LabelReading, read_labels
from reconstruction.network.errors import TrainingDataError
from reconstruction.network.fingerprint import scan_fingerprint
from reconstruction.network.grid import network_grid, resample, resample_hu, to_nearest_lps
from reconstruction.network.weights import Weights
from reconstruction.training.tuning.names import classes_of, without_shared

LAYOUT = "a folder of folders, each a case, or one with a CT (ct.nii.gz or a folder ct) and its labels (labels.nii.gz)"
NAMES = "labels.csv"


@dataclass(frozen=True, eq=False)
class SiteScan:
    """A labelled scan on the network's grid.

    Attributes:
        name: of its folder.
        fingerprint: as `Weights.trained_on` holds it.
        hu: ``(nk, nj, ni)`` float32.
        shares: classes that a label may mean -> 255 times the label's share of each voxel, uint8 ``(nk, nj, ni)``. What
            is in none of them is unknown, but is none of these classes.
        unknown: names of labels that the network has no class for.
    """

    name: str
    fingerprint: str
    hu: Singles
    shares: Mapping[tuple[int, ...], NDArray[np.uint8]]
    unknown: tuple[str, ...] = ()


def read_site(folder: Path, weights: Weights) -> list[SiteScan]:
    """All labelled scans of a folder, by name.

    Raises:
        TrainingDataError: no scan, one without CT or labels, or without any label that the network has a class for.
        UnreadableInputError, CtRefusedError, LabelsError: a scan or its labels cannot be read, or do not fit.
    """
    folders = sorted(path for path in folder.glob("*") if path.is_dir())
    if not folders:
        raise TrainingDataError("a folder without labelled scans", LAYOUT, "put each scan into a folder of its own")
    return [_read(path, weights) for path in folders]


def site_scan(name: str, ct: Volume, labels: Sequence[tuple[Volume, Mapping[int, str]]], weights: Weights) -> SiteScan:
    """Brings a CT and its label layers (values and their names) onto the network's grid.

    Raises:
        TrainingDataError: no label that the network has a class for.
    """
    lps = to_nearest_lps(ct)
    grid = network_grid(lps, weights.ct_spacing_mm)
    named = [(volume, value, label) for volume, names in labels for value, label in names.items()]
    meant = {label: classes_of(label, weights.classes) for _, _, label in named}
    if not any(meant.values()):
        raise TrainingDataError(
            f"labels of '{name}' ({', '.join(list(meant)[:6])}) that '{weights.name}' has no class for",
            f"names of TotalSegmentator, or one of {', '.join(weights.classes[1:])}",
            f"name the labels in {NAMES}",
        )
    own = without_shared(group for group in meant.values() if group)
    shares: dict[tuple[int, ...], Singles] = {}
    for volume, value, label in named:
        if meant[label]:
            key = own[meant[label]]
            mask = to_nearest_lps(volume)
            share = resample(mask.with_voxels(np.equal(mask.voxels, value)), grid)
            shares[key] = np.minimum(1.0, shares[key] + share) if key in shares else share
    return SiteScan(
        name=name,
        fingerprint=scan_fingerprint(ct),
        hu=resample_hu(lps, grid),
        shares={key: np.rint(share * 255).astype(np.uint8) for key, share in shares.items()},
        unknown=tuple(sorted(label for label, group in meant.items() if not group)),
    )


def _read(folder: Path, weights: Weights) -> SiteScan:
    if (folder / MANIFEST).is_file():
        return _read_case(Case.open(folder), folder.name, weights)
    ct = _one(folder, "ct")
    labels, table = _one(folder, "labels"), folder / NAMES
    names = next((path for path in (table, folder.parent / NAMES) if path.is_file()), None)
    scan = read_ct(ct)
    reading = read_labels(labels, scan, names_csv=names)
    return site_scan(folder.name, scan.volume, _layers(reading, scan.volume), weights)


def _read_case(case: Case, name: str, weights: Weights) -> SiteScan:
    """What a person has approved or edited: a network's own suggestion would only teach it what it says already."""
    volume, names = in_case.read_labels(case)
    approved = {name for name in case.structures() if case.state(name) in ("approved", "edited")}
    taken = {value: label for value, label in names.items() if label in approved}
    if not taken:
        raise TrainingDataError(
            f"the case '{name}', of which nobody has approved a structure",
            "structures that a person has approved",
            "look at them with 'surgnav review', or take the case out of the folder",
        )
    return site_scan(name, in_case.read_ct(case).volume, [(volume, taken)], weights)


def _layers(reading: LabelReading, ct: Volume) -> list[tuple[Volume, Mapping[int, str]]]:
    if not all(same_grid(layer, ct) for layer in reading.layers):
        raise TrainingDataError("labels on another grid than their CT's", "the CT's grid", "resample the labels")
    names: list[dict[int, str]] = [{} for _ in reading.layers]
    for structure in reading.structures:
        names[structure.layer][structure.value] = structure.name
    return list(zip(reading.layers, names, strict=True))


def _one(folder: Path, stem: str) -> Path:
    found = [p for p in folder.iterdir() if p.name.split(".", 1)[0].lower() == stem and p.suffix.lower() != ".csv"]
    if len(found) != 1:
        raise TrainingDataError(f"{len(found)} files or folders named '{stem}' in '{folder.name}'", LAYOUT, "keep one")
    return found[0]
