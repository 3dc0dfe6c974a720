"""Levels of detail of a surface for the headset, each with its measured deviation from the full surface."""

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
        triangle_counts: numbers of triangles of the levels below the full surface, descending. The coarsest is shown
            almost at once: 4,000 triangles are 50 kB, or 10 kB compressed.
        glb: offers each level as a GLB file too.
    """

    triangle_counts: tuple[int, ...] = (20_000, 4_000)
    glb: bool = True


def encode_levels(surface: Surface, settings: LevelSettings | None = None) -> tuple[EncodedLevel, ...]:
    """The levels of a surface as the surface server offers them, from the coarsest to the full surface.

    A count that the surface does not exceed makes no level. Coarse levels are for display only: thin parts of them may
    be pinched where the full surface is closed.

    Raises:
        SurfaceRefusedError: the surface cannot be encoded.
        InvalidSurfaceError: triangle counts that do not descend, or a count below four.
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
    """A surface encoded for clients, with the decision that allows it to be shown.

    Attributes:
        levels: the encoded levels, coarsest first.
        approval: the state of the decision, such as ``approved``.
        approved_by: who made the decision.
        case_sha256: hash of the case's surface from which it was made; needed where people decide from a headset.
    """

    levels: Sequence[EncodedLevel]
    approval: str
    approved_by: str
    case_sha256: str = ""

    @classmethod
    def of(
        cls, surface: Surface, approval: str, approved_by: str, settings: LevelSettings | None = None
    ) -> ApprovedSurface:
        """Makes and encodes the levels, before the service starts: it takes about a second for 100,000 triangles."""
        return cls(encode_levels(surface, settings), approval, approved_by)
