"""What a case vouches for at one moment: which surfaces may be shown, which may not and why, and the registration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from case.case import Case
from case.manifest import DecisionState
from geometry.errors import SurgNavError
from registration.record.accepted import AcceptedRegistration
from registration.record.in_force import in_force

_UNFIT = {
    "missing": "its file is missing",
    "altered": "its file is not the one that was made: it was altered",
    "unreadable": "its file cannot be read",
}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where one surface stands.

    Attributes:
        path: of its GLB; `sha256`: of that file, as it was when somebody looked at it.
        state, person: the last decision on this very surface, and whose it is; nobody's for ``suggested``.
        problem: why it may not be shown whatever was decided; empty if it may.
        overtaken: there is a decision, but on another version.
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
        """Why it is not on offer, outside a research session; empty if it may be."""
        if self.problem:
            return self.problem
        if self.state == "rejected":
            return f"rejected by {self.person}"
        if self.state == "suggested":
            return "what was decided was another version of it" if self.overtaken else "nobody has approved it"
        return ""


@dataclass(frozen=True, kw_only=True)
class CaseView:
    """What the case says.

    Attributes:
        identity: of the case, its name and when it was made; empty where it could not be read.
        registration: in force; None if there is none, and then `problem` says why.
        trouble: why the case cannot be looked at; empty if it can.
    """

    identity: tuple[str, str] = ("", "")
    surfaces: tuple[Standing, ...] = ()
    registration: AcceptedRegistration | None = None
    problem: str = ""
    trouble: str = ""


def view_of(case: Case) -> CaseView:
    """Looks at every file of the case.

    Raises:
        SurgNavError: a case that contradicts itself.
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
        registration=registration,
        problem="" if registration is not None else problem,
    )


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
