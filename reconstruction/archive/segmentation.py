"""DICOM Segmentation of a case's labels: BINARY, a frame for each slice of each structure, or LABELMAP, one for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from geometry.extras import from_extra
from geometry.volume import Volume
from reconstruction.archive.codes import code_of
from reconstruction.archive.errors import ArchiveError
from reconstruction.archive.identity import MANUFACTURER, MODEL, SERIAL_NUMBER, stamp, uid_of
from reconstruction.archive.source import SourceSeries

SegmentationKind = Literal["BINARY", "LABELMAP"]
SERIES_NUMBER = 9601
# Made by the network alone; corrected or confirmed by a person; drawn elsewhere.
AlgorithmType = Literal["AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"]


@dataclass(frozen=True, kw_only=True)
class SegmentSource:
    """Where a segment comes from.

    Attributes:
        structure: its name in the case.
        algorithm_type: as DICOM has it.
        algorithm: name of the network or method; empty for MANUAL.
        version: its version.
        colour: sRGB, 0 to 1.
        tracking: what identifies the structure in this case from version to version.
    """

    structure: str
    algorithm_type: AlgorithmType
    algorithm: str
    version: str
    colour: tuple[float, float, float]
    tracking: str


@dataclass(frozen=True, eq=False, kw_only=True)
class SegmentedLabels:
    """What is written.

    Attributes:
        labels: whole numbers on the case's grid in ``ct``, 0 for nothing.
        values: structure -> its value there.
        time: when they were made, ISO 8601 with a time zone.
        sha256: fingerprint of the labels, which names the object.
        number: counts the objects of the series from 1.
        program_version: version of this program that made them.
    """

    labels: Volume
    values: Mapping[str, int]
    time: str
    sha256: str
    number: int
    program_version: str


def make_segmentation(
    labels: SegmentedLabels, sources: Sequence[SegmentSource], series: SourceSeries, kind: SegmentationKind
) -> Any:
    """A DICOM Segmentation as a pydicom data set, to be saved; segment n is the nth of `sources`.

    The labels keep their grid: where that is not the CT's, frames have places of their own in its frame of reference.

    Raises:
        ArchiveError: nothing to write.
    """
    if not sources:
        raise ArchiveError("labels without a structure to write", "at least one structure", "approve what may leave")
    with from_extra("archive"):
        from highdicom import Volume as PlacedArray
        from highdicom.seg import Segmentation

    placed = PlacedArray(
        _array(labels, sources, kind),
        labels.labels.affine[:, [2, 1, 0, 3]],  # its indices are frame, row, column: our k, j, i
        "PATIENT",
        frame_of_reference_uid=series.frame_of_reference_uid,
        channels={"SegmentNumber": list(range(1, len(sources) + 1))} if kind == "BINARY" else None,
    )
    of = str(series.headers[0].SeriesInstanceUID)
    what = (kind, labels.sha256, *(f"{each.structure} {each.algorithm_type}" for each in sources))
    made = Segmentation(
        source_images=list(series.headers),
        pixel_array=placed,
        segmentation_type=kind,
        segment_descriptions=[_description(number, source) for number, source in enumerate(sources, start=1)],
        series_instance_uid=uid_of("segmentation series", of),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("segmentation", of, *what),
        instance_number=labels.number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL,
        software_versions=labels.program_version,
        device_serial_number=SERIAL_NUMBER,
        content_label="STRUCTURES",
        content_description="Structures of a navigation case",
    )
    made.SeriesDescription = f"{MODEL} structures"
    stamp(made, labels.time)
    return made


def _array(labels: SegmentedLabels, sources: Sequence[SegmentSource], kind: SegmentationKind) -> Any:
    """``(nk, nj, ni)`` of segment numbers for a label map, ``(nk, nj, ni, segments)`` of 0 and 1 otherwise."""
    masks = [labels.labels.voxels == labels.values[source.structure] for source in sources]
    if kind == "BINARY":
        return np.stack(masks, axis=-1).astype(np.uint8)
    numbers = np.zeros(masks[0].shape, np.uint8 if len(masks) < 256 else np.uint16)
    for number, mask in enumerate(masks, start=1):
        numbers[mask] = number
    return numbers


def _description(number: int, source: SegmentSource) -> Any:
    with from_extra("archive"):
        from highdicom import AlgorithmIdentificationSequence
        from highdicom.color import CIELabColor
        from highdicom.seg import SegmentDescription
        from pydicom.sr.codedict import codes

    code, method = code_of(source.structure), None
    if source.algorithm_type != "MANUAL":
        family = codes.cid7162.ArtificialIntelligence
        method = AlgorithmIdentificationSequence(name=source.algorithm, family=family, version=source.version)
    made = SegmentDescription(
        segment_number=number,
        segment_label=source.structure,
        segmented_property_category=code.category,
        segmented_property_type=code.kind,
        algorithm_type=source.algorithm_type,
        algorithm_identification=method,
        tracking_uid=uid_of("structure", source.tracking, source.structure),
        tracking_id=source.structure,
        display_color=CIELabColor.from_rgb(*(round(255.0 * each) for each in source.colour)),
    )
    if code.side is not None:
        _add_side(made, code.side)
    return made


def _add_side(description: Any, side: Any) -> None:
    """The side as a modifier of the type (PS3.3 C.8.20.4), which highdicom does not write."""
    with from_extra("archive"):
        from highdicom.sr import CodedConcept
        from pydicom.sequence import Sequence as Items

    kind = description.SegmentedPropertyTypeCodeSequence[0]
    kind.SegmentedPropertyTypeModifierCodeSequence = Items([CodedConcept.from_code(side)])
