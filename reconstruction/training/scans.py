"""Labelled scans from files: found by glob, read into LPS, their labels named.

A training set may come from any source, so the images here are read without the CT reader's quality verdict, but with
the same care for axes: ITK gives LPS, and a left-handed grid is flipped together with its affine.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geometry.extras import from_extra
from geometry.volume import Volume
from reconstruction.network.errors import TrainingDataError
from reconstruction.training.config import Source

# Two grids are the same when their affines agree to a hundredth of a millimetre over the volume.
GRID_TOLERANCE_MM = 0.01


@dataclass(frozen=True)
class ScanFiles:
    """Where one labelled scan lies."""

    source: str
    image: Path
    labels: tuple[Path, ...]
    validation: bool

    @property
    def name(self) -> str:
        return f"{self.source}/{_stem(self.image)}"


@dataclass(frozen=True)
class LabelledScan:
    """HU and numbered labels on one grid in `ct`, with the labels' names."""

    name: str
    ct: Volume
    labels: Volume
    names: Mapping[int, str]


@dataclass(frozen=True)
class LabelMap:
    """Numbered labels in `ct` without a CT.

    Attributes:
        name: of the map.
        labels: the map.
        names: label number to name.
        bone_ct: a CT on the map's grid that shows its dense bone only, or None.
        trusted_mm: how far from the labels what is unlabelled is known to be none of them; None is everywhere.
    """

    name: str
    labels: Volume
    names: Mapping[int, str]
    bone_ct: Volume | None
    trusted_mm: float | None


def find_scans(source: Source, data: Path) -> list[ScanFiles]:
    """The scans of one source under `data`.

    Raises:
        TrainingDataError: no image matches, or an image has no label.
    """
    images = sorted(data.glob(source.images))
    if not images:
        raise TrainingDataError(
            f"no file under the data folder that matches {source.images!r} (source {source.name!r})",
            "at least one image per source",
            f"get the data ({source.attribution}) or name its folder with the data option",
        )
    validation = {path for pattern in source.validation for path in data.glob(pattern)}
    if source.labels is None:
        return [ScanFiles(source.name, image, (), image in validation) for image in images]
    scans = []
    for image in images:
        folder = image.parent.relative_to(data).as_posix()
        pattern = source.labels.format(folder=folder, stem=_stem(image))
        labels = tuple(sorted(data.glob(pattern)))
        if not labels:
            came = f"{image.name}, which has no labels at {pattern!r}"
            raise TrainingDataError(came, "labels for each image", "add them")
        scans.append(ScanFiles(source.name, image, labels, image in validation))
    return scans


def read_scan(files: ScanFiles, source: Source, data: Path) -> LabelledScan:
    """Reads one scan with its labels.

    Raises:
        TrainingDataError: unreadable, or image and labels on different grids.
    """
    ct = read_volume(files.image)
    if len(files.labels) == 1:
        labels = read_volume(files.labels[0])
        names = read_names(source, data)
    else:
        masks = [read_volume(path) for path in files.labels]
        merged = np.zeros(masks[0].voxels.shape, np.uint16)
        for number, mask in enumerate(masks, start=1):
            check_same_grid(masks[0], mask, files.labels[number - 1])
            merged[np.greater(mask.voxels, 0)] = number
        labels = masks[0].with_voxels(merged)
        names = {number: _stem(path) for number, path in enumerate(files.labels, start=1)}
    check_same_grid(ct, labels, files.labels[0])
    return LabelledScan(files.name, ct, labels, names)


def read_label_map(files: ScanFiles, source: Source, data: Path) -> LabelMap:
    """Reads a label map that stands for a scan.

    Raises:
        TrainingDataError: unreadable, a label without a name, or its bone's CT on another grid.
    """
    labels, names = read_volume(files.image), read_names(source, data)
    present = np.flatnonzero(np.bincount(np.asarray(labels.voxels).ravel()))
    nameless = sorted(set(present.tolist()) - set(names) - {0})
    if nameless:
        came = f"{files.image.name} with the label {nameless[0]}, which has no name"
        raise TrainingDataError(came, "a name for each label", "add it to names or the csv")
    bone_ct = None
    if source.bone_ct is not None:
        bone_ct = read_volume(data / source.bone_ct)
        check_same_grid(labels, bone_ct, data / source.bone_ct)
    return LabelMap(files.name, labels, names, bone_ct, source.trusted_mm)


def read_names(source: Source, data: Path) -> dict[int, str]:
    """Label number to name, from the inline table or the csv."""
    names = dict(source.names)
    if source.names_csv is not None:
        path = data / source.names_csv
        try:
            with path.open(newline="", encoding="utf-8") as file:
                names.update({int(row[source.csv_id]): row[source.csv_name] for row in csv.DictReader(file)})
        except (OSError, KeyError, ValueError) as error:
            raise TrainingDataError(
                f"{path.name}, which cannot be read ({type(error).__name__}: {error})",
                f"a csv with the columns {source.csv_id!r} and {source.csv_name!r}",
                "name the columns in csv_id and csv_name",
            ) from error
    if not names:
        came = f"the source {source.name!r} without names of labels"
        raise TrainingDataError(came, "names_csv or [source.names]", "add one of them")
    return names


def read_volume(path: Path) -> Volume:
    """Any image file that ITK reads, or a folder with one DICOM series, as a right-handed Volume in `ct`."""
    with from_extra("training"):
        import SimpleITK as sitk

    try:
        if path.is_dir():
            image = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path)))
        else:
            image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise TrainingDataError(
            f"{path.name}, which cannot be read", "an image that ITK reads", "check the file"
        ) from error
    voxels = sitk.GetArrayFromImage(image)
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    if np.linalg.det(affine[:3, :3]) < 0:
        affine[:3, 3] += affine[:3, 0] * (voxels.shape[2] - 1)
        affine[:3, 0] *= -1
        voxels = np.ascontiguousarray(voxels[:, :, ::-1])
    return Volume(voxels, affine)


def check_same_grid(a: Volume, b: Volume, path: Path) -> None:
    """Raises TrainingDataError where `b`, read from `path`, does not lie on the grid of `a`."""
    if a.shape_ijk != b.shape_ijk or np.abs(a.corners_mm - b.corners_mm).max() > GRID_TOLERANCE_MM:
        raise TrainingDataError(
            f"{path.name} on a grid of {b.shape_ijk} voxels, not {a.shape_ijk}, or at another place",
            "one grid for an image and its labels",
            "resample the labels",
        )


def _stem(path: Path) -> str:
    return path.name.split(".", 1)[0]
