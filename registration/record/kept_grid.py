"""The distance to a case's surface: made once, kept in the case, and made anew for a surface that changed."""

from __future__ import annotations

from case.case import Case, MadeBy
from geometry import Surface
from registration.distance.distance_grid import DistanceGrid
from registration.errors import DistanceGridError

KIND = "distance_grid"


def open_field(case: Case, surface: Surface, surface_id: str, made_by: MadeBy) -> DistanceGrid:
    """The grid of this very surface: the case's own where it fits, else a new one that the case keeps.

    A damaged grid, one of another version, or one of a surface that has changed since is replaced, never used.
    """
    grid_id = f"registration/{surface.name}.grid"
    if grid_id in {artefact.id for artefact in case.artefacts} and grid_id not in case.verify():
        try:
            return DistanceGrid.load(case.path_of(grid_id), surface)
        except DistanceGridError:
            pass  # what it says is of no use to anybody here: the surface is at hand
    grid = DistanceGrid.from_surface(surface)
    details = {"surface": surface_id, "spacing_mm": grid.spacing_mm, "nodes": grid.node_count}
    case.add(KIND, grid_id, grid.save, made_by, (surface_id,), details=details)
    return grid
