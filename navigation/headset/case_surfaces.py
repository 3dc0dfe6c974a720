"""The surfaces of a case as the service offers them: those that a named person approved; in research all."""

from __future__ import annotations

from dataclasses import replace

from navigation.service import ApprovedSurface
from navigation.surface_levels import LevelSettings
from reconstruction.case import Case


def surfaces_of(
    case: Case, *, research_session: bool = False, settings: LevelSettings | None = None
) -> list[ApprovedSurface]:
    """Encodes them, which takes about a second for 100,000 triangles.

    Args:
        research_session: suggested ones as well, for a service that says so on screen.
    """
    fit = {artefact.id for artefact in case.approved_surfaces()}
    unfit = case.stale() | case.verify()
    offered = []
    for structure in case.structures():
        surface_id, state = f"surfaces/{structure}.glb", case.state(structure)
        suggested = research_session and state == "suggested" and surface_id not in unfit
        if surface_id in fit or suggested:
            person = "" if suggested else _decided_by(case, structure)
            made = ApprovedSurface.of(case.read_surface(structure), state, person, settings)
            offered.append(replace(made, case_sha256=case.artefact(surface_id).sha256))
    return offered


def _decided_by(case: Case, structure: str) -> str:
    return next(decision.person for decision in reversed(case.decisions) if decision.structure == structure)
