"""Levels of detail for the headset, made when the service starts: each measured against the full surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from geometry.surface import Surface
from reconstruction.surfaces.detail_levels import levels_of_detail
from unity_bridge.surfaces.levels import EncodedLevel, encode_level


@dataclass(frozen=True, kw_only=True)
class LevelSettings:
    """Which levels to offer.

    Attributes:
        triangle_counts: falling; of the levels below the full surface. The coarsest is on screen at once: 4,000
            triangles are 50 kB, or 10 kB compressed.
        glb: offer each level as a GLB file too.
    """

    triangle_counts: tuple[int, ...] = (20_000, 4_000)
    glb: bool = True


def encode_levels(surface: Surface, settings: LevelSettings | None = None) -> tuple[EncodedLevel, ...]:
    """The levels of a surface as the surface server offers them, coarse first, the last the full surface.

    A count that the surface does not exceed makes no level. Coarse levels are to be looked at: thin parts of theirs may
    be pinched, where the full surface is closed.

    Raises:
        SurfaceRefusedError: a surface that cannot be encoded.
        InvalidSurfaceError: counts that do not fall, or below four.
    """
    settings = settings or LevelSettings()
    full = len(surface.triangles)
    coarser = [count for count in settings.triangle_counts if count < full]
    if not coarser:
        return (encode_level(surface, glb=settings.glb),)
    made: list[EncodedLevel] = []
    above = full + 1
    for level in levels_of_detail(surface, (full, *coarser), keep_watertight=False):  # the finest first
        triangles = len(level.surface.triangles)
        if triangles >= above:
            continue
        above = triangles
        distance = level.simplification.distance if level.simplification else None
        deviations = (distance.max_mm, distance.p95_mm) if distance else (0.0, 0.0)
        made.append(encode_level(level.surface, *deviations, glb=settings.glb))
    return tuple(reversed(made))


@dataclass(frozen=True)
class ApprovedSurface:
    """A surface as it goes on the wire, coarse level first, with the decision that allows it to.

    Attributes:
        case_sha256: of the case's surface that it was made from, where people may decide on it from a headset.
    """

    levels: Sequence[EncodedLevel]
    approval: str
    approved_by: str
    case_sha256: str = ""

    @classmethod
    def of(
        cls, surface: Surface, approval: str, approved_by: str, settings: LevelSettings | None = None
    ) -> ApprovedSurface:
        """Makes and encodes the levels: about a second for 100,000 triangles, so before the service starts."""
        return cls(encode_levels(surface, settings), approval, approved_by)
