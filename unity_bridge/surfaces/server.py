"""The surface socket: serves approved surfaces in chunks that the client requests one by one.

The client's requests are its credit: it gets exactly one chunk for each request. A chunk is named by a hash and an
offset, so that an interrupted transfer can be resumed over another connection. Every level of detail, its compressed
form and its GLB have hashes of their own, and are pulled in the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import zmq

from unity_bridge.errors import SurfaceRefusedError, UnexpectedMessageError, UnknownSurfaceError
from unity_bridge.surfaces.fair_share import FairShare, ShareSettings
from unity_bridge.surfaces.levels import EncodedLevel, levels_of, make_entry
from unity_bridge.surfaces.payload import SurfacePayload
from unity_bridge.transport.authentication import Gate
from unity_bridge.transport.router import Request, RouterServer, RouterSettings
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import (
    EncodedMessage,
    Goodbye,
    SurfaceChunk,
    SurfaceChunkRequest,
    SurfaceEntry,
    SurfaceListRequest,
    SurfaceManifest,
)
from unity_bridge.wire.schema import Declared


@dataclass(frozen=True, kw_only=True)
class SurfaceServerSettings:
    """Which surfaces may be offered, and in which chunks.

    Attributes:
        research_session: whether 'suggested' surfaces may be offered too; the manifest marks them, and a client must
            say so on its screen.
        max_chunk_bytes: largest chunk. 256 KiB takes 0.1 ms, so that surfaces do not delay the polling loop.
        small_chunk_bytes: largest chunk for a client that has received more than its share, while others make requests.
            Large enough that a client with small requests cannot slow down all others.
        share: when a client has received more than its share.
        max_surfaces: largest number of surfaces on offer.
        router: bounds of the socket. The replies queued for one client take up to `max_queued_replies` chunks of
            memory.
    """

    research_session: bool = False
    max_chunk_bytes: int = 262_144
    small_chunk_bytes: int = 65_536
    share: ShareSettings = field(default_factory=ShareSettings)
    max_surfaces: int = 256
    router: RouterSettings = field(
        default_factory=lambda: RouterSettings(
            max_request_bytes=4096,
            max_requests_per_poll=8,
            requests_per_s=2000,
            burst_requests=4096,
            deaf_ns=20_000_000,
        )
    )


class SurfaceServer(RouterServer):
    """The server of the surface socket: sends the manifest, and the chunks of the surfaces on offer.

    Args:
        endpoint, session, context, gate: as for `RouterServer`.
        settings: which surfaces may be offered, and in which chunks.
    """

    def __init__(
        self,
        endpoint: str,
        session: Session,
        context: zmq.Context,
        settings: SurfaceServerSettings | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._options = settings or SurfaceServerSettings()
        self._entries: dict[str, SurfaceEntry] = {}  # by name, in the order of the first offer
        self._blobs: dict[str, dict[str, bytes]] = {}  # by name, then by hash
        self._share = FairShare(self._options.share)
        self._revision = 0
        self._keep: Callable[[SurfaceManifest, Sequence[bytes]], object] | None = None
        self._manifest = self._encode_manifest()
        super().__init__(endpoint, session, context, self._options.router, gate)

    @property
    def hashes(self) -> tuple[str, ...]:
        """SHA-256, hexadecimal, of each full surface on offer."""
        return tuple(entry.sha256 for entry in self._entries.values())

    def offer(self, payload: SurfacePayload, approval: str, approved_by: str = "") -> None:
        """Offers a surface at full detail only, replacing one of the same name.

        Args:
            payload: the encoded surface.
            approval: the decision in the case: 'approved' or 'edited' (both by a named person), or 'suggested'.
            approved_by: name of the person who decided; empty for 'suggested'.

        Raises:
            SurfaceRefusedError: not approved, outside a research session; or too many surfaces.
        """
        self.offer_levels([EncodedLevel(payload)], approval, approved_by)

    def offer_levels(self, levels: Sequence[EncodedLevel], approval: str, approved_by: str = "") -> None:
        """Offers a surface at several levels of detail, replacing one of the same name.

        Args:
            levels: coarse first, all of one name and frame; the last is the full surface.
            approval, approved_by: as for `offer`.

        Raises:
            SurfaceRefusedError: as for `offer`; levels that are not coarse first or of one surface.
        """
        entry = make_entry(levels, approval, approved_by)
        entry.check_approval(self._options.research_session)
        if entry.name not in self._entries and len(self._entries) >= self._options.max_surfaces:
            raise SurfaceRefusedError(
                f"surface number {len(self._entries) + 1}",
                f"at most {self._options.max_surfaces} surfaces",
                "withdraw one",
            )
        before = self._blobs.get(entry.name, {})
        blobs = {sha: blob for level in levels for sha, blob in level.blobs().items()}
        self._entries[entry.name], self._blobs[entry.name] = entry, blobs
        self._changed([blob for sha, blob in blobs.items() if sha not in before])

    def keep_offers(self, keep: Callable[[SurfaceManifest, Sequence[bytes]], object]) -> None:
        """Gives `keep` what is on offer with all its forms, and after each change what then is, with the new forms."""
        self._keep = keep
        keep(self._listed(), [form for blobs in self._blobs.values() for form in blobs.values()])

    def offer_manifest(self, manifest: SurfaceManifest, forms: Sequence[bytes]) -> None:
        """Puts on offer exactly what another server had, as a recording of it says.

        Args:
            manifest: of that server.
            forms: the bytes of its surfaces' forms; what is missing among them cannot be pulled.
        """
        by_hash = {hashlib.sha256(form).hexdigest(): form for form in forms}
        self._entries = {entry.name: entry for entry in manifest.surfaces}
        self._blobs = {
            entry.name: {
                sha: by_hash[sha]
                for level in levels_of(entry)
                for sha in (level.sha256, level.compressed_sha256, level.glb_sha256)
                if sha in by_hash
            }
            for entry in manifest.surfaces
        }
        self._revision = manifest.revision - 1
        self._changed([])

    def withdraw(self, name: str) -> None:
        """Withdraws a surface: further requests for it are refused.

        Raises:
            UnknownSurfaceError: no surface of this name is on offer.
        """
        if name not in self._entries:
            raise UnknownSurfaceError(f"the surface '{name}'", f"one of {sorted(self._entries)}", "check the name")
        del self._entries[name], self._blobs[name]
        self._changed([])

    def answer(self, request: Request) -> Declared | None:
        message = request.message
        if isinstance(message, SurfaceChunkRequest):
            return self._chunk(message, request)
        if isinstance(message, SurfaceListRequest):
            return self._manifest
        if isinstance(message, Goodbye):
            self.forget(request.identity)
            return None
        raise UnexpectedMessageError(
            f"a {type(message).__name__} on the surface socket", "list and chunk requests", "use the control socket"
        )

    def _changed(self, new: Sequence[bytes]) -> None:
        self._revision += 1
        self._manifest = self._encode_manifest()
        if self._keep is not None:
            self._keep(self._listed(), new)

    def _listed(self) -> SurfaceManifest:
        return SurfaceManifest(revision=self._revision, surfaces=tuple(self._entries.values()))

    def _encode_manifest(self) -> EncodedMessage:
        """Encodes the manifest, once per change: 256 surfaces take 10 ms, and 2,000 requests a second are allowed."""
        return EncodedMessage.of(self._listed())

    def _chunk(self, wish: SurfaceChunkRequest, request: Request) -> SurfaceChunk:
        sha256, offset = wish.sha256, wish.offset
        data = next((blobs[sha256] for blobs in self._blobs.values() if sha256 in blobs), b"")
        if offset >= len(data) or not wish.length:
            raise UnknownSurfaceError(
                f"{wish.length} bytes at {offset} of surface {sha256[:12]} ({len(data)} bytes)",
                "at least one byte within a surface on offer",
                "ask for the manifest",
            )
        who = request.client.key or request.identity
        is_ahead = self._share.is_ahead(who, request.received_ns)
        largest = self._options.small_chunk_bytes if is_ahead else self._options.max_chunk_bytes
        piece = data[offset : offset + min(wish.length, largest, self._options.max_chunk_bytes)]
        self._share.took(who, len(piece))
        return SurfaceChunk(sha256=sha256, offset=offset, total_bytes=len(data), data=piece)
