"""Surfaces as DICOM objects: an STL or OBJ file in an Encapsulated STL or OBJ (PS3.3 A.85), in mm of the frame ``ct``.

DICOM's patient coordinates are LPS and millimetres, as ``ct`` is, so the file's bytes are those that the case has.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geometry.extras import from_extra
from reconstruction.archive.errors import ArchiveError
from reconstruction.archive.identity import MANUFACTURER, MODEL, SERIAL_NUMBER, stamp, uid_of
from reconstruction.archive.source import MAY_BE_EMPTY, SourceSeries

SERIES_NUMBER = 9603
# Suffix to the SOP class and the MIME type.
_KINDS = {
    ".stl": ("1.2.840.10008.5.1.4.1.1.104.3", "model/stl"),
    ".obj": ("1.2.840.10008.5.1.4.1.1.104.4", "model/obj"),
}
_WHERE_KNOWN = ("IssuerOfPatientID", "StudyInstanceUID", "StudyDescription", "SpecificCharacterSet")


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A surface of a case.

    Attributes:
        structure: its name.
        path: the file, .stl or .obj, its vertices in mm in ``ct``.
        sha256: of that file, which names the object.
        time: when it was made, ISO 8601 with a time zone.
        program_version: version of this program that made it.
        number: counts the objects of the series from 1.
    """

    structure: str
    path: Path
    sha256: str
    time: str
    program_version: str
    number: int


def make_model(model: ModelFile, series: SourceSeries) -> Any:
    """An Encapsulated STL or OBJ as a pydicom data set, to be saved.

    Raises:
        ArchiveError: another kind of file.
    """
    if model.path.suffix not in _KINDS:
        raise ArchiveError(f"a surface in {model.path.suffix}", " or ".join(_KINDS), "give the case's STL")
    with from_extra("archive"):
        from pydicom.dataset import Dataset, FileMetaDataset
        from pydicom.uid import ExplicitVRLittleEndian

    sop_class, mime = _KINDS[model.path.suffix]
    source, made = series.headers[0], Dataset()
    for name in (*MAY_BE_EMPTY, *_WHERE_KNOWN):
        if name in source:
            setattr(made, name, source.get(name))
    made.PositionReferenceIndicator = source.get("PositionReferenceIndicator", "")
    of = str(source.SeriesInstanceUID)
    made.SOPClassUID, made.SOPInstanceUID = sop_class, uid_of("model", of, model.structure, model.sha256)
    made.SeriesInstanceUID, made.SeriesNumber = uid_of("model series", of), SERIES_NUMBER
    made.Modality, made.SeriesDescription, made.InstanceNumber = "M3D", f"{MODEL} surfaces", model.number
    made.FrameOfReferenceUID = series.frame_of_reference_uid
    made.Manufacturer, made.ManufacturerModelName = MANUFACTURER, MODEL
    made.DeviceSerialNumber, made.SoftwareVersions = SERIAL_NUMBER, model.program_version
    _describe(made, model, mime, source)
    stamp(made, model.time)
    made.AcquisitionDateTime = f"{made.ContentDate}{made.ContentTime}"
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = sop_class, made.SOPInstanceUID
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def _describe(made: Any, model: ModelFile, mime: str, source: Any) -> None:
    with from_extra("archive"):
        from highdicom.sr import CodedConcept
        from pydicom.dataset import Dataset
        from pydicom.sequence import Sequence

    content = model.path.read_bytes()
    made.DocumentTitle, made.ConceptNameCodeSequence = model.structure, Sequence([])
    made.BurnedInAnnotation, made.RecognizableVisualFeatures = "NO", "NO" if model.structure != "body" else "YES"
    made.MIMETypeOfEncapsulatedDocument = mime
    made.EncapsulatedDocumentLength = len(content)
    made.EncapsulatedDocument = content + bytes(len(content) % 2)
    made.MeasurementUnitsCodeSequence = Sequence([CodedConcept("mm", "UCUM", "millimeter")])
    made.ModelModification, made.ModelMirroring = "NO", "NO"
    made.ContentDescription = f"surface of {model.structure}"
    made.ModelGroupUID = uid_of("model group", str(source.SeriesInstanceUID))
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
    made.SourceInstanceSequence = Sequence([reference])
    listed = Dataset()
    listed.SeriesInstanceUID, listed.ReferencedInstanceSequence = source.SeriesInstanceUID, Sequence([reference])
    made.ReferencedSeriesSequence = Sequence([listed])
