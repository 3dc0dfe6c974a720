"""Reads NRRD and MetaImage into LPS from the space that the header names; a header that names none is refused.

SimpleITK reads the voxels and converts RAS and LAS to LPS. What it does not check is checked here in the header's text:
an unknown space or unit, a missing orientation, and data that end early.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.points import Floats
from geometry.volume import Volume
from reconstruction.ct.errors import UnreadableInputError
from reconstruction.ct.file_kinds import SUFFIXES, FileKind
from reconstruction.ct.quality import CtReadSettings, find_slice_axis, refusal
from reconstruction.ct.scan import CtInfo, CtReading
from reconstruction.ct.voxels import as_compact, check_axes, finite, is_left_handed, right_handed

# What SimpleITK turns into LPS; scanner-xyz and the like say nothing about the patient.
KNOWN_SPACES = ("left-posterior-superior", "right-anterior-superior", "left-anterior-superior", "lps", "ras", "las")
MM = ("mm", "millimeter", "millimeters", "millimetre", "millimetres")
HEADER_LIMIT = 1_000_000  # bytes; Slicer's segmentations of hundreds of segments stay far below
ONE_IMAGE = "one three-dimensional image of real numbers"


@dataclass(frozen=True)
class ItkHeader:
    """The text part of an NRRD or MetaImage file.

    Attributes:
        format: ``nrrd`` or ``metaimage``.
        fields: lower-case field -> value.
        pairs: NRRD's key/value pairs, in which 3D Slicer describes segments.
        end: byte offset of the data, if it is in the same file.
    """

    format: Literal["nrrd", "metaimage"]
    fields: dict[str, str]
    pairs: dict[str, str]
    end: int = 0

    @property
    def data_file(self) -> str:
        """The name of the file beside the header that holds the data; empty where the data follows the header."""
        fields = self.fields
        name = fields.get("data file") or fields.get("datafile") or fields.get("elementdatafile") or ""
        return "" if name.upper() == "LOCAL" else name


def read_itk(path: Path, settings: CtReadSettings) -> CtReading:
    """Reads an NRRD (``.nrrd``, ``.nhdr``) or MetaImage (``.mha``, ``.mhd``) file whose values are HU.

    Raises:
        UnreadableInputError: not such a file, cut short, several components, NaN or infinity.
        CtRefusedError: no patient space, no orientation, units other than mm, or a sheared grid.
    """
    header = read_itk_header(path)
    stored, affine, notes = _read_one_image(path, header)
    volume = right_handed(stored, affine)
    volume = Volume(as_compact(volume.voxels), volume.affine, volume.frame)
    slices = volume.shape_ijk[find_slice_axis(volume)]
    info = CtInfo(format=header.format, slices=slices, i_reversed=is_left_handed(affine))
    return CtReading(volume, info, (), notes)


def read_itk_volume(path: Path) -> Volume:
    """Reads any scalar NRRD or MetaImage by the same rules, its values as they are stored."""
    stored, affine, _ = _read_one_image(path, read_itk_header(path))
    return right_handed(stored, affine)


def _read_one_image(path: Path, header: ItkHeader) -> tuple[NDArray[np.generic], Floats, tuple[str, ...]]:
    """Voxels ``(nk, nj, ni)``, the affine to LPS mm (of either handedness), and notes."""
    components, affine, notes = read_components(path, header)
    if components.shape[-1] != 1:
        raise UnreadableInputError(
            f"an image of {components.shape[-1]} components", ONE_IMAGE, "export a single volume"
        )
    return finite(components[..., 0]), affine, notes


def read_components(path: Path, header: ItkHeader) -> tuple[NDArray[np.generic], Floats, tuple[str, ...]]:
    """Voxels ``(nk, nj, ni, components)``, the affine to LPS mm (of either handedness), and notes."""
    notes = _checked_space(header)
    _check_stream_ends(path, header)
    image = _load(path)
    if image.GetDimension() != 3 or min(image.GetSize()) < 1:
        raise UnreadableInputError(
            f"an image of {image.GetDimension()} dimensions", ONE_IMAGE, "export a single volume"
        )
    with from_extra("reconstruction"):
        import SimpleITK

    voxels = SimpleITK.GetArrayFromImage(image)
    if voxels.dtype.kind not in "iuf":
        raise UnreadableInputError(f"voxels of type {voxels.dtype}", ONE_IMAGE, "export the image itself")
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    check_axes(affine)
    return voxels.reshape(*image.GetSize()[::-1], -1), affine, notes


def read_itk_header(path: Path) -> ItkHeader:
    """The header's text.

    Raises:
        UnreadableInputError: it does not begin as such a file does, or its data file is missing or elsewhere.
    """
    with path.open("rb") as file:
        head = file.read(HEADER_LIMIT)
    is_nrrd = path.name.lower().endswith(SUFFIXES[FileKind.NRRD])
    header = _nrrd_header(head) if is_nrrd else _metaimage_header(head)
    if header.data_file:
        _check_data_file(path, header.data_file)
    return header


def _nrrd_header(head: bytes) -> ItkHeader:
    ending = re.search(rb"\r?\n\r?\n", head)
    text = head[: ending.start()] if ending else head
    lines = text.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    if not re.fullmatch(r"NRRD000[1-9]", lines[0]):
        raise _not_such_a_file("NRRD")
    if not ending and b"data file:" not in text and b"datafile:" not in text:
        raise _cut_short("the header has no end")
    fields, pairs = {}, {}
    for line in lines[1:]:
        key, assigned, value = line.partition(":=")
        if assigned and ": " not in key:
            pairs[key.strip()] = value.strip().replace("\\n", "\n")
        elif ":" in line and not line.startswith("#"):
            key, _, value = line.partition(":")
            fields[key.strip().lower()] = value.strip()
    return ItkHeader("nrrd", fields, pairs, ending.end() if ending else len(head))


def _metaimage_header(head: bytes) -> ItkHeader:
    fields: dict[str, str] = {}
    end = 0
    for raw in head.split(b"\n"):
        end += len(raw) + 1
        key, assigned, value = raw.decode("utf-8", "replace").partition("=")
        if not assigned:
            break
        fields[key.strip().lower()] = value.strip()
        if key.strip().lower() == "elementdatafile":  # always the last line
            return ItkHeader("metaimage", fields, {}, end)
    raise _not_such_a_file("MetaImage")


def _check_data_file(path: Path, name: str) -> None:
    """The one file beside the header that holds its data: a header must not make us read from anywhere else."""
    if name.upper().startswith("LIST") or "%" in name:
        raise UnreadableInputError("a header over several data files", "one data file", "save it as one .nrrd or .mha")
    if Path(name).name != name or not (path.parent / name).is_file():
        raise UnreadableInputError(
            "a header whose data file is not beside it",
            "header and data in one folder",
            "copy both, or save it as one .nrrd or .mha",
        )


def _checked_space(header: ItkHeader) -> tuple[str, ...]:
    """Notes; refuses a header that leaves open where in the patient the voxels lie."""
    fields = header.fields
    if header.format == "metaimage":
        if not {"transformmatrix", "rotation", "orientation"} & fields.keys() or not (
            {"offset", "position", "origin"} & fields.keys()
        ):
            raise _no_place("neither TransformMatrix nor Offset")
        unit = fields.get("distanceunits", "").lower()
        if unit not in ("", "?", *MM):
            raise refusal((f"lengths in {unit}",), "mm", "export it in mm")
        return () if unit in MM else ("MetaImage names no unit of length; taken as mm, as every writer means it",)
    space = fields.get("space", "").lower()
    if space not in KNOWN_SPACES:
        raise _no_place(f"the space '{space}'" if space else "no space")
    if "space directions" not in fields or "space origin" not in fields:
        raise _no_place("no space directions or origin")
    units = {unit.lower() for unit in re.findall(r'"([^"]*)"', fields.get("space units", ""))}
    if units - set(MM):
        raise refusal((f"lengths in {', '.join(sorted(units))}",), "mm", "export it in mm")
    return () if units else ("the header names no unit of length; taken as mm",)


def _check_stream_ends(path: Path, header: ItkHeader) -> None:
    """The libraries behind SimpleITK take a compressed stream that breaks off for a whole one, the rest left black."""
    if header.fields.get("encoding", "").lower() not in ("gzip", "gz") and (
        header.fields.get("compresseddata", "").lower() != "true"
    ):
        return
    stream = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever it is
    with (path.parent / header.data_file if header.data_file else path).open("rb") as file:
        file.seek(0 if header.data_file else header.end)
        try:
            while not stream.eof and (chunk := file.read(1 << 20)):
                stream.decompress(chunk)
        except zlib.error:
            raise _cut_short("its compressed data is damaged") from None
    if not stream.eof:
        raise _cut_short("its compressed data breaks off")


def _load(path: Path) -> Any:
    with from_extra("reconstruction"):
        import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("NrrdImageIO" if path.name.lower().endswith(SUFFIXES[FileKind.NRRD]) else "MetaImageIO")
    try:
        return reader.Execute()
    except RuntimeError:
        raise _cut_short("its data cannot be decoded in full") from None  # ITK's text quotes the path


def _not_such_a_file(kind: str) -> UnreadableInputError:
    return UnreadableInputError(f"a file that is no {kind} image", f"{kind}, as its ending says", "export it again")


def _cut_short(why: str) -> UnreadableInputError:
    return UnreadableInputError(
        f"a file that is cut short or damaged ({why})", "a whole file", "copy or export it again"
    )


def _no_place(what: str) -> Exception:
    return refusal(
        (f"{what} in the header, so no place in the patient",),
        "a header that places voxels in LPS, RAS or LAS",
        "export it again from DICOM, with its orientation",
    )
