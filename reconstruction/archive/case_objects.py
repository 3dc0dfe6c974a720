"""What leaves a case: as DICOM a Segmentation for each label volume, surfaces and a report; or files for 3D Slicer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from case.case import CT_ID, Artefact, Case
from case.colours import structure_rgba
from case.findings.finding import Finding, write_finding
from case.findings.kept import findings
from case.manifest import Decision
from geometry.frames import CT
from reconstruction import in_case
from reconstruction.archive.errors import ArchiveError
from reconstruction.archive.model import ModelFile, make_model
from reconstruction.archive.report import Region, StructureReport, make_report
from reconstruction.archive.segmentation import SegmentationKind, SegmentedLabels, SegmentSource, make_segmentation
from reconstruction.archive.slicer import SlicerSegment, write_slicer_segmentation
from reconstruction.archive.source import SourceSeries, read_source
from reconstruction.ct.nifti import read_nifti_volume

DECIDED = ("approved", "edited")


@dataclass(frozen=True, eq=False)
class ArchiveObject:
    """One object.

    Attributes:
        name: for its file, such as ``structures``.
        dataset: a pydicom data set, to be saved or sent.
        what: in words, for people.
    """

    name: str
    dataset: Any
    what: str


def make_objects(case: Case, kind: SegmentationKind = "BINARY", *, suggested: bool = False) -> list[ArchiveObject]:
    """Makes every object of a case.

    Args:
        kind: of the segmentations.
        suggested: includes structures on which nobody has decided, marked as such; rejected ones never leave.

    Raises:
        ArchiveError: no structure may leave, or the CT is nothing to refer to (`read_source`).
        CaseError: the CT is not the case's; UnreadableInputError, CtRefusedError: it is missing or unreadable.
    """
    leaving = structures_that_leave(case, suggested)
    series = read_source(case)
    found = list(_layers(case, leaving))
    objects, reported = [], []
    for labels, sources in found:
        made = make_segmentation(labels, sources, series, kind)
        frames = int(made.NumberOfFrames)
        what = f"DICOM SEG, {kind}, {len(sources)} structures in {frames} frames"
        objects.append(ArchiveObject(f"segmentation_{labels.number}", made, what))
        reported += [_reported(case, source, made, number) for number, source in enumerate(sources, start=1)]
    objects += _models(case, leaving, series)
    report = make_report(reported, _regions(case), series, _time(case), case.artefact(CT_ID).made_by.version)
    objects.append(ArchiveObject("report", report, f"DICOM SR, TID 1500, {len(reported)} structures"))
    return objects


def write_for_slicer(case: Case, folder: Path, *, suggested: bool = False) -> list[str]:
    """Writes segmentations, surfaces and marked points for 3D Slicer into a folder; returns the names of the files.

    Raises:
        ArchiveError: no structure may leave, or labels are out of date.
    """
    leaving, names = structures_that_leave(case, suggested), []
    for labels, sources in _layers(case, leaving):
        segments = [SlicerSegment(each.structure, labels.values[each.structure], each.colour) for each in sources]
        names.append(f"structures_{labels.number}.seg.nrrd")
        write_slicer_segmentation(folder / names[-1], labels.labels, segments)
    unfit = case.stale() | case.verify()
    kept = [f"surfaces/{name}.stl" for name in leaving]
    kept += [each.id for each in case.artefacts if each.path.endswith(".mrk.json") and each.id not in unfit]
    for artefact_id in kept:
        source = case.path_of(artefact_id)
        shutil.copyfile(source, folder / source.name)
        names.append(source.name)
    return names + _findings_for_slicer(case, folder)


def _findings_for_slicer(case: Case, folder: Path) -> list[str]:
    """Those in ``ct`` that are up to date; one in ``reference`` has no place beside the CT."""
    names = []
    for _, finding in findings(case):
        if isinstance(finding, Finding) and finding.in_frame == CT:
            names.append(f"finding_{finding.name}.mrk.json")
            write_finding(folder / names[-1], finding)
            if finding.surface:
                names.append(f"finding_{finding.name}.stl")
                shutil.copyfile(case.path_of(finding.surface), folder / names[-1])
    return names


def structures_that_leave(case: Case, suggested: bool) -> list[str]:
    """Those that a person approved, with a surface that is as it was made; with `suggested` the undecided ones too.

    Raises:
        ArchiveError: there is none.
    """
    unfit = case.stale() | case.verify()
    states = (*DECIDED, "suggested") if suggested else DECIDED
    leaving = [name for name in case.structures() if case.state(name) in states and f"surfaces/{name}.glb" not in unfit]
    if not leaving:
        came = f"a case of which none of {', '.join(case.structures()) or 'no structure'} may leave"
        raise ArchiveError(came, "structures that a person approved", "decide: surgnav review CASE")
    return leaving


def _layers(case: Case, leaving: Sequence[str]) -> Iterator[tuple[SegmentedLabels, list[SegmentSource]]]:
    """Each label volume with its structures that leave, where it has any."""
    wrong = case.stale() | case.verify()
    for number, labels in enumerate((each for each in case.artefacts if each.kind == "labels"), start=1):
        names_of = [
            each.id
            for each in case.artefacts
            if each.kind == "label_names" and any(source.id == labels.id for source in each.made_from)
        ]
        names = json.loads(case.path_of(names_of[0]).read_bytes()) if names_of else {}
        values = {name: int(value) for value, name in names.items() if int(value) and name in leaving}
        if not values:
            continue
        if problem := wrong.get(labels.id) or wrong.get(names_of[0]):
            allowed = "labels as they were made"
            raise ArchiveError(f"labels that are out of date: {problem}", allowed, "reconstruct again")
        made = SegmentedLabels(
            labels=read_nifti_volume(case.path_of(labels.id)),
            values=values,
            time=labels.made_by.time,
            sha256=labels.sha256,
            number=number,
            program_version=labels.made_by.version,
        )
        yield made, [_source(case, labels, name) for name in values]


def _source(case: Case, labels: Artefact, structure: str) -> SegmentSource:
    parameters = labels.made_by.parameters
    network = parameters.get("weights_sha256")
    edited = case.state(structure) == "edited" or network is None
    return SegmentSource(
        structure=structure,
        algorithm_type="SEMIAUTOMATIC" if edited else "AUTOMATIC",
        algorithm="surgnav 3D U-Net" if network else str(parameters.get("labels_from", "labels of another program")),
        version=str(network)[:12] if network else labels.made_by.version,
        colour=structure_rgba(structure)[:3],
        tracking=f"{case.name} {case.manifest.created}",
    )


def _reported(case: Case, source: SegmentSource, segmentation: Any, segment: int) -> StructureReport:
    name = source.structure
    last = _last_decision(case, name)
    doubts = (case.read_doubts() or {}).get("structures", {}).get(name, {})
    sure = ((in_case.read_how_sure(case) or {}).get("structures") or {}).get(name, {})
    measures = {
        "mean probability": doubts.get("mean_probability"),
        "expected Dice": sure.get("expected_dice"),
        "share of the border that is unsure": doubts.get("unsure_share"),
    }
    return StructureReport(
        source=source,
        segmentation=segmentation,
        segment=segment,
        volume_ml=float(case.artefact(f"surfaces/{name}.glb").details["volume_ml"]),
        confidence={measure: float(value) for measure, value in measures.items() if value is not None},
        decision=case.state(name),
        person=last.person if last else "",
        decided=last.time if last else "",
        why=last.reason if last else "",
    )


def _last_decision(case: Case, structure: str) -> Decision | None:
    if case.state(structure) == "suggested":
        return None
    return next(each for each in reversed(case.decisions) if each.structure == structure)


def _regions(case: Case) -> list[Region]:
    found = (in_case.read_how_sure(case) or {}).get("regions", [])
    made = [
        Region(
            centre_ct_mm=np.array(each["centre_mm"], np.float64),
            expected_wrong_ml=float(each["expected_wrong_ml"]),
            why=each["why"],
        )
        for each in found
    ]
    return sorted(made, key=lambda region: -region.expected_wrong_ml)


def _models(case: Case, leaving: Sequence[str], series: SourceSeries) -> list[ArchiveObject]:
    made = []
    for number, name in enumerate(leaving, start=1):
        stl = case.artefact(f"surfaces/{name}.stl")
        model = ModelFile(
            structure=name,
            path=case.path_of(stl.id),
            sha256=stl.sha256,
            time=stl.made_by.time,
            program_version=stl.made_by.version,
            number=number,
        )
        made.append(ArchiveObject(f"surface_{name}", make_model(model, series), "Encapsulated STL"))
    return made


def _time(case: Case) -> str:
    """Of the last result or decision."""
    return max([*(a.made_by.time for a in case.artefacts), *(each.time for each in case.decisions)])
