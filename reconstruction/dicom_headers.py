"""What the door needs to know of each DICOM file: the header as plain values, without the patient's identity.

Files are named by their place in the folder (sorted by path), never by their path, for both may bear a name.
"""

from __future__ import annotations

import hashlib
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reconstruction.errors import UnreadableInputError
from reconstruction.slice_geometry import SlicePlane

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")  # a file that says DICOM in its name must be DICOM
DICOMDIR_STORAGE = "1.2.840.10008.1.3.10"

# What pydicom raises on a file that breaks off or holds nonsense, depending on where.
BROKEN = (OSError, EOFError, ValueError, TypeError, AttributeError, LookupError, struct.error, NotImplementedError)

TAGS = [
    *("Modality", "SOPClassUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "ImageType"),
    *("PatientID", "PatientName"),  # digested at once, to tell patients apart
    *("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "LossyImageCompression"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType"),
    *("Manufacturer", "ConvolutionKernel", "PatientPosition", "ContrastBolusAgent"),
]


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """One DICOM file's header, in plain values; None where the file does not say.

    `ordinal` counts the folder's files in path order from 1; `patient_digest` only tells patients apart.
    """

    path: Path
    ordinal: int
    modality: str
    sop_class: str
    series_uid: str
    series_number: int | None
    instance_number: int | None
    patient_digest: str
    frame_of_reference: str | None
    image_type: tuple[str, ...]
    frames: int
    samples: int
    photometric: str
    compressed: bool
    lossy: bool
    rescale: tuple[float, float] | None
    rescale_type: str | None
    thickness_mm: float | None
    manufacturer: str | None
    kernel: str | None
    patient_position: str | None
    contrast: bool
    plane: SlicePlane | None

    @property
    def is_localizer(self) -> bool:
        return "LOCALIZER" in self.image_type

    @property
    def is_ct_image(self) -> bool:
        """A single-frame CT slice: secondary captures, dose reports and segmentations have another class."""
        return self.modality == "CT" and self.sop_class in ("", CT_IMAGE_STORAGE)


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keeps pydicom from quoting header values, one of which may be a name, in warnings and logs."""
    from pydicom.config import disable_value_validation

    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def list_files(folder: Path) -> list[Path]:
    """Every file under `folder`, in path order; hidden ones, such as a file manager's own, are left out."""
    inside = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in inside if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def read_headers(files: Sequence[Path]) -> tuple[list[SliceHeader], int]:
    """Reads the header of every DICOM file; returns them with the number of files that are not DICOM.

    Raises:
        UnreadableInputError: an empty file, or a DICOM file that breaks off before its pixels. Left out in silence, it
            would shorten the series where it is the first or the last slice.
    """
    from pydicom.errors import BytesLengthException, InvalidDicomError

    headers = []
    foreign = 0
    for ordinal, path in enumerate(files, start=1):
        try:
            header = _read_header(path, ordinal)
        except (*BROKEN, BytesLengthException, InvalidDicomError) as error:
            if isinstance(error, InvalidDicomError) and path.suffix.lower() not in DICOM_SUFFIXES:
                foreign += 1
                continue
            raise UnreadableInputError(
                f"file {ordinal} of {len(files)} in path order, which is empty, overwritten, or cut short "
                f"({type(error).__name__})",
                "complete DICOM files",
                "copy the series again from the archive",
            ) from None  # the cause quotes the header
        if header is not None:
            headers.append(header)
    return headers, foreign


def _read_header(path: Path, ordinal: int) -> SliceHeader | None:
    """One file's header, or None for a DICOMDIR; `EOFError` where the file ends before it says what it should."""
    from pydicom import dcmread
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    with path.open("rb") as file, quiet_pydicom():
        if not file.read(1):
            raise EOFError("an empty file")
        file.seek(0)
        dataset = dcmread(file, stop_before_pixels=True, specific_tags=TAGS)
        meta = dataset.file_meta
        stored_class = str(meta.get("MediaStorageSOPClassUID", ""))
        if stored_class == DICOMDIR_STORAGE:
            return None
        header = _plain(dataset, path, ordinal)
        at_pixels = file.read(1) or meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
        # pydicom takes the end of the file for the end of the header; an image's header ends at its pixels.
        if not at_pixels and (header.modality in ("", "CT") or stored_class == CT_IMAGE_STORAGE):
            raise EOFError("no pixels")
        return header


def _plain(dataset: Any, path: Path, ordinal: int) -> SliceHeader:
    patient = f"{dataset.get('PatientID', '')}|{dataset.get('PatientName', '')}"
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    slope, intercept = _number(dataset, "RescaleSlope"), _number(dataset, "RescaleIntercept")
    return SliceHeader(
        path=path,
        ordinal=ordinal,
        modality=_text(dataset, "Modality") or "",
        sop_class=_text(dataset, "SOPClassUID") or "",
        series_uid=_text(dataset, "SeriesInstanceUID") or "",
        series_number=_whole(dataset, "SeriesNumber"),
        instance_number=_whole(dataset, "InstanceNumber"),
        patient_digest=hashlib.sha256(patient.encode()).hexdigest(),
        frame_of_reference=_text(dataset, "FrameOfReferenceUID"),
        image_type=tuple(str(value) for value in _values(dataset, "ImageType")),
        frames=_whole(dataset, "NumberOfFrames") or 1,
        samples=_whole(dataset, "SamplesPerPixel") or 1,
        photometric=_text(dataset, "PhotometricInterpretation") or "",
        compressed=bool(syntax is not None and syntax.is_compressed),
        lossy=_text(dataset, "LossyImageCompression") == "01",
        rescale=None if slope is None or intercept is None else (slope, intercept),
        rescale_type=_text(dataset, "RescaleType"),
        thickness_mm=_number(dataset, "SliceThickness"),
        manufacturer=_text(dataset, "Manufacturer"),
        kernel=_text(dataset, "ConvolutionKernel"),
        patient_position=_text(dataset, "PatientPosition"),
        contrast=_text(dataset, "ContrastBolusAgent") is not None,
        plane=_plane(dataset),
    )


def _plane(dataset: Any) -> SlicePlane | None:
    rows, columns = _whole(dataset, "Rows"), _whole(dataset, "Columns")
    spacing = _floats(dataset, "PixelSpacing", 2)
    cosines = _floats(dataset, "ImageOrientationPatient", 6)
    position = _floats(dataset, "ImagePositionPatient", 3)
    if not rows or not columns or spacing is None or cosines is None or position is None or min(spacing) <= 0:
        return None
    return SlicePlane(rows, columns, (spacing[0], spacing[1]), np.array(cosines), np.array(position))


def _values(dataset: Any, tag: str) -> list[Any]:
    value = dataset.get(tag)
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)


def _text(dataset: Any, tag: str) -> str | None:
    text = " ".join(str(value) for value in _values(dataset, tag)).strip()
    return text or None


def _floats(dataset: Any, tag: str, count: int) -> tuple[float, ...] | None:
    numbers = tuple(float(value) for value in _values(dataset, tag))
    return numbers if len(numbers) == count and bool(np.isfinite(numbers).all()) else None


def _number(dataset: Any, tag: str) -> float | None:
    numbers = _floats(dataset, tag, 1)
    return None if numbers is None else numbers[0]


def _whole(dataset: Any, tag: str) -> int | None:
    number = _number(dataset, tag)
    return None if number is None else int(number)


def count_by(headers: Sequence[SliceHeader], key: Callable[[SliceHeader], str]) -> str:
    """Counts files in words: ``28 CT, 2 SR``."""
    names = [key(header) or "unnamed" for header in headers]
    return ", ".join(f"{names.count(name)} {name}" for name in sorted(set(names)))
