"""The case: a folder that a person can read, with a manifest of what made what from what.

CT by reference or as NIfTI, labels and probabilities as NIfTI, surfaces as STL and GLB, landmarks and plans as 3D
Slicer markups, the rest as JSON. A structure is a suggestion until a named person decides. Times come in as ISO 8601
with a time zone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from case.errors import CaseError
from case.folder import CaseFolder, validated
from case.levels import Level
from case.manifest import Artefact, Decision, DecisionState, MadeBy, RegistrationEvent, RegistrationStep, is_name
from case.markups import Markups, read_markups, write_markups
from case.mesh_files import GREY, Colour, read_surface, write_surface
from geometry.surface import Surface

__all__ = ["Artefact", "Case", "Decision", "MadeBy"]

CT_ID = "ct"
LABELS_ID = "labels/labels.nii.gz"
PLANNED = {"landmarks": "markups/landmarks.mrk.json", "targets": "markups/targets.mrk.json"}
LABEL_NAMES_ID = "labels/labels.json"
UNCERTAINTY_ID = "probabilities/uncertainty.nii.gz"
DOUBTS_KIND, DOUBTS_NAME = "quality", "network"
DOUBTS_ID = f"{DOUBTS_KIND}/{DOUBTS_NAME}.json"


class Case(CaseFolder):
    """A case folder; make one with `Case.create`, come back to it with `Case.open`."""

    def add_surface(
        self,
        surface: Surface,
        made_by: MadeBy,
        made_from: Sequence[str] = (LABELS_ID,),
        colour: Colour = GREY,
        *,
        details: Mapping[str, Any] | None = None,
    ) -> Artefact:
        """Adds a surface as STL and as GLB; returns the GLB, which decisions and the headset refer to.

        Args:
            details: further facts, such as ``given_name`` (the name in its source file) and what simplifying did.
        """
        stem = f"surfaces/{checked_name(surface.name)}"
        described = {
            **(details or {}),
            "structure": surface.name,
            "frame": surface.frame,
            "volume_ml": round(surface.volume_ml, 3),
            "triangles": len(surface.triangles),
            "watertight": surface.is_watertight,
        }
        for suffix in (".stl", ".glb"):
            artefact = self.add(
                "surface",
                stem + suffix,
                lambda path: write_surface(path, surface, colour),
                made_by,
                made_from,
                details=described,
            )
        return artefact

    def add_markups(
        self,
        name: str,
        points_ct_mm: Mapping[str, ArrayLike],
        made_by: MadeBy,
        made_from: Sequence[str] = (CT_ID,),
        kind: str = "landmarks",
        descriptions: Mapping[str, str] | None = None,
    ) -> Artefact:
        """Adds labelled points of the frame ``ct`` (landmarks, a plan) as 3D Slicer markups."""
        path = f"markups/{checked_name(name)}.mrk.json"
        return self.add(
            kind, path, lambda path: write_markups(path, name, points_ct_mm, descriptions), made_by, made_from
        )

    def write_json(
        self, kind: str, name: str, payload: Mapping[str, Any], made_by: MadeBy, made_from: Sequence[str] = ()
    ) -> Artefact:
        """Adds any other JSON record, such as a registration, as ``{kind}/{name}.json``."""
        path = f"{checked_name(kind)}/{checked_name(name)}.json"
        return self.add(kind, path, lambda path: write_payload(path, payload), made_by, made_from)

    def read_doubts(self) -> dict[str, Any] | None:
        """Returns the record of `NetworkDoubts.to_json`; None if the surfaces do not come from a network."""
        known = any(artefact.id == DOUBTS_ID for artefact in self.artefacts)
        return dict(json.loads(self.path_of(DOUBTS_ID).read_bytes())) if known else None

    def read_surface(self, structure: str) -> Surface:
        return read_surface(self.path_of(self._surface(structure).id))

    def read_markups(self, name: str) -> Markups:
        return read_markups(self.path_of(f"markups/{name}.mrk.json"))

    def decide(
        self,
        structure: str,
        state: DecisionState,
        person: str,
        time: str,
        *,
        looked_at: bool = False,
        reason: str = "",
    ) -> Decision:
        """Records what a person decided about a structure's surface as it is now.

        Args:
            looked_at: whether the person states that they looked at pictures of the surface; this is recorded.
            reason: why, in the person's words.

        Raises:
            CaseError: no such structure, no name, an unknown state, or a surface that is stale or altered.
        """
        surface = self._surface(structure)
        problem = self.stale().get(surface.id) or self.verify().get(surface.id)
        if problem and state in ("approved", "edited"):
            came = f"a surface '{structure}' that cannot be {state}: {problem}"
            raise CaseError(came, "a surface that is up to date", "make the surface again")
        decision = validated(
            Decision,
            structure=structure,
            state=state,
            person=person,
            time=time,
            surface_sha256=surface.sha256,
            looked_at=looked_at,
            reason=reason.strip(),
        )
        self.save(self.manifest.with_decision(decision))
        return decision

    def state(self, structure: str) -> DecisionState:
        """The last decision, as long as the surface is still the one that was decided on; else ``suggested``."""
        surface = self._surface(structure)
        for decision in reversed(self.decisions):
            if decision.structure == structure:
                return decision.state if decision.surface_sha256 == surface.sha256 else "suggested"
        return "suggested"

    def record_registration(
        self,
        registration: str,
        step: RegistrationStep,
        verdict: tuple[Level, Sequence[str]],
        person: str,
        time: str,
        details: Mapping[str, Any] | None = None,
    ) -> RegistrationEvent:
        """Records what happened to the registration kept as ``registration/{registration}.json``.

        Args:
            verdict: level and reasons, at this moment.

        Raises:
            CaseError: no such registration, no name; or one that is to be in force although it was refused, is stale
                or was altered.
        """
        artefact = self.artefact(f"registration/{registration}.json")
        level, reasons = verdict
        if step in ("accepted", "returned"):
            problem = "it was refused" if level == "refuse" else self.registration_problem(registration)
            if problem:
                came = f"a registration '{registration}' that cannot be put in force: {problem}"
                raise CaseError(came, "a registration that is valid", "register again")
        event = validated(
            RegistrationEvent,
            registration=registration,
            step=step,
            person=person,
            time=time,
            level=level,
            reasons=tuple(reasons),
            registration_sha256=artefact.sha256,
            details=dict(details or {}),
        )
        self.save(self.manifest.with_registration_event(event))
        return event

    def active_registration(self) -> RegistrationEvent | None:
        """The event that put the current registration in force; None if there is none.

        It may be stale or altered: see `registration_problem`.
        """
        for event in reversed(self.manifest.registration_events):
            if event.step in ("accepted", "returned"):
                return event
            if event.step == "withdrawn":
                return None
        return None

    def registration_problem(self, registration: str) -> str | None:
        """Why a registration may not be used (stale, missing, altered, its surface rejected since); None if it may."""
        artefact = self.artefact(f"registration/{registration}.json")
        unfit = self.stale().get(artefact.id) or self.verify().get(artefact.id)
        return unfit or self.rejected_under(registration)

    def structures(self) -> tuple[str, ...]:
        """Every structure that has a surface."""
        return tuple(a.details["structure"] for a in self.artefacts if a.kind == "surface" and a.path.endswith(".glb"))

    def approved_surfaces(self) -> tuple[Artefact, ...]:
        """The surfaces that the headset may show: approved, or edited, by a person; neither stale nor altered."""
        unfit = self.stale() | self.verify()
        approved = (self._surface(name) for name in self.structures() if self.state(name) in ("approved", "edited"))
        return tuple(surface for surface in approved if surface.id not in unfit)

    def rejected_under(self, registration: str) -> str | None:
        """Names a surface that the registration was made from and that was rejected since; None if there is none."""
        made_from = {source.id for source in self.artefact(f"registration/{registration}.json").made_from}
        for structure in self.structures():
            if f"surfaces/{structure}.glb" in made_from and self.state(structure) == "rejected":
                person = next(d.person for d in reversed(self.decisions) if d.structure == structure)
                return f"the surface '{structure}' that it rests on was rejected by {person}"
        return None

    def _surface(self, structure: str) -> Artefact:
        if structure not in self.structures():
            known = f"one of {', '.join(self.structures())}" if self.structures() else "a structure with a surface"
            raise CaseError(f"the structure '{structure}', which has no surface in the case", known, "check its name")
        return self.artefact(f"surfaces/{structure}.glb")


def checked_name(name: str) -> str:
    """Returns `name`; raises `CaseError` where it cannot be part of an artefact's path."""
    if not is_name(name):
        allowed = "lower-case letters, digits, _ and -, at most 64 characters"
        raise CaseError(f"the name {name!r}", allowed, "choose another name")
    return name


def write_payload(path: Path, payload: Mapping[str, Any]) -> None:
    """Writes standard JSON: finite numbers only, UTF-8, ending in a line break.

    Raises:
        CaseError: `payload` is not JSON.
    """
    try:
        text = json.dumps(payload, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CaseError(
            f"a payload that is no JSON ({error})", "finite numbers, text and lists", "convert its values"
        ) from error
    path.write_text(text + "\n", encoding="utf-8")
