"""DICOM Structured Report of a case (TID 1500): volumes, how sure the network is, where to look, and who decided what.

Each structure refers to its segment in the DICOM Segmentation that is written beside it, and each region that the
network was unsure of to its centre in the patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geometry.extras import from_extra
from geometry.points import Floats
from reconstruction.archive.codes import code_of, private_code
from reconstruction.archive.identity import MANUFACTURER, MODEL, SERIAL_NUMBER, stamp, uid_of
from reconstruction.archive.segmentation import SegmentSource
from reconstruction.archive.source import SourceSeries

SERIES_NUMBER = 9602
MOST_REGIONS = 50  # the worst ones: a report of a thousand is read by nobody


@dataclass(frozen=True, eq=False, kw_only=True)
class StructureReport:
    """What is reported of one structure.

    Attributes:
        source: where its segment comes from.
        segmentation: the DICOM Segmentation that holds it, as a data set.
        segment: its number there.
        volume_ml: of its surface.
        confidence: measure -> value from 0 to 1, such as ``mean probability``; empty where no network made it.
        decision: ``suggested``, ``approved``, ``edited`` or ``rejected``.
        person, decided, why: who decided, when, ISO 8601, and for what reason; empty for ``suggested``.
    """

    source: SegmentSource
    segmentation: Any
    segment: int
    volume_ml: float
    confidence: Mapping[str, float]
    decision: str
    person: str = ""
    decided: str = ""
    why: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Region:
    """A place that somebody should look at.

    Attributes:
        centre_ct_mm: ``(3,)``.
        expected_wrong_ml: how much is probably wrong there.
        why: in words.
    """

    centre_ct_mm: Floats
    expected_wrong_ml: float
    why: str


def make_report(
    structures: Sequence[StructureReport],
    regions: Sequence[Region],
    series: SourceSeries,
    time: str,
    program_version: str,
) -> Any:
    """A Comprehensive 3D SR as a pydicom data set.

    Args:
        regions: worst first.
        time: of the last result or decision in it, ISO 8601 with a time zone.
    """
    with from_extra("archive"):
        from highdicom.sr import Comprehensive3DSR, MeasurementReport
        from pydicom.sr.codedict import codes

    content = MeasurementReport(
        observation_context=_observer(program_version),
        procedure_reported=codes.cid100.CTUnspecifiedBodyRegion,
        imaging_measurements=[
            *(_structure(each, series) for each in structures),
            *(_region(number, each, series) for number, each in enumerate(regions[:MOST_REGIONS], start=1)),
        ],
        title=codes.DCM.ImagingMeasurementReport,
    )
    segmentations = {str(each.segmentation.SOPInstanceUID): each.segmentation for each in structures}
    name = _name(structures, regions)
    made = Comprehensive3DSR(
        evidence=[*series.headers, *segmentations.values()],
        content=content[0],
        series_instance_uid=uid_of("report series", str(series.headers[0].SeriesInstanceUID)),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("report", *segmentations, name),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=all(each.decision != "suggested" for each in structures),
    )
    made.SeriesDescription = f"{MODEL} report"
    made.ManufacturerModelName, made.SoftwareVersions = MODEL, program_version
    made.DeviceSerialNumber = SERIAL_NUMBER
    stamp(made, time)
    return made


def _name(structures: Sequence[StructureReport], regions: Sequence[Region]) -> str:
    """What the report says, as text: another text is another report."""
    said = [
        (each.source, each.volume_ml, each.confidence, each.decision, each.person, each.decided, each.why)
        for each in structures
    ]
    return repr(said) + repr([each.centre_ct_mm.tolist() for each in regions])


def _observer(program_version: str) -> Any:
    with from_extra("archive"):
        from highdicom.sr import DeviceObserverIdentifyingAttributes, ObservationContext, ObserverContext
        from pydicom.sr.codedict import codes

    program = DeviceObserverIdentifyingAttributes(
        uid=uid_of("program", program_version), name=MODEL, manufacturer_name=MANUFACTURER, model_name=MODEL
    )
    return ObservationContext(observer_device_context=ObserverContext(codes.DCM.Device, program))


def _structure(structure: StructureReport, series: SourceSeries) -> Any:
    with from_extra("archive"):
        from highdicom.sr import (
            FindingSite,
            ReferencedSegment,
            SourceSeriesForSegmentation,
            TrackingIdentifier,
            VolumetricROIMeasurementsAndQualitativeEvaluations,
        )

    source, code = structure.source, code_of(structure.source.structure)
    group = VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=uid_of("structure", source.tracking, source.structure), identifier=source.structure
        ),
        referenced_segment=ReferencedSegment(
            sop_class_uid=structure.segmentation.SOPClassUID,
            sop_instance_uid=structure.segmentation.SOPInstanceUID,
            segment_number=structure.segment,
            source_series=SourceSeriesForSegmentation(str(series.headers[0].SeriesInstanceUID)),
        ),
        finding_type=code.kind,
        finding_sites=[FindingSite(code.kind, laterality=code.side)],
        algorithm_id=_algorithm(source),
        measurements=_measurements(structure),
        qualitative_evaluations=_evaluations(structure),
    )
    who = f" by {structure.person} at {structure.decided}" if structure.person else ", nobody has decided"
    _comment(group, f"{structure.decision}{who}{': ' if structure.why else ''}{structure.why}")
    return group


def _algorithm(source: SegmentSource) -> Any:
    with from_extra("archive"):
        from highdicom.sr import AlgorithmIdentification

    return AlgorithmIdentification(source.algorithm, source.version) if source.algorithm else None


def _measurements(structure: StructureReport) -> list[Any]:
    with from_extra("archive"):
        from highdicom.sr import CodedConcept, Measurement
        from pydicom.sr.codedict import codes

    millilitre, ratio = CodedConcept("mL", "UCUM", "milliliter"), CodedConcept("1", "UCUM", "no units")
    made = [Measurement(codes.SCT.Volume, round(structure.volume_ml, 3), millilitre)]
    return made + [
        Measurement(private_code(name), round(value, 4), ratio) for name, value in structure.confidence.items()
    ]


def _evaluations(structure: StructureReport) -> list[Any]:
    with from_extra("archive"):
        from highdicom.sr import QualitativeEvaluation

    return [QualitativeEvaluation(private_code("Decision"), private_code(structure.decision))]


def _region(number: int, region: Region, series: SourceSeries) -> Any:
    with from_extra("archive"):
        from highdicom.sr import (
            CodedConcept,
            ImageRegion3D,
            Measurement,
            PlanarROIMeasurementsAndQualitativeEvaluations,
            TrackingIdentifier,
        )
        from highdicom.sr.enum import GraphicTypeValues3D

    name = f"region to review {number}"
    frame = series.frame_of_reference_uid
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=uid_of(frame, name, repr(region.centre_ct_mm.tolist())), identifier=name
        ),
        referenced_region=ImageRegion3D(GraphicTypeValues3D.POINT, np.atleast_2d(region.centre_ct_mm), frame),
        finding_type=private_code("Region to review"),
        measurements=[
            Measurement(
                private_code("Volume that is probably wrong"),
                round(region.expected_wrong_ml, 3),
                CodedConcept("mL", "UCUM", "milliliter"),
            )
        ],
    )
    _comment(group, region.why)
    return group


def _comment(group: Any, text: str) -> None:
    """A sentence for people, which TID 1500 allows in any group (it is extensible)."""
    with from_extra("archive"):
        from highdicom.sr import RelationshipTypeValues, TextContentItem
        from pydicom.sr.codedict import codes

    item = TextContentItem(codes.DCM.Comment, text, relationship_type=RelationshipTypeValues.CONTAINS)
    group[0].ContentSequence.append(item)
