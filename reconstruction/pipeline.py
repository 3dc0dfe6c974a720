"""From a CT to a case: read, segment, extract surfaces, write. This is what ``surgnav reconstruct`` runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any

from case.case import CT_ID, DOUBTS_KIND, DOUBTS_NAME, Case, MadeBy
from case.colours import structure_rgba
from geometry import Clock, Volume
from reconstruction import in_case
from reconstruction.ct.choice import CtChoice
from reconstruction.ct.dicom.identity import identifying_words
from reconstruction.ct.read import read_ct
from reconstruction.ct.scan import CtScan
from reconstruction.identity import check_no_identity
from reconstruction.network.classes import CLASSES
from reconstruction.network.doubts import NetworkDoubts, network_doubts
from reconstruction.network.segmentation import Segmentation, SegmentationSettings, segment
from reconstruction.surfaces.extract import EmptyStructureError, ExtractedSurface, SurfaceSettings, extract_surface

PROGRAM = "surgnav"


@dataclass(frozen=True, kw_only=True)
class ReconstructionSettings:
    """How a CT becomes surfaces.

    Attributes:
        segmentation: how the network runs.
        max_triangles: per structure; the surfaces are simplified to it, with the error measured.
        copy_ct: keep the CT itself in the case, instead of where it is and its fingerprint.
        choice: which series or acquisition, where there are several, and whether values may be corrected to HU.
        anonymize: nothing in the case tells who the patient is: the CT is kept as NIfTI, not where it came from.
    """

    segmentation: SegmentationSettings = field(default_factory=SegmentationSettings)
    max_triangles: int = 100_000
    copy_ct: bool = False
    choice: CtChoice = field(default_factory=CtChoice)
    anonymize: bool = False


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """What a CT became.

    Attributes:
        surfaces: by structure; a structure that the CT does not show is missing here and named in `absent`.
        absent: structure -> why it has no surface.
        seconds: stage -> duration.
        doubts: how far the network's result can be believed.
    """

    scan: CtScan
    segmentation: Segmentation
    surfaces: Mapping[str, ExtractedSurface]
    absent: Mapping[str, str]
    seconds: Mapping[str, float]
    doubts: NetworkDoubts


def reconstruct(
    ct_path: str | PathLike[str],
    case_path: str | PathLike[str],
    *,
    name: str,
    time: str,
    clock: Clock,
    settings: ReconstructionSettings | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Reconstruction:
    """Reads a CT, segments it, extracts the surfaces and writes the case; all surfaces are suggestions.

    Args:
        ct_path: a DICOM folder or an image file, as for `reconstruction.ct.read.read_ct`.
        case_path: must not exist yet; it appears whole, or not at all.
        name: of the case; not the patient's name.
        time: ISO 8601 with a time zone, recorded as when everything was made.
        clock: measures the stages.
        progress: called with a stage's name and the share done.

    Raises:
        UnreadableInputError, CtRefusedError: the CT.
        CaseError: the place for the case is taken.
        EngineError, WeightsError: nothing here runs the network.
        IdentityError: `settings.anonymize`, and the case's name says who the patient is.
    """
    settings = settings or ReconstructionSettings()
    stages = Stages(clock, progress or (lambda stage, share: None))
    with Case.create(case_path, name, time) as case:
        check_names((name, Path(case_path).name), ct_path, settings)
        scan = stages.run("read", lambda: read_ct(ct_path, choice=settings.choice))
        segmentation = stages.run(
            # 0.99: the stage is done when the islands are cleared too, not with its last window.
            "segment",
            lambda: segment(scan.volume, settings.segmentation, lambda share: stages.show("segment", 0.99 * share)),
        )
        doubts = stages.run(
            "check",
            lambda: network_doubts(segmentation.hu, segmentation.probabilities, segmentation.uncertainty),
        )
        surfaces, absent = stages.run("surfaces", lambda: _extract_all(segmentation.probabilities, settings))
        made_by = MadeBy(program=PROGRAM, version=version(PROGRAM), time=time, parameters=_parameters(settings))
        reconstruction = Reconstruction(scan, segmentation, surfaces, absent, stages.seconds, doubts)
        stages.run("write", lambda: _write(case, reconstruction, ct_path, settings, made_by))
    return reconstruction


class Stages:
    """Runs the stages of a reconstruction, shows and measures them."""

    def __init__(self, clock: Clock, show: Callable[[str, float], None]) -> None:
        self._clock = clock
        self.show = show
        self.seconds: dict[str, float] = {}

    def run(self, stage: str, work: Callable[[], Any]) -> Any:
        self.show(stage, 0.0)
        start_ns = self._clock.now_ns()
        result = work()
        self.seconds[stage] = (self._clock.now_ns() - start_ns) / 1e9
        self.show(stage, 1.0)
        return result


def check_names(names: Iterable[str], ct_path: str | PathLike[str], settings: ReconstructionSettings) -> None:
    """Raises `IdentityError` where the case is to be anonymous and one of `names` is the patient's."""
    if settings.anonymize:
        check_no_identity(names, identifying_words(Path(ct_path)))


def add_ct(
    case: Case, scan: CtScan, ct_path: str | PathLike[str], settings: ReconstructionSettings, made_by: MadeBy
) -> None:
    """The CT itself, or where it is: an anonymous case must not say that."""
    if settings.copy_ct or settings.anonymize:
        in_case.add_ct_copy(case, scan, made_by)
    else:
        in_case.add_ct_reference(case, scan, ct_path, made_by)


def _extract_all(
    probabilities: Mapping[str, Volume], settings: ReconstructionSettings
) -> tuple[dict[str, ExtractedSurface], dict[str, str]]:
    surfaces, absent = {}, {}
    for structure, probability in probabilities.items():
        try:
            surfaces[structure] = extract_surface(
                probability, structure, SurfaceSettings(max_triangles=settings.max_triangles)
            )
        except EmptyStructureError as error:
            absent[structure] = error.came
    return surfaces, absent


def _parameters(settings: ReconstructionSettings) -> dict[str, Any]:
    segmentation = settings.segmentation
    return {
        "overlap": segmentation.overlap,
        "islands": {name: asdict(rule) for name, rule in segmentation.islands.items()},
        "max_triangles": settings.max_triangles,
    }


def _write(
    case: Case,
    made: Reconstruction,
    ct_path: str | PathLike[str],
    settings: ReconstructionSettings,
    made_by: MadeBy,
) -> None:
    add_ct(case, made.scan, ct_path, settings, made_by)
    segmentation = made.segmentation
    by_network = made_by.model_copy(
        update={
            "parameters": made_by.parameters
            | {
                "engine": segmentation.engine,
                "weights_sha256": segmentation.weights_sha256,
                "seen_in_training": segmentation.seen_in_training,
            }
        }
    )
    in_case.add_labels(case, segmentation.labels, dict(enumerate(CLASSES)), by_network)
    probability_ids = {}
    for structure in made.surfaces:
        probability = segmentation.probabilities[structure]
        probability_ids[structure] = in_case.add_probability(case, structure, probability, by_network, (CT_ID,)).id
    for structure, extracted in made.surfaces.items():
        colour = structure_rgba(structure)
        made_from = (probability_ids[structure],)
        case.add_surface(extracted.surface, by_network, made_from, colour, details=extracted.simplified())
    uncertainty_id = in_case.add_uncertainty(case, segmentation.uncertainty, by_network).id
    case.write_json(DOUBTS_KIND, DOUBTS_NAME, made.doubts.to_json(), by_network, (CT_ID, uncertainty_id))
