"""Opens a case for a registration: the approved surface and the plan, checked before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from case.case import PLANNED, Case, MadeBy
from geometry import Surface
from geometry.points import Floats
from registration.assumptions import Assumptions
from registration.distance.closest_point import DistanceField
from registration.errors import RegisteringError
from registration.landmarks.kinds import SKIN
from registration.measurements import Start
from registration.record.accepted import UNKNOWN, Instruments
from registration.record.attempts import Circumstances, next_id
from registration.record.kept_grid import open_field
from registration.record.landmark_kinds import said_in
from registration.record.placement import check_plan
from registration.record.point_files import read_planned
from registration.uncertainty.mobility import LandmarkKind


@dataclass(frozen=True, eq=False)
class RegistrationPlan:
    """Everything a registration rests on besides what is measured.

    Attributes:
        case: the open case.
        structure: name of the surface that is registered to.
        surface: the surface, in ct.
        surface_id: id of its artefact.
        landmarks_ct, targets_ct: the plan, name -> ``(3,)`` in ct, in mm.
        plans: ids of the artefacts that the plan came from.
        opened_by: who opened the session, and when.
        assumptions: what is assumed about the errors.
        doubts: in words, by name: landmarks that lie on no approved surface.
        kinds: the kinds of landmarks that the plan states (`landmark_kinds.py`).
    """

    case: Case
    structure: str
    surface: Surface
    surface_id: str
    landmarks_ct: Mapping[str, Floats]
    targets_ct: Mapping[str, Floats]
    plans: tuple[str, ...]
    opened_by: MadeBy
    assumptions: Assumptions = field(default_factory=Assumptions)
    doubts: Mapping[str, str] = field(default_factory=dict)
    kinds: Mapping[str, LandmarkKind] = field(default_factory=dict)

    @cached_property
    def field(self) -> DistanceField:
        """Distance to the surface; built, or read from the case, when first used."""
        return open_field(self.case, self.surface, self.surface_id, self.opened_by)

    def rests_on(self, tracker: str) -> dict[str, object]:
        """What the measurements of this session depend on, as JSON values: tracker, surface and planned landmarks."""
        return {
            "tracker": tracker,
            "surface": self.case.artefact(self.surface_id).sha256,
            "plan": {name: [float(value) for value in point] for name, point in self.landmarks_ct.items()},
        }

    def circumstances(
        self,
        person: str,
        time: str,
        measured_with: str,
        tip_error_rms_mm: float | None = None,
        start: Start = "landmarks",
        instruments: Instruments = UNKNOWN,
    ) -> Circumstances:
        """The circumstances of an attempt in this session, for its record."""
        return Circumstances(
            person=person,
            time=time,
            measured_with=measured_with,
            surface=self.surface_id,
            plans=self.plans,
            start=start,
            tip_error_rms_mm=tip_error_rms_mm,
            instruments=instruments,
        )


def open_plan(
    case_path: Path, structure: str | None, plan: Mapping[str, Path | None], person: str, time: str
) -> RegistrationPlan:
    """Opens the case with its plan.

    Args:
        case_path: folder of the case.
        structure: name of the surface to register to; None for the skin.
        plan: files with ``landmarks`` and ``targets``, which are copied into the case; None for the case's own plan.
        person: name of the person who opens the session.
        time: ISO 8601 with a time zone.

    Raises:
        RegisteringError: no name, or a surface that is not approved, stale or altered.
        CaseError, MarkupsError, PointsFileError: a case or a file that cannot be read.
        LandmarksRefusedError: planned points that cannot belong to this patient.
    """
    if not person.strip():
        raise RegisteringError("a session without a person", "the name of the person who decides", "pass --person NAME")
    case = Case.open(case_path)
    structure = structure or next((name for name in SKIN if name in case.structures()), SKIN[-1])
    surface = case.read_surface(structure)
    surface_id = f"surfaces/{structure}.glb"
    if surface_id not in {artefact.id for artefact in case.approved_surfaces()}:
        problem = case.stale().get(surface_id) or case.verify().get(surface_id) or f"it is {case.state(structure)}"
        raise RegisteringError(
            f"the surface of '{structure}', which may not be registered to: {problem}",
            "a surface that a named person approved, and that is up to date",
            f"look at it, then: surgnav review {case_path} --structure {structure} --decision approved --person NAME",
        )
    found = {kind: _plan_of(case, kind, plan.get(kind)) for kind in PLANNED}
    landmarks_ct, targets_ct = (found[kind][1] for kind in ("landmarks", "targets"))
    doubts = check_plan(case, surface, landmarks_ct, targets_ct)
    kinds = _kinds_of(case, found["landmarks"][0])
    kept = (_keep_plan(case, kind, *found[kind], person, time) for kind in PLANNED)
    plans = tuple(plan_id for plan_id in kept if plan_id is not None)
    opened_by = MadeBy.surgnav(time, {"person": person})
    return RegistrationPlan(
        case, structure, surface, surface_id, landmarks_ct, targets_ct, plans, opened_by, Assumptions(), doubts, kinds
    )


def _plan_of(case: Case, kind: str, path: Path | None) -> tuple[Path | str | None, Mapping[str, Floats]]:
    """Where a plan is (a file outside the case, an artefact's id, or None), and its points. Writes nothing."""
    known = {artefact.id for artefact in case.artefacts}
    if path is None:
        own = PLANNED[kind]
        return (own, read_planned(case.path_of(own))) if own in known else (None, {})
    inside = {(case.root / artefact.path).resolve(): artefact.id for artefact in case.artefacts}
    return inside.get(path.resolve(), path), read_planned(path)


def _kinds_of(case: Case, where: Path | str | None) -> dict[str, LandmarkKind]:
    """The kinds of landmarks that a plan states, in a file or an artefact of the case."""
    if where is None:
        return {}
    return said_in(where if isinstance(where, Path) else case.path_of(where))


def _keep_plan(
    case: Case, kind: str, where: Path | str | None, points_ct: Mapping[str, Floats], person: str, time: str
) -> str | None:
    """Copies a plan from a file into the case, and returns its id; a plan that is in the case already is left alone."""
    if not isinstance(where, Path):
        return where
    said = {"person": person, "file": where.name}
    made_by = MadeBy.surgnav(time, said)
    name = f"{next_id(case)}_{kind}"
    kinds = {point: f"kind: {what}" for point, what in said_in(where).items()} if kind == "landmarks" else None
    plan_kind = f"registration_{kind}"
    return case.add_markups(name, points_ct, made_by, made_from=(), kind=plan_kind, descriptions=kinds).id
