"""Reads segmentations of any supported program: labels placed by their header, with names and warnings.

A segmentation is placed by its own header, never by its array: grids may differ and axes may be reversed. One that
cannot be placed in the CT is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from case.mesh_files import Colour
from case.names import plain_name
from geometry.volume import Volume
from reconstruction.ct.dicom.files import is_dicom, list_files
from reconstruction.ct.dicom.headers import scan_headers
from reconstruction.ct.errors import CtRefusedError
from reconstruction.ct.file_kinds import SUFFIXES, FileKind, file_kind
from reconstruction.ct.itk import read_itk_volume
from reconstruction.ct.nifti import load_nifti, read_nifti_volume
from reconstruction.ct.scan import CtScan
from reconstruction.errors import LabelsError
from reconstruction.labels.dicom_seg import SEG_CLASSES, read_dicom_seg
from reconstruction.labels.grid import Placement, place_labels, same_grid, take_for_ct_voxels
from reconstruction.labels.names import names_in_nifti, read_label_names
from reconstruction.labels.segments import LABELS_ALLOWED, Segment, SegmentLayers, shown_name, unique_names
from reconstruction.labels.slicer import read_slicer_segmentation

HIGHEST_LABEL = 65_535


@dataclass(frozen=True)
class LabelledStructure:
    """One structure of a segmentation.

    Attributes:
        name: its name in the case: lower case, digits, ``_`` and ``-``; unique.
        value: the value of its voxels, unique over all layers.
        layer: index into `LabelReading.layers`.
        given_name: its name in the file, in any script; empty where the file gives none.
        colour: sRGB and opacity, 0 to 1; None where the file gives none.
        voxels: the number of its voxels.
    """

    name: str
    value: int
    layer: int
    given_name: str
    colour: Colour | None
    voxels: int


@dataclass(frozen=True, eq=False)
class LabelReading:
    """A segmentation of a CT.

    Attributes:
        layers: uint8 or uint16 in the frame ``ct``, 0 for nothing; more than one only where structures overlap or were
            given on several grids. On the CT's grid where the voxel centres coincide, else each on its own.
        structures: those with at least one voxel, by value.
        format: the file format, in words, without path or name.
        warnings: what was changed or lost on the way: another grid, labels outside the CT, empty segments.
    """

    layers: tuple[Volume, ...]
    structures: tuple[LabelledStructure, ...]
    format: str
    warnings: tuple[str, ...]


def read_labels(
    path: str | PathLike[str],
    scan: CtScan,
    *,
    names_csv: str | PathLike[str] | None = None,
    on_ct_grid: bool = False,
) -> LabelReading:
    """Reads a segmentation of `scan`.

    Args:
        path: a label volume (NIfTI with or without TotalSegmentator's names in its header, NRRD, MetaImage), 3D
            Slicer's ``.seg.nrrd``, a DICOM SEG, a folder of DICOM SEG, or a folder of one mask a structure, each
            named by its file.
        scan: the CT that it belongs to.
        names_csv: value and name, for volumes; counts before names in the file.
        on_ct_grid: labels whose header places them nowhere are the CT's voxels, one for one; else they are refused.

    Raises:
        LabelsError: no segmentation, not whole numbers, nothing in it, or not of this CT.
        UnreadableInputError: a path that does not exist, an archive, a file that is cut short.
    """
    names = None if names_csv is None else read_label_names(Path(names_csv))
    try:
        parts = list(_read_parts(Path(path)))
        packer = _Packer(scan, single=len(parts) == 1 and len(parts[0].layers) == 1, on_ct_grid=on_ct_grid)
        for part in parts:
            packer.add(part, names)
    except CtRefusedError as error:  # the volume readers' messages name a CT
        reasons = "; ".join(error.verdict.reasons)
        raise LabelsError(f"a segmentation with {reasons}", error.allowed, error.action) from None
    return packer.result()


def place_layers(part: SegmentLayers, scan: CtScan) -> LabelReading:
    """Places a segmentation that is in memory already, as `read_labels` places one from a file.

    Raises:
        LabelsError: nothing in it, or not of this CT.
    """
    packer = _Packer(scan, single=len(part.layers) == 1, on_ct_grid=False)
    packer.add(part, None)
    return packer.result()


def _read_parts(path: Path) -> Iterator[SegmentLayers]:
    kind = file_kind(path, LABELS_ALLOWED)
    if kind is FileKind.FOLDER:
        yield from _read_folder(path)
    elif kind is FileKind.NIFTI:
        table = names_in_nifti(load_nifti(path).header)
        yield SegmentLayers((read_nifti_volume(path),), table, "NIfTI labels", segments_are_a_table=True)
    elif kind is FileKind.NRRD:
        yield read_slicer_segmentation(path)
    elif kind is FileKind.METAIMAGE:
        yield SegmentLayers((read_itk_volume(path),), (), "MetaImage labels", segments_are_a_table=True)
    else:
        yield read_dicom_seg(path)


def _read_folder(folder: Path) -> Iterator[SegmentLayers]:
    files = list_files(folder)
    dicom = [path for path in files if is_dicom(path)]
    if dicom:
        found = scan_headers(dicom)
        segmentations = [header.path for header in found.slices if header.sop_class in SEG_CLASSES]
        if found.broken or not segmentations:
            came = found.broken[0] if found.broken else "a folder of DICOM without a segmentation"
            raise LabelsError(came, LABELS_ALLOWED, "give the SEG object, complete")
        yield from (read_dicom_seg(path) for path in segmentations)
        return
    masks = [path for path in files if path.name.lower().endswith(SUFFIXES[FileKind.NIFTI])]
    if not masks:
        raise LabelsError("a folder without any segmentation", LABELS_ALLOWED, "check the path")
    for number, path in enumerate(masks, start=1):
        volume = read_nifti_volume(path)
        if not np.isin(volume.voxels, (0, 1, 255)).all():
            raise LabelsError(
                f"mask {number} of {len(masks)} with values other than 0 and 1",
                "one mask per file where there are several files",
                "give the path of the volume of several labels itself",
            )
        mask = volume.with_voxels((volume.voxels != 0).astype(np.uint8))
        yield SegmentLayers((mask,), (Segment(1, path.name.partition(".")[0]),), "NIfTI masks")


class _Packer:
    """Puts segment after segment into as few layers as their overlaps and grids allow."""

    def __init__(self, scan: CtScan, single: bool, on_ct_grid: bool) -> None:
        self._scan, self._single, self._on_ct_grid = scan, single, on_ct_grid
        self._layers: list[tuple[Volume, NDArray[np.uint16]]] = []  # a grid, and what has been put on it so far
        self._found: list[tuple[Segment, int]] = []  # with its number of voxels; value and layer are those of here
        self._warnings: list[str] = []
        self._format = ""

    def add(self, part: SegmentLayers, names: Mapping[int, str] | None) -> None:
        ours = self._scan.info.frame_of_reference_sha256
        if ours and part.frame_of_reference_sha256 and part.frame_of_reference_sha256 != ours:
            raise LabelsError(
                "a segmentation in another frame of reference than the CT's",
                "the same frame of reference",
                "give the segmentation of this CT, or register it first",
            )
        self._format = part.format
        self._warnings += part.warnings
        for number, layer in enumerate(part.layers):
            self._add_layer(layer, part, number, names)

    def _add_layer(self, layer: Volume, part: SegmentLayers, number: int, names: Mapping[int, str] | None) -> None:
        whole = layer.with_voxels(_whole_numbers(layer.voxels))
        placement = self._place(whole)
        self._warnings += placement.warnings
        present = _counts(placement.labels.voxels)
        values = np.zeros(HIGHEST_LABEL + 1, np.uint16)
        added: list[tuple[Segment, int]] = []
        for segment in self._segments(part, number, present, names):
            count = int(present[segment.value])
            if not count:
                self._warnings.append(f"'{shown_name(segment.name) or segment.value}' has no voxel")
                continue
            values[segment.value] = segment.value if self._single else len(self._found) + len(added) + 1
            added.append((segment, count))
        if added:
            into = self._merge(placement.labels, values[placement.labels.voxels])
            self._found += [(Segment(int(values[s.value]), s.name, s.colour, into), count) for s, count in added]

    def _place(self, labels: Volume) -> Placement:
        if not labels.voxels.any():
            return Placement(labels, ())
        if self._on_ct_grid:
            return take_for_ct_voxels(labels, self._scan.volume, self._scan.info.i_reversed)
        return place_labels(labels, self._scan.volume)

    def _segments(
        self, part: SegmentLayers, number: int, present: NDArray[np.int64], names: Mapping[int, str] | None
    ) -> list[Segment]:
        """The segments of one layer: those that the file or the table names, and what else has voxels."""
        known = [segment for segment in part.segments if segment.layer == number]
        if not part.segments_are_a_table:
            stray = set(np.flatnonzero(present)) - {0} - {segment.value for segment in known}
            if stray:
                self._warnings.append(f"voxels of {len(stray)} values that no segment has were left out")
            return known
        table = {segment.value: segment for segment in known}
        listed = [Segment(v, (names or {}).get(v, ""), None) for v in map(int, np.flatnonzero(present)) if v]
        chosen = [
            Segment(
                s.value, s.name or (table[s.value].name if s.value in table else ""), _colour_of(table.get(s.value))
            )
            for s in listed
        ]
        nameless = sum(not segment.name for segment in chosen)
        if nameless and (names or table):
            self._warnings.append(f"{nameless} of {len(chosen)} values without a name, called label_ and their value")
        return chosen

    def _merge(self, grid: Volume, added: NDArray[np.uint16]) -> int:
        """Adds voxels to the first layer on this grid that they do not overlap with; which one that was."""
        for number, (own, layer) in enumerate(self._layers):
            if same_grid(own, grid) and not any(
                (old.astype(bool) & new.astype(bool)).any() for old, new in zip(layer, added, strict=True)
            ):
                np.add(layer, added, out=layer)
                return number
        self._layers.append((grid, added))
        return len(self._layers) - 1

    def result(self) -> LabelReading:
        if not self._found:
            raise LabelsError("a segmentation without any labelled voxel", "at least one structure", "check the file")
        kind = np.uint8 if max(segment.value for segment, _ in self._found) < 256 else np.uint16
        names = unique_names(plain_name(segment.name, segment.value) for segment, _ in self._found)
        structures = tuple(
            LabelledStructure(name, segment.value, segment.layer, shown_name(segment.name), segment.colour, voxels)
            for name, (segment, voxels) in zip(names, self._found, strict=True)
        )
        layers = tuple(grid.with_voxels(layer.astype(kind)) for grid, layer in self._layers)
        return LabelReading(layers, structures, self._format, tuple(dict.fromkeys(self._warnings)))


def _counts(placed: NDArray[Any]) -> NDArray[np.int64]:
    """Voxels of each value ``(65536,)``; slice by slice, for bincount makes eight bytes of each voxel."""
    counts = np.zeros(HIGHEST_LABEL + 1, np.int64)
    for part in placed:
        counts += np.bincount(part.reshape(-1), minlength=HIGHEST_LABEL + 1)
    return counts


def _colour_of(segment: Segment | None) -> Colour | None:
    return None if segment is None else segment.colour


def _whole_numbers(voxels: NDArray[np.generic]) -> NDArray[np.uint16]:
    low, high = float(voxels.min()), float(voxels.max())
    whole = voxels.dtype.kind in "iub" or all(np.array_equal(part, np.rint(part)) for part in voxels)
    if not whole or low < 0 or high > HIGHEST_LABEL:
        what = "fractions" if not whole else "whole numbers"
        raise LabelsError(
            f"{what} from {low:g} to {high:g} as labels",
            f"whole numbers from 0 to {HIGHEST_LABEL}",
            "give labels, not probabilities or a CT; cut probabilities at one half first",
        )
    return voxels.astype(np.uint16)
