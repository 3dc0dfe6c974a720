"""Finds the DICOM files of a folder; a file that is cut short is reported, never silently left out.

Files are named by their place in the folder (sorted by path), never by their path, which may bear a name.
"""

from __future__ import annotations

import logging
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from geometry.extras import from_extra
from reconstruction.ct.errors import UnreadableInputError

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2.1"
LEGACY_CONVERTED_CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2.2"
SECONDARY_CAPTURE_STORAGE = "1.2.840.10008.5.1.4.1.1.7"
CT_CLASSES = (CT_IMAGE_STORAGE, ENHANCED_CT_STORAGE, LEGACY_CONVERTED_CT_STORAGE)
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")  # a file that says DICOM in its name must be DICOM
DICOMDIR_STORAGE = "1.2.840.10008.1.3.10"
STANDARD_UIDS = "1.2.840.10008."


@cache
def errors_of_broken(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """What pydicom raises on a file that breaks off or holds nonsense, depending on where; and `others`."""
    with from_extra("reconstruction"):
        from pydicom.errors import BytesLengthException

    return (
        *(OSError, EOFError, ValueError, TypeError, AttributeError, LookupError, NotImplementedError),
        *(struct.error, zlib.error, RecursionError, OverflowError, MemoryError, BytesLengthException),
        *others,
    )


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keeps pydicom from quoting header values and paths, each of which may bear a name, in warnings and logs."""
    with from_extra("reconstruction"):
        from pydicom.config import disable_value_validation

    log = logging.getLogger("pydicom")
    was_disabled, log.disabled = log.disabled, True  # it quotes paths
    try:
        with warnings.catch_warnings(), disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.disabled = was_disabled


def list_files(path: Path) -> list[Path]:
    """Every file under a folder in path order, hidden ones, such as a file manager's own, left out; or the one file.

    A DICOMDIR, a medium's table of contents, stands for the folder that it lies in.

    Raises:
        UnreadableInputError: a folder inside that may not be read, where slices would go unseen.
    """
    if path.is_file():
        if path.name.upper() != "DICOMDIR":
            return [path]
        path = path.parent

    def refuse(error: OSError) -> None:
        if Path(error.filename) == path:
            raise error
        raise not_readable(f"a folder inside this one that cannot be looked into ({error.strerror})")

    found: list[Path] = []
    for folder, folders, names in os.walk(path, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(folder) / name for name in names if not name.startswith(".")]
    try:
        return sorted(file for file in found if file.is_file())
    except PermissionError as error:
        raise not_readable(f"a folder inside this one whose files cannot be looked at ({error.strerror})") from None


def not_readable(came: str) -> UnreadableInputError:
    """Returns the error for a file or folder that this user has no permission to read."""
    action = "change its permissions (chmod), or have the series copied by somebody who may read it"
    return UnreadableInputError(came, "files that you may read", action)


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does, with or without its preamble."""
    with path.open("rb") as file:
        return _begins_as_dicom(file.read(136))


def open_dataset(path: Path, tags: list[str]) -> Any | None:
    """The header of one DICOM file as pydicom's dataset, only `tags` in it; None for a DICOMDIR.

    A file without preamble and meta header (written by old archives and by some tools) counts as DICOM where it begins
    with an element of group 2 or 8 and names a class of the standard. Its transfer syntax is set as it was found.

    Raises:
        InvalidDicomError: no DICOM at all.
        EOFError, ...: any of `errors_of_broken`: the file is empty, or ends before it says what it should.
    """
    with from_extra("reconstruction"):
        from pydicom import dcmread

    with path.open("rb") as file, quiet_pydicom():
        head = file.read(136)
        if not head:
            raise EOFError("an empty file")
        file.seek(0)
        bare = head[128:132] != b"DICM" and _begins_as_dicom(head)
        dataset = dcmread(file, stop_before_pixels=True, specific_tags=tags, force=bare)
        if bare:
            _settle_syntax(dataset)
        stored_class = str(dataset.file_meta.get("MediaStorageSOPClassUID", ""))
        if stored_class == DICOMDIR_STORAGE:
            return None
        if bare and not str(dataset.get("SOPClassUID", "")).startswith(STANDARD_UIDS):
            raise EOFError("no class")
        _check_reaches_pixels(dataset, stored_class, file)
        return dataset


def open_pixels(path: Path) -> Any:
    """The whole dataset of a file that `open_dataset` has accepted, ready for decoding."""
    with from_extra("reconstruction"):
        from pydicom import dcmread

    with quiet_pydicom():
        dataset = dcmread(path, force=True)  # it is DICOM: that was settled with its header
        _settle_syntax(dataset)
    return dataset


def _begins_as_dicom(head: bytes) -> bool:
    if head[128:132] == b"DICM":
        return True
    # Group and element, then either a value representation in capitals or a length, in either byte order.
    little = head[:2] in (b"\x02\x00", b"\x08\x00") and head[3:4] == b"\x00"
    big = head[:2] in (b"\x00\x02", b"\x00\x08") and head[2:3] == b"\x00"
    return (little or big) and (head[4:6].isupper() or head[6:8] == b"\x00\x00")


def _settle_syntax(dataset: Any) -> None:
    """Names the transfer syntax of a file without meta header, which pydicom found out while reading."""
    with from_extra("reconstruction"):
        from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "TransferSyntaxUID" in dataset.file_meta:
        return
    implicit, little = dataset.original_encoding
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def _check_reaches_pixels(dataset: Any, stored_class: str, file: BinaryIO) -> None:
    """pydicom takes the end of the file for the end of the header; an image's header ends at its pixels."""
    with from_extra("reconstruction"):
        from pydicom.uid import DeflatedExplicitVRLittleEndian

    deflated = dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    if not file.read(1) and not deflated and (dataset.get("Modality", "") in ("", "CT") or stored_class in CT_CLASSES):
        raise EOFError("no pixels")
