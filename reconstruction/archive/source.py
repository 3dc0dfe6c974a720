"""The DICOM series that a case was made from: its headers, which every object for the archive refers to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from case.case import CT_ID, Case
from geometry.extras import from_extra
from reconstruction import in_case
from reconstruction.archive.errors import ArchiveError
from reconstruction.ct.dicom.read import open_series
from reconstruction.ct.quality import CtReadSettings

# What every object repeats of patient and study; it may be empty (type 2 of PS3.3), as de-identified files leave it.
MAY_BE_EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
ALLOWED = "a case that refers to its CT in DICOM, with a study, a series and a frame of reference"


@dataclass(frozen=True, eq=False)
class SourceSeries:
    """A CT series.

    Attributes:
        headers: the header of each slice in the order of the CT's voxels, or that of the one enhanced file; pydicom's
            data sets without pixels. They identify the patient.
        frame_of_reference_uid: of all of them.
    """

    headers: tuple[Any, ...]
    frame_of_reference_uid: str


def read_source(case: Case) -> SourceSeries:
    """Reads the headers of the series that the case's CT is, after its voxels were compared with the case.

    Raises:
        ArchiveError: the CT is no DICOM, was copied without its headers, or lacks what objects must refer to.
        CaseError: the CT is not the one that the case was made from.
        UnreadableInputError, CtRefusedError: the CT is missing or unreadable.
    """
    ct = case.artefact(CT_ID)
    if not ct.by_reference:
        came = "a case that keeps its CT as NIfTI, without the headers that say whose it is"
        raise ArchiveError(came, ALLOWED, "reconstruct again without --copy-ct and --anonymize")
    scan = in_case.read_ct(case)
    if scan.info.format != "dicom":
        raise ArchiveError(f"a CT in {scan.info.format}", ALLOWED, "reconstruct from the series of the archive")
    with from_extra("archive"):
        from pydicom import dcmread

    slices = open_series(case.path_of(CT_ID), CtReadSettings(), in_case.recorded_choice(ct))
    paths = dict.fromkeys(each.path for each in slices)  # the frames of an enhanced CT share one
    headers = tuple(dcmread(path, stop_before_pixels=True) for path in paths)
    for word in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        if any(not header.get(word) for header in headers):
            raise ArchiveError(f"a CT without {word}", ALLOWED, "export the series again from the archive")
    for header in headers:
        for word in MAY_BE_EMPTY:
            header.setdefault(word, "")
    (frame, *others) = {str(header.FrameOfReferenceUID) for header in headers}
    if others:
        came = f"{len(headers)} slices of {1 + len(others)} frames of reference"
        raise ArchiveError(came, ALLOWED, "export the series again from the archive: a copy has lost what they share")
    return SourceSeries(headers, frame)
