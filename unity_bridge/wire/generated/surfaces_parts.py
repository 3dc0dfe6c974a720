"""Parts of messages of the surfaces socket. Generated from wire_schema.toml by `make wire`: edit that, not this."""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.wire.message_methods import SurfaceEntryMethods
from unity_bridge.wire.schema import F64, SHA256, TEXT, U32, U64, tagged


@dataclass(frozen=True, kw_only=True)
class SurfaceLevel:
    """A surface at one level of detail, and the forms in which it may be pulled.

    Attributes:
        sha256: of the level's payload.
        triangle_count: grows from level to level.
        byte_count: size of the payload.
        quantisation_step_mm: positions are off by half of this along each axis at most.
        deviation_max_mm: from the full surface, measured at samples of both: the largest; 0 for the full one.
        deviation_p95_mm: 95 of 100 samples are nearer than this.
        compressed_sha256: of the compressed form, if there is one.
        glb_sha256: of the level as a GLB file, if there is one.
    """

    sha256: str = tagged(1, SHA256)
    vertex_count: int = tagged(2, U32)
    triangle_count: int = tagged(3, U32)
    byte_count: int = tagged(4, U64)
    quantisation_step_mm: float = tagged(5, F64)
    deviation_max_mm: float = tagged(6, F64)
    deviation_p95_mm: float = tagged(7, F64)
    compressed_sha256: str | None = tagged(8, SHA256, default=None)
    compressed_byte_count: int = tagged(9, U64, default=0)
    glb_sha256: str | None = tagged(10, SHA256, default=None)
    glb_byte_count: int = tagged(11, U64, default=0)


@dataclass(frozen=True, kw_only=True)
class SurfaceEntry(SurfaceEntryMethods):
    """One surface on offer.

    Attributes:
        byte_count: size of the payload that `sha256` addresses.
        quantisation_step_mm: positions are off by half of this along each axis at most.
        frame: the frame that the surface hangs from, such as 'ct'.
        approval: 'approved' or 'edited'; 'suggested' in a research session only.
        approved_by: the person who decided; empty for 'suggested'.
        levels: coarse first; the last is the full surface, that of the fields above.
    """

    name: str = tagged(1, TEXT)
    sha256: str = tagged(2, SHA256)
    vertex_count: int = tagged(3, U32)
    triangle_count: int = tagged(4, U32)
    byte_count: int = tagged(5, U64)
    quantisation_step_mm: float = tagged(6, F64)
    frame: str = tagged(7, TEXT)
    approval: str = tagged(8, TEXT)
    approved_by: str = tagged(9, TEXT, default="")
    levels: tuple[SurfaceLevel, ...] = tagged(10, SurfaceLevel, repeated=True)
