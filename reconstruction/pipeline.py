"""From a CT to a case: read, find the structures, extract their surfaces, write. ``surgnav reconstruct`` runs this.

The structures come from one of three sources: the network (`reconstruct`), somebody's segmentation
(`reconstruct_from_labels`) or somebody's network (`reconstruct_with_guest`); the rest is common to all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from case.case import CT_ID, DOUBTS_KIND, DOUBTS_NAME, Case, MadeBy
from case.colours import structure_rgba
from case.mesh_files import GREY
from geometry import Clock
from geometry.clock import StageTimer
from reconstruction import in_case
from reconstruction.ct.choice import CtChoice
from reconstruction.ct.dicom.identity import identifying_words
from reconstruction.ct.read import read_ct
from reconstruction.ct.scan import CtScan
from reconstruction.guests.guest import Guest
from reconstruction.guests.kinds import combined_sha256
from reconstruction.guests.reading import segment_with
from reconstruction.identity import check_no_identity
from reconstruction.labels.read import LabelledStructure, LabelReading, read_labels
from reconstruction.network.doubts import NetworkDoubts, network_doubts
from reconstruction.network.segmentation import Segmentation, SegmentationSettings, segment
from reconstruction.network.uncertainty.measure import Uncertainty, measure_uncertainty
from reconstruction.network.uncertainty.settings import Effort
from reconstruction.network.weights import Weights
from reconstruction.surfaces.extract import ExtractedSurface, SurfaceSettings, extract_surfaces
from reconstruction.surfaces.from_labels import LabelSurfaceSettings, surfaces_from_labels
from reconstruction.vertebrae.from_network import Spine, offered_spine
from reconstruction.vertebrae.in_case import write_order, write_spine

StrPath = str | PathLike[str]
Progress = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True)
class ReconstructionSettings:
    """How a CT becomes surfaces.

    Attributes:
        weights: of the network; None for the package's own.
        segmentation: how the network runs; unused where labels are given.
        max_triangles: per structure; surfaces are simplified down to this number and the error is measured.
        copy_ct: keep the CT itself in the case, instead of its path and fingerprint.
        choice: which series or acquisition, where there are several, and whether values may be corrected to HU.
        anonymize: write nothing that identifies the patient; the CT is kept as NIfTI, without its path.
        uncertainty: how much is spent on saying how sure the network is; unused where labels are given.
    """

    weights: Weights | None = None
    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)
    max_triangles: int = 100_000
    copy_ct: bool = False
    choice: CtChoice = field(default_factory=CtChoice)
    anonymize: bool = False
    uncertainty: Effort = "quick"


@dataclass(frozen=True, eq=False, kw_only=True)
class MadeSurfaces:
    """The common part of both results.

    Attributes:
        scan: the CT as it was read.
        surfaces: structure -> its surface; a structure without one is named in `absent`.
        absent: structure -> why it has no surface.
        seconds: stage -> duration in s.
    """

    scan: CtScan
    surfaces: Mapping[str, ExtractedSurface]
    absent: Mapping[str, str]
    seconds: Mapping[str, float]


@dataclass(frozen=True, eq=False, kw_only=True)
class Reconstruction(MadeSurfaces):
    """The result of `reconstruct`.

    Attributes:
        segmentation: the network's probabilities, labels and uncertainty.
        doubts: how far these can be believed.
        spine: the vertebrae one by one; None if the network does not offer them.
        uncertainty: how sure the network is, with regions to review; None where that was not asked for.
    """

    segmentation: Segmentation
    doubts: NetworkDoubts
    spine: Spine | None = None
    uncertainty: Uncertainty | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelReconstruction(MadeSurfaces):
    """The result of `reconstruct_from_labels`.

    Attributes:
        labels: the segmentation as it was placed in the CT, with warnings.
        made_with: which network of others made it, as the case records it; empty where it was read from a file.
    """

    labels: LabelReading
    made_with: Mapping[str, str] = field(default_factory=dict)


def reconstruct(
    ct_path: StrPath,
    case_path: StrPath,
    *,
    name: str,
    time: str,
    clock: Clock,
    settings: ReconstructionSettings | None = None,
    progress: Progress | None = None,
) -> Reconstruction:
    """Reads a CT, segments it, extracts the surfaces and writes the case; all surfaces are suggestions.

    Args:
        ct_path: a DICOM folder or an image file, as for `reconstruction.ct.read.read_ct`.
        case_path: must not exist yet; it appears in full, or not at all.
        name: the case's name; not the patient's.
        time: ISO 8601 with a time zone, recorded as the time at which everything was made.
        clock: measures the duration of each stage.
        settings: None for the defaults.
        progress: called with a stage's name and the share done, 0 to 1.

    Raises:
        UnreadableInputError, CtRefusedError: the CT cannot be read, or is refused.
        CaseError: the place for the case is taken.
        EngineError, WeightsError: no engine here can run the network.
        IdentityError: `settings.anonymize` is set, and the case's name identifies the patient.
    """
    run = _Run(ct_path, case_path, name, time, settings, clock, progress)
    return run.make_case(_by_network, _write_network_result, _parameters(run.settings))


def reconstruct_from_labels(
    ct_path: StrPath,
    labels_path: StrPath,
    case_path: StrPath,
    *,
    name: str,
    time: str,
    clock: Clock,
    names_csv: StrPath | None = None,
    on_ct_grid: bool = False,
    settings: ReconstructionSettings | None = None,
    progress: Progress | None = None,
) -> LabelReconstruction:
    """Reads a CT and a segmentation of it, extracts the surfaces and writes the case; all are suggestions.

    Args:
        ct_path, case_path, name, time, clock, settings, progress: as for `reconstruct`.
        labels_path: a segmentation, as for `reconstruction.labels.read.read_labels`.
        names_csv: values and names of labels, where the segmentation has no names or other ones are wanted.
        on_ct_grid: take labels whose header gives no position as the CT's voxels, one for one; else they are refused.

    Raises:
        UnreadableInputError, CtRefusedError: the CT cannot be read, or is refused.
        LabelsError, UnreadableInputError: the segmentation cannot be read, or does not fit the CT.
        CaseError: the place for the case is taken.
        IdentityError: `settings.anonymize` is set, and a name identifies the patient.
    """
    run = _Run(ct_path, case_path, name, time, settings, clock, progress)

    def from_labels(scan: CtScan, run: _Run) -> LabelReconstruction:
        labels = run.stages.run(
            "labels", lambda: read_labels(labels_path, scan, names_csv=names_csv, on_ct_grid=on_ct_grid)
        )
        return _from_labels(scan, labels, run)

    return run.make_case(from_labels, _write_labels_result, {})


def reconstruct_with_guest(
    ct_path: StrPath,
    case_path: StrPath,
    guest: Guest,
    *,
    name: str,
    time: str,
    clock: Clock,
    settings: ReconstructionSettings | None = None,
    progress: Progress | None = None,
) -> LabelReconstruction:
    """Reads a CT, segments it with a network of others, extracts the surfaces and writes the case.

    Args:
        ct_path, case_path, name, time, clock, settings, progress: as for `reconstruct`.
        guest: the network, as `reconstruction.guests.kinds.open_guest` loads it.

    Raises:
        UnreadableInputError, CtRefusedError: the CT cannot be read, or is refused.
        ModelError: the network fails on this CT, or finds nothing in it.
        CaseError: the place for the case is taken.
        IdentityError: `settings.anonymize` is set, and a name identifies the patient.
    """
    run = _Run(ct_path, case_path, name, time, settings, clock, progress)
    made_with = {
        "network": guest.card.name,
        "network_kind": guest.card.kind,
        "network_sha256": combined_sha256(guest.card),
        "engine": guest.engine,
    }

    def by_guest(scan: CtScan, run: _Run) -> LabelReconstruction:
        labels = run.stages.run("segment", lambda: segment_with(guest, scan, run.showing("segment")))
        return replace(_from_labels(scan, labels, run), made_with=made_with)

    return run.make_case(by_guest, _write_labels_result, {})


Made = TypeVar("Made", bound=MadeSurfaces)


class _Run:
    """One run: its paths and settings, and its stages, which it shows and times."""

    def __init__(
        self,
        ct_path: StrPath,
        case_path: StrPath,
        name: str,
        time: str,
        settings: ReconstructionSettings | None,
        clock: Clock,
        progress: Progress | None,
    ) -> None:
        self.settings = settings or ReconstructionSettings()
        self._ct_path, self._case_path, self._name, self._time = ct_path, case_path, name, time
        self.show: Progress = progress or (lambda stage, share: None)
        self.stages = StageTimer(clock, self.show)

    def showing(self, stage: str) -> Callable[[float], None]:
        """Shows the share of a stage that is done; its end is the timer's to show."""
        return lambda share: self.show(stage, 0.99 * share)

    def make_case(
        self,
        make: Callable[[CtScan, _Run], Made],
        write: Callable[[Case, Made, MadeBy, ReconstructionSettings], None],
        parameters: Mapping[str, Any],
    ) -> Made:
        """Reads the CT, makes the surfaces and writes both into a new case.

        Args:
            make: finds the structures in the CT and extracts their surfaces.
            write: adds all but the CT to the case.
            parameters: the settings that the case records for everything.
        """
        with Case.create(self._case_path, self._name, self._time) as case:
            self.check_names()
            scan = self.stages.run("read", lambda: read_ct(self._ct_path, choice=self.settings.choice))
            made = make(scan, self)
            made_by = MadeBy.surgnav(self._time, parameters)

            def write_all() -> None:
                self._add_ct(case, scan, made_by)
                write(case, made, made_by, self.settings)

            self.stages.run("write", write_all)
        return made

    def check_names(self, given: Iterable[str] = ()) -> None:
        """Raises `IdentityError` where the case is to be anonymous and a name in it identifies the patient."""
        if self.settings.anonymize:
            names = (self._name, Path(self._case_path).name, *given)
            check_no_identity(names, identifying_words(Path(self._ct_path)))

    def _add_ct(self, case: Case, scan: CtScan, made_by: MadeBy) -> None:
        # An anonymous case must not name the CT's path, which may bear the patient's name.
        if self.settings.copy_ct or self.settings.anonymize:
            in_case.add_ct_copy(case, scan, made_by)
        else:
            in_case.add_ct_reference(case, scan, self._ct_path, made_by)


# ------------------------------------------------------------------------------------------------------- by the network
def _by_network(scan: CtScan, run: _Run) -> Reconstruction:
    settings, showing = run.settings, run.showing("network")
    segmentation = segment(scan.volume, settings.segmentation, showing, weights=settings.weights, stages=run.stages)
    doubts = run.stages.run(
        "check",
        lambda: network_doubts(
            segmentation.answer_hu, segmentation.probabilities, segmentation.uncertainty, segmentation.overruled
        ),
    )
    uncertainty = run.stages.run("uncertainty", lambda: _how_sure(scan, segmentation, run))
    how = SurfaceSettings(max_triangles=run.settings.max_triangles)
    surfaces, absent = run.stages.run(
        "surfaces", lambda: extract_surfaces(segmentation.probabilities, how, run.showing("surfaces"))
    )
    spine = offered_spine(segmentation, run.settings.max_triangles, run.stages)
    return Reconstruction(
        scan=scan,
        surfaces=surfaces,
        absent=absent,
        seconds=run.stages.seconds,
        segmentation=segmentation,
        doubts=doubts,
        spine=spine,
        uncertainty=uncertainty,
    )


def _how_sure(scan: CtScan, segmentation: Segmentation, run: _Run) -> Uncertainty | None:
    how = run.settings
    progress = run.showing("uncertainty")
    return measure_uncertainty(
        scan.volume, segmentation, how.uncertainty, how.segmentation, how.weights, progress=progress
    )


def _parameters(settings: ReconstructionSettings) -> dict[str, Any]:
    segmentation = settings.segmentation
    return {
        "overlap": segmentation.overlap,
        "islands": {name: asdict(rule) for name, rule in segmentation.islands.items()},
        "max_triangles": settings.max_triangles,
        "uncertainty": settings.uncertainty,
    }


def _write_network_result(case: Case, made: Reconstruction, made_by: MadeBy, _: ReconstructionSettings) -> None:
    segmentation = made.segmentation
    network = {
        "engine": segmentation.engine,
        "weights_sha256": segmentation.weights_sha256,
        "seen_in_training": segmentation.seen_in_training,
    }
    by_network = made_by.model_copy(update={"parameters": made_by.parameters | network})
    in_case.add_labels(case, segmentation.labels, dict(enumerate(segmentation.classes)), by_network)
    probability_ids = {}
    for structure in made.surfaces:
        probability = segmentation.probabilities[structure]
        probability_ids[structure] = in_case.add_probability(case, structure, probability, by_network, (CT_ID,)).id
    for structure, extracted in made.surfaces.items():
        made_from, colour = (probability_ids[structure],), structure_rgba(structure)
        case.add_surface(extracted.surface, by_network, made_from, colour, details=extracted.simplified())
    uncertainty_id = in_case.add_uncertainty(case, segmentation.uncertainty, by_network).id
    case.write_json(DOUBTS_KIND, DOUBTS_NAME, made.doubts.to_json(), by_network, (CT_ID, uncertainty_id))
    write_spine(case, made.spine, by_network)
    if made.uncertainty is not None:
        in_case.add_how_sure(case, made.uncertainty, tuple(made.surfaces), by_network)


# ---------------------------------------------------------------------------------------------------------- from labels
def _from_labels(scan: CtScan, labels: LabelReading, run: _Run) -> LabelReconstruction:
    run.check_names(text for s in labels.structures for text in (s.name, s.given_name))
    surfaces = run.stages.run("surfaces", lambda: _label_surfaces(labels, run.settings))
    absent = {s.name: f"only {s.voxels} voxels, which enclose nothing" for s in labels.structures}
    absent = {structure: why for structure, why in absent.items() if structure not in surfaces}
    return LabelReconstruction(scan=scan, surfaces=surfaces, absent=absent, seconds=run.stages.seconds, labels=labels)


def _label_surfaces(labels: LabelReading, settings: ReconstructionSettings) -> dict[str, ExtractedSurface]:
    """The surfaces of all structures, every part of each: a part that a person has marked is kept, however small."""
    how = LabelSurfaceSettings(max_triangles=settings.max_triangles, smallest_part_ml=0.0)
    surfaces: dict[str, ExtractedSurface] = {}
    for layer, volume in enumerate(labels.layers):
        surfaces |= surfaces_from_labels(volume, _names(labels.structures, layer), how)
    return surfaces


def _names(structures: tuple[LabelledStructure, ...], layer: int) -> dict[int, str]:
    return {structure.value: structure.name for structure in structures if structure.layer == layer}


def _write_labels_result(
    case: Case, made: LabelReconstruction, made_by: MadeBy, settings: ReconstructionSettings
) -> None:
    taken_over = made_by.model_copy(
        update={
            "parameters": {"labels_from": made.labels.format, "warnings": list(made.labels.warnings), **made.made_with}
        }
    )
    given = {structure.name: structure.given_name for structure in made.labels.structures if structure.given_name}
    label_ids = [
        in_case.add_labels(
            case, volume, _names(made.labels.structures, layer), taken_over, layer=layer, given_names=given
        ).id
        for layer, volume in enumerate(made.labels.layers)
    ]
    write_order(case, made.labels.layers, lambda layer: _names(made.labels.structures, layer), taken_over, label_ids)
    extracted_by = made_by.model_copy(update={"parameters": {"max_triangles": settings.max_triangles}})
    for structure in made.labels.structures:
        if structure.name in made.surfaces:
            extracted = made.surfaces[structure.name]
            details = extracted.simplified() | ({"given_name": structure.given_name} if structure.given_name else {})
            made_from, colour = (label_ids[structure.layer],), structure.colour or GREY
            case.add_surface(extracted.surface, extracted_by, made_from, colour, details=details)
