"""Messages of the surfaces socket. Generated from wire_schema.toml by `make wire`: edit that, not this."""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.wire.generated.surfaces_parts import SurfaceEntry
from unity_bridge.wire.schema import BLOB, SHA256, U32, U64, tagged


@dataclass(frozen=True, kw_only=True)
class SurfaceListRequest:
    """Asks for the manifest."""


@dataclass(frozen=True, kw_only=True)
class SurfaceManifest:
    """All surfaces on offer.

    Attributes:
        revision: grows with every change.
    """

    revision: int = tagged(1, U64)
    surfaces: tuple[SurfaceEntry, ...] = tagged(2, SurfaceEntry, repeated=True)


@dataclass(frozen=True, kw_only=True)
class SurfaceChunkRequest:
    """Asks for one chunk: the client's credit. The server may send fewer bytes than `length`, never more."""

    sha256: str = tagged(1, SHA256)
    offset: int = tagged(2, U64)
    length: int = tagged(3, U32)


@dataclass(frozen=True, kw_only=True)
class SurfaceChunk:
    """Bytes of a surface, in the form that the hash addresses.

    Attributes:
        total_bytes: size of the whole.
    """

    sha256: str = tagged(1, SHA256)
    offset: int = tagged(2, U64)
    total_bytes: int = tagged(3, U64)
    data: bytes = tagged(4, BLOB)
