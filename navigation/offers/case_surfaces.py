"""The surfaces of a case as the service offers them: those that a named person approved; in research all."""

from __future__ import annotations

from dataclasses import replace

from case.case import Case
from navigation.live.offered_surfaces import ApprovedSurface, LevelSettings
from navigation.offers.case_view import view_of


def surfaces_of(
    case: Case, *, research_session: bool = False, settings: LevelSettings | None = None
) -> list[ApprovedSurface]:
    """Encodes them, which takes about a second for 100,000 triangles.

    Args:
        research_session: suggested ones as well, for a service that says so on screen.
    """
    offered = []
    for standing in view_of(case).surfaces:
        if standing.may_be_offered(research_session):
            surface = case.read_surface(standing.structure)
            made = ApprovedSurface.of(surface, standing.state, standing.person, settings)
            offered.append(replace(made, case_sha256=standing.sha256))
    return offered
