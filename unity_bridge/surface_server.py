"""The surface socket: approved surfaces, pulled in chunks that the client asks for one by one.

The client's requests are its credit: it has as many chunks under way as it asked for and no more. A chunk is named by
the payload's hash and an offset, so that a broken transfer goes on where it stopped, over whichever connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import zmq

from unity_bridge.authentication import Gate
from unity_bridge.errors import SurfaceRefusedError, UnexpectedMessageError, UnknownSurfaceError
from unity_bridge.messages import (
    Goodbye,
    SurfaceChunk,
    SurfaceChunkRequest,
    SurfaceEntry,
    SurfaceListRequest,
    SurfaceManifest,
)
from unity_bridge.router import Request, RouterServer, RouterSettings
from unity_bridge.schema import Declared
from unity_bridge.surface_payload import SurfacePayload
from unity_bridge.wire import Session


@dataclass(frozen=True, kw_only=True)
class SurfaceServerSettings:
    """What is offered, and in which pieces.

    Attributes:
        research_session: offer 'suggested' surfaces too; the manifest marks them and the client must say so on screen.
        max_chunk_bytes: 256 KiB is served in 0.1 ms, so that a surface never holds up the loop that polls.
        max_surfaces: surfaces on offer at a time.
        router: bounds of the socket. Replies queued for one client cost it `max_queued_replies` chunks of memory.
    """

    research_session: bool = False
    max_chunk_bytes: int = 262_144
    max_surfaces: int = 256
    router: RouterSettings = field(
        default_factory=lambda: RouterSettings(
            max_request_bytes=4096, max_requests_per_poll=8, requests_per_s=2000, burst_requests=4096
        )
    )


class SurfaceServer(RouterServer):
    """Serves the manifest and the chunks of the surfaces on offer."""

    def __init__(
        self,
        endpoint: str,
        session: Session,
        context: zmq.Context,
        settings: SurfaceServerSettings | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._options = settings or SurfaceServerSettings()
        self._payloads: dict[str, SurfacePayload] = {}
        self._entries: dict[str, SurfaceEntry] = {}
        self._revision = 0
        super().__init__(endpoint, session, context, self._options.router, gate)

    @property
    def hashes(self) -> tuple[str, ...]:
        """SHA-256 of each payload on offer, hexadecimal."""
        return tuple(self._entries)

    def offer(self, payload: SurfacePayload, approval: str, approved_by: str = "") -> None:
        """Puts a surface on offer, replacing any of the same name.

        Args:
            approval: the decision in the case: 'approved' or 'edited' (both by a named person), or 'suggested'.
            approved_by: who decided; never a guess.

        Raises:
            SurfaceRefusedError: not approved by anybody outside a research session, or one surface too many.
        """
        entry = _entry(payload, approval, approved_by)
        entry.check_approval(self._options.research_session)
        others = {sha: other for sha, other in self._entries.items() if other.name != payload.name}
        if len(others) >= self._options.max_surfaces:
            raise SurfaceRefusedError(
                f"surface {len(others) + 1}", f"{self._options.max_surfaces} surfaces", "withdraw one"
            )
        self._entries = others | {payload.sha256: entry}
        self._payloads = {sha: self._payloads.get(sha, payload) for sha in self._entries}
        self._revision += 1

    def withdraw(self, name: str) -> None:
        """Takes a surface off; requests for it are refused from now on.

        Raises:
            UnknownSurfaceError: no surface of this name is on offer.
        """
        kept = {sha: entry for sha, entry in self._entries.items() if entry.name != name}
        if len(kept) == len(self._entries):
            names = sorted(entry.name for entry in self._entries.values())
            raise UnknownSurfaceError(f"the surface '{name}'", f"one of {names}", "check the name")
        self._entries = kept
        self._payloads = {sha: self._payloads[sha] for sha in kept}
        self._revision += 1

    def answer(self, request: Request) -> Declared | None:
        message = request.message
        if isinstance(message, SurfaceChunkRequest):
            return self._chunk(message)
        if isinstance(message, SurfaceListRequest):
            return SurfaceManifest(revision=self._revision, surfaces=tuple(self._entries.values()))
        if isinstance(message, Goodbye):
            self.forget(request.identity)
            return None
        raise UnexpectedMessageError(
            f"a {type(message).__name__} on the surface socket", "list and chunk requests", "use the control socket"
        )

    def _chunk(self, request: SurfaceChunkRequest) -> SurfaceChunk:
        payload = self._payloads.get(request.sha256)
        size = len(payload.data) if payload else 0
        if payload is None or request.offset >= size or not request.length:
            raise UnknownSurfaceError(
                f"{request.length} bytes at {request.offset} of surface {request.sha256[:12]} ({size} bytes)",
                "at least one byte within a surface on offer",
                "ask for the manifest",
            )
        end = request.offset + min(request.length, self._options.max_chunk_bytes)
        data = payload.data[request.offset : end]
        return SurfaceChunk(sha256=request.sha256, offset=request.offset, total_bytes=size, data=data)


def _entry(payload: SurfacePayload, approval: str, approved_by: str) -> SurfaceEntry:
    return SurfaceEntry(
        name=payload.name,
        sha256=payload.sha256,
        vertex_count=payload.vertex_count,
        triangle_count=payload.triangle_count,
        byte_count=len(payload.data),
        quantisation_step_mm=payload.quantisation_step_mm,
        frame=payload.frame,
        approval=approval,
        approved_by=approved_by,
    )
