"""The same surface at several levels of detail for the headset, each with its measured error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from geometry.errors import InvalidSurfaceError
from geometry.surface import Surface
from reconstruction.surfaces.simplification import Simplification, simplify_surface


@dataclass(frozen=True, eq=False)
class LevelOfDetail:
    """One level.

    Attributes:
        surface: the surface at this level.
        simplification: its counts and its distance to the full surface; None for the full surface itself.
    """

    surface: Surface
    simplification: Simplification | None


def levels_of_detail(
    surface: Surface, triangle_counts: Sequence[int], *, keep_watertight: bool = True
) -> tuple[LevelOfDetail, ...]:
    """Simplifies a surface to each count, the finest first.

    Each level is made from the full surface and measured against it, not against the level before: errors do not add
    up, and a level's error does not depend on which others were asked for. A count that the surface does not exceed
    gives the full surface, once.

    Args:
        triangle_counts: falling, each 4 or more.
        keep_watertight: as for `simplify_surface`.

    Raises:
        InvalidSurfaceError: counts that do not fall, or fewer than four triangles.
    """
    counts = list(triangle_counts)
    if not counts or min(counts) < 4 or any(a <= b for a, b in pairwise(counts)):
        raise InvalidSurfaceError(f"levels of {counts} triangles", "falling counts, each 4 or more", "sort them")
    full = [LevelOfDetail(surface, None)] if counts[0] >= len(surface.triangles) else []
    fewer = [count for count in counts if count < len(surface.triangles)]
    return (
        *full,
        *(LevelOfDetail(*simplify_surface(surface, count, keep_watertight=keep_watertight)) for count in fewer),
    )
