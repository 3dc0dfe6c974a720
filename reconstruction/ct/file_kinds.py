"""Recognises a path's file format by its name and its first bytes; unsupported ones are refused with advice."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path

from reconstruction.ct.dicom.files import is_dicom
from reconstruction.ct.errors import UnreadableInputError

ALLOWED = "a folder of DICOM files, or one file: .nii, .nii.gz, .nrrd, .nhdr, .mha, .mhd or enhanced CT"
FORMAT_NAMES = {"dicom": "DICOM", "nifti": "NIfTI", "nrrd": "NRRD", "metaimage": "MetaImage"}
ARCHIVE_BYTES = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"BZh", b"\xfd7zXZ")
ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz", ".zip", ".7z", ".rar", ".iso", ".bz2", ".xz")


class FileKind(Enum):
    """What a path can be read as."""

    FOLDER = auto()
    NIFTI = auto()
    NRRD = auto()
    METAIMAGE = auto()
    DICOM = auto()


SUFFIXES = {
    FileKind.NIFTI: (".nii", ".nii.gz"),
    FileKind.NRRD: (".nrrd", ".nhdr"),
    FileKind.METAIMAGE: (".mha", ".mhd"),
}


def file_kind(path: Path, allowed: str = ALLOWED) -> FileKind:
    """Recognises the format of `path`.

    Args:
        path: a file or folder.
        allowed: the formats that the caller reads, for the message.

    Raises:
        UnreadableInputError: it does not exist, is an archive, or is nothing that is read here.
    """
    if path.is_dir():
        return FileKind.FOLDER
    name = path.name.lower()
    if not path.is_file():
        raise UnreadableInputError("a path that does not exist, or is no file", allowed, "check the path")
    for kind, suffixes in SUFFIXES.items():
        if name.endswith(suffixes):
            return kind
    with path.open("rb") as file:
        head = file.read(265)
    if head.startswith(ARCHIVE_BYTES) or head[257:262] == b"ustar" or name.endswith(ARCHIVE_SUFFIXES):
        raise UnreadableInputError("an archive", allowed, "unpack it, and give the folder")
    if is_dicom(path):
        return FileKind.DICOM
    raise UnreadableInputError(
        "a file of a kind that is not read here", allowed, "give the folder that holds the slices, or convert to NIfTI"
    )
