"""The surfaces of a case that the service offers: those that a person approved; in research, suggested ones too."""

from __future__ import annotations

from dataclasses import replace

from case.case import Case
from navigation.live.offered_surfaces import ApprovedSurface, LevelSettings
from navigation.live.offers.case_view import view_of


def surfaces_of(
    case: Case, *, research_session: bool = False, settings: LevelSettings | None = None
) -> list[ApprovedSurface]:
    """Encodes the surfaces that may be offered, which takes about a second for 100,000 triangles.

    Args:
        case: an open case.
        research_session: includes suggested surfaces, for a service that says so on screen.
        settings: which levels to make.
    """
    offered = []
    for standing in view_of(case).surfaces:
        if standing.may_be_offered(research_session):
            surface = case.read_surface(standing.structure)
            made = ApprovedSurface.of(surface, standing.state, standing.person, settings)
            offered.append(replace(made, case_sha256=standing.sha256))
    return offered
