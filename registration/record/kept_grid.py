"""Keeps the distance grid of a surface in the case, and builds it again when the surface has changed."""

from __future__ import annotations

from case.case import Case, MadeBy
from geometry import Surface
from registration.distance.distance_grid import DistanceGrid
from registration.errors import DistanceGridError

KIND = "distance_grid"


def open_field(case: Case, surface: Surface, surface_id: str, made_by: MadeBy) -> DistanceGrid:
    """The distance grid of `surface`: the one kept in the case if it belongs to this surface, else a new one.

    A grid that is damaged, of another version, or of a surface that has changed since is replaced.

    Args:
        case: the case, which is written if a new grid is built.
        surface: the surface in ct.
        surface_id: id of its artefact.
        made_by: who opened the case, for the grid's artefact.

    Raises:
        DistanceGridError: the surface has no triangles, or needs too large a grid.
    """
    grid_id = f"registration/{surface.name}.grid"
    if grid_id in {artefact.id for artefact in case.artefacts} and grid_id not in case.verify():
        try:
            return DistanceGrid.load(case.path_of(grid_id), surface)
        except DistanceGridError:
            pass  # the reason does not matter: the grid is built again from the surface
    grid = DistanceGrid.from_surface(surface)
    details = {"surface": surface_id, "spacing_mm": grid.spacing_mm, "nodes": grid.node_count}
    case.add(KIND, grid_id, grid.save, made_by, (surface_id,), details=details)
    return grid
