"""The state of a case at one moment: which surfaces may be shown, which not and why, and the registration in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from case.case import CT_ID, PLANNED, Case
from case.manifest import DecisionState
from geometry.errors import SurgNavError
from navigation.guidance.case_plans import plan_fingerprint
from registration.record.accepted import AcceptedRegistration
from registration.record.in_force import in_force

_UNFIT = {
    "missing": "its file is missing",
    "altered": "its file is not the one that was made: it was altered",
    "unreadable": "its file cannot be read",
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The state of one surface in the case.

    Attributes:
        structure: name of the structure.
        path: path of its GLB file.
        sha256: hash of that file according to the case.
        state: the last decision on this version of the surface.
        person: who made that decision; empty for ``suggested``.
        problem: why it may not be shown whatever was decided; empty if it may.
        overtaken: whether the last decision was on another version.
    """

    structure: str
    path: Path
    sha256: str
    state: DecisionState
    person: str
    problem: str = ""
    overtaken: bool = False

    def may_be_offered(self, research_session: bool) -> bool:
        return not self.problem and (
            self.state in ("approved", "edited") or (research_session and self.state == "suggested")
        )

    @property
    def why_not(self) -> str:
        """Why it may not be offered outside a research session; empty if it may."""
        if self.problem:
            return self.problem
        if self.state == "rejected":
            return f"rejected by {self.person}"
        if self.state == "suggested":
            return "what was decided was another version of it" if self.overtaken else "nobody has approved it"
        return ""


@dataclass(frozen=True)
class Kept:
    """The CT, or a list of planned points, as the case has it now; nobody has to approve these."""

    path: Path
    sha256: str


@dataclass(frozen=True, kw_only=True)
class CaseView:
    """The state of the case.

    Attributes:
        identity: name of the case and time of its creation; empty if it could not be read.
        surfaces: the state of each surface.
        kept: ``landmarks``, ``targets`` and ``ct``, those that there are and that are as they were made.
        registration: the registration in force, if any.
        problem: why no registration is in force; empty if one is.
        plan: `plan_fingerprint` of the trajectories; empty without one.
        trouble: why the case cannot be read; empty if it can.
    """

    identity: tuple[str, str] = ("", "")
    surfaces: tuple[Standing, ...] = ()
    kept: Mapping[str, Kept] = field(default_factory=dict)
    registration: AcceptedRegistration | None = None
    problem: str = ""
    plan: str = ""
    trouble: str = ""


def view_of(case: Case) -> CaseView:
    """Checks every file of the case and returns the case's state.

    Raises:
        SurgNavError: the case is inconsistent.
    """
    unfit = case.stale() | {name: _UNFIT[how] for name, how in case.verify().items()}
    registration, problem = None, "no registration of this case is in force"
    try:
        registration = in_force(case)
    except SurgNavError as error:
        problem = error.came
    return CaseView(
        identity=(case.name, case.manifest.created),
        surfaces=tuple(_standing(case, structure, unfit) for structure in case.structures()),
        kept=_kept(case, unfit),
        registration=registration,
        problem="" if registration is not None else problem,
        plan=plan_fingerprint(case),
    )


def _kept(case: Case, unfit: Mapping[str, str]) -> dict[str, Kept]:
    known = {artefact.id: artefact.sha256 for artefact in case.artefacts}
    wanted = {**PLANNED, "ct": CT_ID}
    return {
        name: Kept(case.path_of(identity), known[identity])
        for name, identity in wanted.items()
        if identity in known and identity not in unfit
    }


def _standing(case: Case, structure: str, unfit: Mapping[str, str]) -> Standing:
    surface, state = case.artefact(f"surfaces/{structure}.glb"), case.state(structure)
    decided = next((decision for decision in reversed(case.decisions) if decision.structure == structure), None)
    return Standing(
        structure=structure,
        path=case.path_of(surface.id),
        sha256=surface.sha256,
        state=state,
        person="" if state == "suggested" or decided is None else decided.person,
        problem=unfit.get(surface.id, ""),
        overtaken=decided is not None and decided.surface_sha256 != surface.sha256,
    )
