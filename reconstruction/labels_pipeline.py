"""A CT and somebody's segmentation of it to a case: what ``surgnav reconstruct --labels`` runs, without the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from os import PathLike
from pathlib import Path

from case.case import Case, MadeBy
from case.mesh_files import GREY
from geometry import Clock
from reconstruction import in_case
from reconstruction.ct.read import read_ct
from reconstruction.ct.scan import CtScan
from reconstruction.labels.read import LabelledStructure, LabelReading, read_labels
from reconstruction.pipeline import PROGRAM, ReconstructionSettings, Stages, add_ct, check_names
from reconstruction.surfaces.extract import ExtractedSurface
from reconstruction.surfaces.from_labels import LabelSurfaceSettings, surfaces_from_labels


@dataclass(frozen=True, eq=False)
class LabelReconstruction:
    """What a CT and its segmentation became.

    Attributes:
        labels: the segmentation where it lies in the CT, with warnings.
        surfaces: by structure; one without a surface is named in `absent`.
        absent: structure -> why it has no surface.
        seconds: stage -> duration.
    """

    scan: CtScan
    labels: LabelReading
    surfaces: Mapping[str, ExtractedSurface]
    absent: Mapping[str, str]
    seconds: Mapping[str, float]


def reconstruct_from_labels(
    ct_path: str | PathLike[str],
    labels_path: str | PathLike[str],
    case_path: str | PathLike[str],
    *,
    name: str,
    time: str,
    clock: Clock,
    names_csv: str | PathLike[str] | None = None,
    on_ct_grid: bool = False,
    settings: ReconstructionSettings | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> LabelReconstruction:
    """Reads a CT and a segmentation of it, extracts the surfaces and writes the case; all are suggestions.

    Args:
        ct_path: a DICOM folder or an image file, as for `reconstruction.ct.read.read_ct`.
        labels_path: a segmentation, as for `reconstruction.labels.read.read_labels`.
        case_path: must not exist yet; it appears whole, or not at all.
        name: of the case; not the patient's name.
        time: ISO 8601 with a time zone, recorded as when everything was made.
        clock: measures the stages.
        names_csv: value and name of labels, where the segmentation has no names or other ones are wanted.
        on_ct_grid: labels whose header places them nowhere are the CT's voxels, one for one; else they are refused.
        settings: `segmentation` plays no part here.
        progress: called with a stage's name and the share done.

    Raises:
        UnreadableInputError, CtRefusedError: the CT.
        LabelsError, UnreadableInputError: the segmentation.
        CaseError: the place for the case is taken.
        IdentityError: `settings.anonymize`, and a name says who the patient is.
    """
    settings = settings or ReconstructionSettings()
    stages = Stages(clock, progress or (lambda stage, share: None))
    with Case.create(case_path, name, time) as case:
        scan = stages.run("read", lambda: read_ct(ct_path, choice=settings.choice))
        labels = stages.run(
            "labels",
            lambda: read_labels(labels_path, scan, names_csv=names_csv, on_ct_grid=on_ct_grid),
        )
        given = (text for s in labels.structures for text in (s.name, s.given_name))
        check_names((name, Path(case_path).name, *given), ct_path, settings)
        surfaces = stages.run("surfaces", lambda: _surfaces(labels, settings))
        absent = {s.name: f"only {s.voxels} voxels, which enclose nothing" for s in labels.structures}
        absent = {structure: why for structure, why in absent.items() if structure not in surfaces}
        made_by = MadeBy(program=PROGRAM, version=version(PROGRAM), time=time)
        made = LabelReconstruction(scan, labels, surfaces, absent, stages.seconds)
        stages.run("write", lambda: _write(case, made, ct_path, settings, made_by))
    return made


def _surfaces(labels: LabelReading, settings: ReconstructionSettings) -> dict[str, ExtractedSurface]:
    """Every part of every structure: what a person has marked is not dropped for being small."""
    how = LabelSurfaceSettings(max_triangles=settings.max_triangles, smallest_part_ml=0.0)
    surfaces: dict[str, ExtractedSurface] = {}
    for layer, volume in enumerate(labels.layers):
        surfaces |= surfaces_from_labels(volume, _names(labels.structures, layer), how)
    return surfaces


def _names(structures: tuple[LabelledStructure, ...], layer: int) -> dict[int, str]:
    return {structure.value: structure.name for structure in structures if structure.layer == layer}


def _write(
    case: Case,
    made: LabelReconstruction,
    ct_path: str | PathLike[str],
    settings: ReconstructionSettings,
    made_by: MadeBy,
) -> None:
    add_ct(case, made.scan, ct_path, settings, made_by)
    taken_over = made_by.model_copy(
        update={"parameters": {"labels_from": made.labels.format, "warnings": list(made.labels.warnings)}}
    )
    given = {structure.name: structure.given_name for structure in made.labels.structures if structure.given_name}
    label_ids = [
        in_case.add_labels(
            case, volume, _names(made.labels.structures, layer), taken_over, layer=layer, given_names=given
        ).id
        for layer, volume in enumerate(made.labels.layers)
    ]
    extracted_by = made_by.model_copy(update={"parameters": {"max_triangles": settings.max_triangles}})
    for structure in made.labels.structures:
        if structure.name in made.surfaces:
            extracted = made.surfaces[structure.name]
            details = extracted.simplified() | ({"given_name": structure.given_name} if structure.given_name else {})
            made_from, colour = (label_ids[structure.layer],), structure.colour or GREY
            case.add_surface(extracted.surface, extracted_by, made_from, colour, details=details)
