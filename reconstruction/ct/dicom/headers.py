"""The headers of DICOM images as plain values, without the patient's identity.

An enhanced (multi-frame) CT becomes one header a frame: its own functional groups count before the shared ones, and
those before the file's own attributes (DICOM PS3.3 C.7.6.16).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geometry.extras import from_extra
from reconstruction.ct.dicom.files import (
    CT_CLASSES,
    CT_IMAGE_STORAGE,
    DICOM_SUFFIXES,
    SECONDARY_CAPTURE_STORAGE,
    errors_of_broken,
    not_readable,
    open_dataset,
    quiet_pydicom,
)
from reconstruction.ct.errors import UnreadableInputError
from reconstruction.ct.slice_geometry import SlicePlane

SHARED_GROUPS, FRAME_GROUPS = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
TAGS = [
    *("Modality", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "ImageType"),
    *("StudyInstanceUID", "SeriesDescription", "AcquisitionNumber", "AcquisitionTime", "TemporalPositionIdentifier"),
    *("PatientID", "PatientName"),  # digested at once, to tell patients apart
    *("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "LossyImageCompression"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType"),
    *("Manufacturer", "ConvolutionKernel", "PatientPosition", "ContrastBolusAgent"),
    *(SHARED_GROUPS, FRAME_GROUPS),
]
# JPEG baseline and extended, near-lossless JPEG-LS: lossy whatever the header says; JPEG 2000's second may be either.
LOSSY_SYNTAXES = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81")
# The functional groups that say where a frame lies and what its values mean.
GROUPS = (
    *("PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence", "FrameContentSequence"),
    *("PixelValueTransformationSequence", "CTReconstructionSequence", "CTImageFrameTypeSequence"),
)
# In a multi-frame file these count only from its functional groups: elsewhere they could not tell frames apart.
GROUPED = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept")


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """One slice's header, in plain values; None where the file does not say.

    `ordinal` counts the folder's files in path order from 1; `patient_digest` only tells patients apart; `frame` is
    the index in an enhanced file, None for a file of one slice; `stack` tells its stacks apart.
    """

    path: Path
    ordinal: int
    frame: int | None
    stack: str
    modality: str
    sop_class: str
    instance_uid: str
    series_uid: str
    series_number: int | None
    study_uid: str
    description: str
    instance_number: int | None
    acquisition: int | None
    acquisition_time: str | None
    temporal_position: int | None
    patient_digest: str
    frame_of_reference: str | None
    image_type: tuple[str, ...]
    frames: int
    samples: int
    photometric: str
    syntax: str
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
        """A CT slice, classic or enhanced: secondary captures, dose reports and segmentations have another class."""
        return self.modality == "CT" and self.sop_class in ("", *CT_CLASSES)

    @property
    def is_placed_capture(self) -> bool:
        """A secondary capture that nevertheless says where in the patient it lies, as some converters write CT."""
        placed = self.modality == "CT" and self.sop_class == SECONDARY_CAPTURE_STORAGE and self.plane is not None
        return placed and self.samples == 1 and not self.is_localizer


@dataclass(frozen=True, eq=False)
class FolderHeaders:
    """Every slice header of a folder.

    Attributes:
        slices: in path order, an enhanced file's frames in their own.
        foreign: files that are not DICOM.
        broken: DICOM files that are empty, overwritten or cut short, each in words.
        forbidden: files that this user may not read, each in words.
        directories: how many files are no images but a medium's table of contents (DICOMDIR).
    """

    slices: tuple[SliceHeader, ...]
    foreign: tuple[Path, ...]
    broken: tuple[str, ...]
    forbidden: tuple[str, ...] = ()
    directories: int = 0


def scan_headers(files: Sequence[Path]) -> FolderHeaders:
    """Reads the header of every DICOM file among `files`."""
    with from_extra("reconstruction"):
        from pydicom.errors import InvalidDicomError

    headers: list[SliceHeader] = []
    foreign: list[Path] = []
    broken, forbidden, directories = [], [], 0
    for ordinal, path in enumerate(files, start=1):
        place = f"file {ordinal} of {len(files)} in path order"
        try:
            with quiet_pydicom():  # values are decoded when they are asked for, and complained about only then
                dataset = open_dataset(path, TAGS)
                headers += [] if dataset is None else _slices_of(dataset, path, ordinal)
            directories += dataset is None
        except PermissionError:
            forbidden.append(f"{place}, which you may not read (permission denied)")
        except errors_of_broken(InvalidDicomError) as error:
            if isinstance(error, InvalidDicomError) and path.suffix.lower() not in DICOM_SUFFIXES:
                foreign.append(path)
                continue
            kind = type(error).__name__  # its text quotes the header
            broken.append(f"{place}, which is empty, overwritten, or cut short ({kind})")
    return FolderHeaders(tuple(headers), tuple(foreign), tuple(broken), tuple(forbidden), directories)


def read_headers(files: Sequence[Path]) -> FolderHeaders:
    """As `scan_headers`, but a broken file is an error.

    Raises:
        UnreadableInputError: a file that may not be read, an empty file, or a DICOM file that breaks off before its
            pixels. Left out in silence, it would shorten the series where it is the first or the last slice.
    """
    found = scan_headers(files)
    if found.forbidden:
        raise not_readable(found.forbidden[0])
    if found.broken:
        raise UnreadableInputError(found.broken[0], "complete DICOM files", "copy the series again from the archive")
    return found


class _Frame:
    """One frame's attributes: its own functional groups, then the shared ones, then the file's."""

    def __init__(self, dataset: Any, *groups: Mapping[str, Any]) -> None:
        self._dataset, self._groups = dataset, groups

    def get(self, tag: str, default: Any = None) -> Any:
        for group in self._groups:
            if tag in group:
                return group[tag]
        return default if tag in GROUPED else self._dataset.get(tag, default)


def _slices_of(dataset: Any, path: Path, ordinal: int) -> list[SliceHeader]:
    per_frame = _values(dataset, FRAME_GROUPS)
    count = _whole(dataset, "NumberOfFrames") or 1
    enhanced = dataset.get("SOPClassUID") in CT_CLASSES and dataset.get("SOPClassUID") != CT_IMAGE_STORAGE
    if not enhanced or len(per_frame) != count:
        return [_plain(dataset, dataset, path, ordinal, None)]
    shared = [_flattened(group) for group in _values(dataset, SHARED_GROUPS)[:1]]
    frames = [_Frame(dataset, _flattened(group), *shared) for group in per_frame]
    return [_plain(frame, dataset, path, ordinal, index) for index, frame in enumerate(frames)]


def _flattened(group: Any) -> dict[str, Any]:
    items = (group[name].value[0] for name in GROUPS if name in group and group[name].value)
    return {element.keyword: element.value for item in items for element in item}


def _plain(fields: Any, dataset: Any, path: Path, ordinal: int, frame: int | None) -> SliceHeader:
    """`fields` answers for one frame, `dataset` for its file."""
    patient = f"{dataset.get('PatientID', '')}|{dataset.get('PatientName', '')}"
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    slope, intercept = _number(fields, "RescaleSlope"), _number(fields, "RescaleIntercept")
    return SliceHeader(
        path=path,
        ordinal=ordinal,
        frame=frame,
        stack=_text(fields, "StackID") or "",
        modality=_text(dataset, "Modality") or "",
        sop_class=_text(dataset, "SOPClassUID") or "",
        instance_uid=_text(dataset, "SOPInstanceUID") or "",
        series_uid=_text(dataset, "SeriesInstanceUID") or "",
        series_number=_whole(dataset, "SeriesNumber"),
        study_uid=_text(dataset, "StudyInstanceUID") or "",
        description=_text(dataset, "SeriesDescription") or "",
        instance_number=_whole(dataset, "InstanceNumber"),
        acquisition=_whole(dataset, "AcquisitionNumber"),
        acquisition_time=_text(dataset, "AcquisitionTime"),
        temporal_position=_whole(dataset, "TemporalPositionIdentifier"),
        patient_digest=hashlib.sha256(patient.encode()).hexdigest(),
        frame_of_reference=_text(dataset, "FrameOfReferenceUID"),
        image_type=tuple(str(value) for tag in ("ImageType", "FrameType") for value in _values(fields, tag)),
        frames=_whole(dataset, "NumberOfFrames") or 1,
        samples=_whole(dataset, "SamplesPerPixel") or 1,
        photometric=_text(dataset, "PhotometricInterpretation") or "",
        syntax="" if syntax is None or not syntax.is_transfer_syntax else syntax.name,
        compressed=bool(syntax is not None and (not syntax.is_transfer_syntax or syntax.is_encapsulated)),
        lossy=_text(dataset, "LossyImageCompression") == "01" or str(syntax) in LOSSY_SYNTAXES,
        rescale=None if slope is None or intercept is None else (slope, intercept),
        rescale_type=_text(fields, "RescaleType"),
        thickness_mm=_number(fields, "SliceThickness"),
        manufacturer=_text(dataset, "Manufacturer"),
        kernel=_text(fields, "ConvolutionKernel"),
        patient_position=_text(dataset, "PatientPosition"),
        contrast=_text(dataset, "ContrastBolusAgent") is not None,
        plane=_plane(fields),
    )


def _plane(fields: Any) -> SlicePlane | None:
    rows, columns = _whole(fields, "Rows"), _whole(fields, "Columns")
    spacing = _floats(fields, "PixelSpacing", 2)
    cosines = _floats(fields, "ImageOrientationPatient", 6)
    position = _floats(fields, "ImagePositionPatient", 3)
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
