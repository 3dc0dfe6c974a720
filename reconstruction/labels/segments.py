"""What every reader of segmentations hands on: label layers on their own grid, and the segments in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from case.mesh_files import Colour
from geometry.volume import Volume

LABELS_ALLOWED = (
    "a label volume (.nii, .nii.gz, .nrrd, .seg.nrrd, .mha, .mhd), a DICOM SEG, or a folder of DICOM SEG or of one "
    "mask a structure"
)

# Letters that no decomposition turns into ASCII.
NO_ACCENTS = str.maketrans(
    {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ß": "ss"}
)


@dataclass(frozen=True)
class Segment:
    """One structure as its file has it.

    Attributes:
        value: of its voxels, in its layer.
        name: as somebody called it; empty where nobody did.
        colour: sRGB and opacity, 0 to 1, where given.
        layer: which of the layers it is in.
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
        format: in words.
        warnings: what the reader should know.
        frame_of_reference_sha256: digest of the DICOM frame of reference, where one is named.
        segments_are_a_table: they only name values; a value without a name is a structure too.
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


def plain_name(text: str, value: int) -> str:
    """A name that files can bear: lower case, digits, ``_`` and ``-``; ``vertebrae_L1`` -> ``vertebrae_l1``.

    Letters that have no like in ASCII are lost, and what is left of the name may be that of another structure: then the
    label's value is part of it: ``肝臓`` of value 1 -> ``label_1``, ``肺 left`` of value 2 -> ``left_2``.
    """
    plain = in_ascii(text)
    lost = any(ord(letter) > 127 and letter.isalnum() for letter in _folded(text))
    return f"{plain or 'label'}_{value}" if lost or not plain else plain


def in_ascii(text: str) -> str:
    """What ASCII has of a text, without accents: lower case, digits, ``_`` and ``-``; empty for other scripts."""
    letters = _folded(text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_-]+", "_", letters).strip("_-")[:48]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKD", text.translate(NO_ACCENTS))


def unique_names(wanted: Iterable[str]) -> list[str]:
    """The same names, a number behind each that came before."""
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
