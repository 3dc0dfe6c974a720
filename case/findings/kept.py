"""Findings in the case, as ``findings/NAME.json``; one in ``ct`` is stale once the CT or its registration changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from case.case import CT_ID, Artefact, Case, MadeBy, checked_name
from case.errors import CaseError
from case.findings.finding import Finding
from case.mesh_files import write_surface
from geometry.frames import CT
from geometry.surface import Surface

KIND, SURFACE_KIND = "finding", "finding_surface"


def keep_finding(case: Case, finding: Finding, surface: Surface | None = None) -> Artefact:
    """Keeps a finding; one in ``ct`` is made from the CT and the registration, and is stale once they change.

    Args:
        surface: of a volume, in the finding's frame.

    Raises:
        CaseError: the name is taken or cannot be one, a surface in another frame, or no such registration in the case.
    """
    path = f"findings/{checked_name(finding.name)}.json"
    known = {artefact.id for artefact in case.artefacts}
    if path in known:
        came = f"a finding called '{finding.name}', which the case has already"
        raise CaseError(came, "a name that no finding has", "choose another name: findings are not replaced")
    if (surface is None) == bool(finding.surface) or (surface is not None and surface.frame != finding.in_frame):
        raise CaseError("a surface that is not the finding's", f"one in '{finding.in_frame}' of a volume", "pass it")
    made_by = MadeBy.surgnav(finding.time, {"person": finding.person})
    made_from = [each for each in (CT_ID,) if each in known]
    if finding.in_frame == CT:
        registration = case.artefact(f"registration/{finding.registration}.json")
        if registration.sha256 != finding.registration_sha256:
            came = f"a finding placed by another version of '{finding.registration}' than the case has"
            raise CaseError(came, "the registration as it was", "mark it again")
        made_from.append(registration.id)
    else:
        made_from = []
    if surface is not None:
        details = {"frame": surface.frame, "finding": finding.name, "session": finding.marked_in.session}
        case.add(
            SURFACE_KIND,
            finding.surface,
            lambda path: write_surface(path, surface),
            made_by,
            made_from,
            details=details,
        )
        made_from.append(finding.surface)
    text = finding.model_dump_json(indent=2) + "\n"
    details = {"shape": finding.shape, "frame": finding.in_frame, "structure": finding.structure}
    return case.add(KIND, path, lambda path: _write(path, text), made_by, made_from, details=details)


def surface_path(name: str) -> str:
    """Where the surface of a volume of this name is kept."""
    return f"findings/{checked_name(name)}.stl"


def free_name(case: Case, wanted: str) -> str:
    """``wanted-1`` or the next number that no finding has."""
    taken = {artefact.id for artefact in case.artefacts}
    number = 1
    while f"findings/{wanted}-{number}.json" in taken:
        number += 1
    return checked_name(f"{wanted}-{number}")


def findings(case: Case) -> Iterator[tuple[Artefact, Finding | str]]:
    """Every finding, or why it cannot be used."""
    unfit = case.stale() | {name: f"its file is {how}" for name, how in case.verify().items()}
    for artefact in case.artefacts:
        if artefact.kind == KIND:
            yield artefact, unfit.get(artefact.id) or _read(case.path_of(artefact.id))


def _read(path: Path) -> Finding | str:
    try:
        return Finding.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        return f"its file cannot be read ({type(error).__name__})"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
