"""The common result of all segmentation readers: label layers on their own grid, and the segments in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from case.mesh_files import Colour
from geometry.volume import Volume

LABELS_ALLOWED = (
    "a label volume (.nii, .nii.gz, .nrrd, .seg.nrrd, .mha, .mhd), a DICOM SEG, or a folder of DICOM SEG or of one "
    "mask a structure"
)


@dataclass(frozen=True)
class Segment:
    """One structure as its file describes it.

    Attributes:
        value: the value of its voxels in its layer.
        name: its name in the file; empty where the file gives none.
        colour: sRGB and opacity, 0 to 1; None where the file gives none.
        layer: index of its layer.
    """

    value: int
    name: str = ""
    colour: Colour | None = None
    layer: int = 0


@dataclass(frozen=True, eq=False)
class SegmentLayers:
    """One file's segmentation.

    Attributes:
        layers: whole numbers on one grid in the frame ``ct``, 0 for nothing; several where segments overlap.
        segments: those that the file names.
        format: the file format, in words.
        warnings: what was changed or lost while reading.
        frame_of_reference_sha256: digest of the DICOM frame of reference, where one is named.
        segments_are_a_table: `segments` only name values; a value without a name is a structure too.
    """

    layers: tuple[Volume, ...]
    segments: tuple[Segment, ...]
    format: str
    warnings: tuple[str, ...] = ()
    frame_of_reference_sha256: str | None = None
    segments_are_a_table: bool = False


def shown_name(text: str) -> str:
    """A name as a person reads it, in any script: one line, nothing that steers a terminal, at most 80 characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()[:80]


def unique_names(wanted: Iterable[str]) -> list[str]:
    """Returns the names made unique: a number is appended to each that came before."""
    taken: set[str] = set()
    names = []
    for name in wanted:
        candidate, count = name, 1
        while candidate in taken:
            count += 1
            candidate = f"{name}_{count}"
        taken.add(candidate)
        names.append(candidate)
    return names
