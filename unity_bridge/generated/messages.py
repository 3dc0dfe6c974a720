"""Every declared message, and its type. Generated from wire_schema.toml by `make wire`: edit that, not this."""

from __future__ import annotations

from unity_bridge.generated.constants import MessageType
from unity_bridge.generated.control_messages import (
    Acknowledge,
    ClientReport,
    ClockReply,
    ClockRequest,
    Error,
    Goodbye,
    Hello,
    ReceivedSurface,
    Welcome,
)
from unity_bridge.generated.surfaces_messages import (
    SurfaceChunk,
    SurfaceChunkRequest,
    SurfaceEntry,
    SurfaceListRequest,
    SurfaceManifest,
)

__all__ = [
    "MESSAGES",
    "Acknowledge",
    "ClientReport",
    "ClockReply",
    "ClockRequest",
    "Error",
    "Goodbye",
    "Hello",
    "ReceivedSurface",
    "SurfaceChunk",
    "SurfaceChunkRequest",
    "SurfaceEntry",
    "SurfaceListRequest",
    "SurfaceManifest",
    "Welcome",
]

MESSAGES: dict[MessageType, type] = {
    MessageType.SURFACE_LIST_REQUEST: SurfaceListRequest,
    MessageType.SURFACE_MANIFEST: SurfaceManifest,
    MessageType.SURFACE_CHUNK_REQUEST: SurfaceChunkRequest,
    MessageType.SURFACE_CHUNK: SurfaceChunk,
    MessageType.HELLO: Hello,
    MessageType.WELCOME: Welcome,
    MessageType.CLOCK_REQUEST: ClockRequest,
    MessageType.CLOCK_REPLY: ClockReply,
    MessageType.CLIENT_REPORT: ClientReport,
    MessageType.ACKNOWLEDGE: Acknowledge,
    MessageType.GOODBYE: Goodbye,
    MessageType.ERROR: Error,
}
