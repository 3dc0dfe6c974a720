"""The client's end of the surface socket: pulls every surface of the manifest, and resumes where a link broke."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import zmq

from geometry.errors import SurgNavError
from unity_bridge.authentication import client_options
from unity_bridge.client.transfer_window import TransferWindow, WindowSettings
from unity_bridge.endpoints import connect
from unity_bridge.errors import MalformedMessageError, SurfaceRefusedError
from unity_bridge.keys import ClientKeys
from unity_bridge.messages import (
    Error,
    Goodbye,
    SurfaceChunk,
    SurfaceChunkRequest,
    SurfaceEntry,
    SurfaceListRequest,
    SurfaceManifest,
    decode_message,
    encode_message,
)
from unity_bridge.schema import Declared
from unity_bridge.surface_payload import MAX_PAYLOAD_BYTES, DecodedSurface, decode_surface
from unity_bridge.wire import Session

_MIN_CHUNK_BYTES = 4096  # a server that sends less costs more requests than it is worth, but still works


@dataclass(frozen=True, kw_only=True)
class PullerSettings:
    """How to pull.

    Attributes:
        credit: chunks under way at most: the server holds no more answers than 16 for a client.
        window: how many bytes to have under way, and in which pieces; the server may send smaller ones.
        timeout_ns: after this silence the link is taken to be broken: a new one is made, and the transfer goes on.
        max_bytes: of all surfaces together; those that would go beyond are refused before their first byte.
        refresh_ns: how often to ask whether the offer has changed: approvals come and go.
        allow_suggested: take surfaces that nobody has approved. Only for a client that says so on its screen.
    """

    credit: int = 8
    window: WindowSettings = field(default_factory=WindowSettings)
    timeout_ns: int = 1_000_000_000
    max_bytes: int = 2**30
    refresh_ns: int = 2_000_000_000
    allow_suggested: bool = False


@dataclass(frozen=True, eq=False)
class PulledSurface:
    """A surface that is whole: its hash is right.

    Attributes:
        entry: what the manifest says of it.
        data: the payload.
        seconds: from the first request to the last byte.
    """

    entry: SurfaceEntry
    data: bytes
    seconds: float

    @cached_property
    def decoded(self) -> DecodedSurface:
        """Decoded when first asked for, so that the loop which receives poses need not wait for it.

        Raises:
            WireError, InvalidFrameError: the server made a payload that is none.
        """
        return decode_surface(self.data)


class _Transfer:
    """One payload on its way: grows only by what has really arrived, hashed as it comes."""

    def __init__(self, entry: SurfaceEntry, now_ns: int) -> None:
        self.entry = entry
        self.data = bytearray()
        self.requested = 0  # up to where chunks were asked for
        self.started_ns = now_ns
        self._hash = hashlib.sha256()

    @property
    def is_whole(self) -> bool:
        return len(self.data) == self.entry.byte_count

    def add(self, chunk: SurfaceChunk) -> None:
        # One connection keeps the order; what does not continue here was asked for over an earlier one.
        if chunk.offset != len(self.data):
            return
        size = self.entry.byte_count
        if not chunk.data or chunk.total_bytes != size or len(self.data) + len(chunk.data) > size:
            raise MalformedMessageError(
                f"{len(chunk.data)} bytes at {chunk.offset} of {chunk.total_bytes}",
                f"some, and no more than the {size} bytes of the manifest",
                "ask for the manifest again",
            )
        self.data += chunk.data
        self._hash.update(chunk.data)

    def finish(self, now_ns: int) -> PulledSurface:
        if self._hash.hexdigest() != self.entry.sha256:
            raise MalformedMessageError(
                f"surface '{self.entry.name}' with hash {self._hash.hexdigest()[:12]}",
                f"{self.entry.sha256[:12]}",
                "pull it again",
            )
        return PulledSurface(self.entry, bytes(self.data), (now_ns - self.started_ns) / 1e9)


class _Request(NamedTuple):
    """A chunk that was asked for and has not come."""

    sha256: str
    offset: int
    length: int
    asked_ns: int
    under_way_bytes: int


class SurfacePuller:
    """Driven by its owner: `drain` when the socket is readable, `tick` now and then.

    Attributes:
        surfaces: those that are on offer and whole, by hash; one that was withdrawn goes from here too.
        manifest: None until the server has answered.
        refused: messages, surfaces and answers that were refusals; `last_refusal` says why.
        reconnects: links made after the first.
    """

    def __init__(
        self,
        endpoint: str,
        context: zmq.Context,
        session: Session,
        settings: PullerSettings,
        keys: ClientKeys | None = None,
    ) -> None:
        self._keys = keys
        self._endpoint, self._context, self._session, self._settings = endpoint, context, session, settings
        self.surfaces: dict[str, PulledSurface] = {}
        self.manifest: SurfaceManifest | None = None
        self.refused = 0
        self.last_refusal = ""
        self.reconnects = 0
        self._waiting: dict[str, _Transfer] = {}
        self._sequence = 0
        self._largest_chunk = settings.window.max_chunk_bytes
        self._asked_ns: int | None = None  # when the manifest was asked for, while it has not come
        self._manifest_ns = 0
        self._open()

    @property
    def is_done(self) -> bool:
        """True once everything in the manifest is here or was refused."""
        return self.manifest is not None and not self._waiting

    @property
    def bytes_received(self) -> int:
        """Bytes of surfaces, whole or on their way."""
        whole = sum(surface.entry.byte_count for surface in self.surfaces.values())
        return whole + sum(len(transfer.data) for transfer in self._waiting.values())

    def request_manifest(self) -> None:
        """Asks what is on offer now; surfaces already here are not pulled again."""
        self._asked_ns = self._session.clock.now_ns()
        self._send(SurfaceListRequest())

    def reconnect(self) -> None:
        """Closes the link and opens another; transfers go on from the bytes that are here."""
        self.reconnects += 1
        self.socket.close()
        self._open()

    def drain(self) -> None:
        """Takes in what has arrived, without waiting."""
        for _ in range(self._settings.credit):
            try:
                message = self.socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._heard_ns = self._session.clock.now_ns()
            try:
                self._take(decode_message(message)[1])
            except SurgNavError as error:
                self._note(error)

    def tick(self) -> None:
        """Notices a broken link; asks now and then whether the offer has changed."""
        now_ns = self._session.clock.now_ns()
        if self._waiting or self._asked_ns is not None:
            if now_ns - max(self._heard_ns, self._asked_ns or 0) > self._settings.timeout_ns:
                self.reconnect()
        elif now_ns - self._manifest_ns > self._settings.refresh_ns:
            self.request_manifest()

    def decode_all(self) -> None:
        """Decodes what is here; what is no surface is dropped and counted as refused."""
        for sha, surface in list(self.surfaces.items()):
            try:
                surface.decoded  # noqa: B018 - decoding is what is wanted
            except SurgNavError as error:
                del self.surfaces[sha]
                self._note(error)

    def close(self) -> None:
        self._send(Goodbye())
        self.socket.close(linger=100)  # milliseconds for the Goodbye to leave

    def _open(self) -> None:
        options = {zmq.MAXMSGSIZE: 2**22, zmq.SNDHWM: 64, **client_options(self._keys)}
        self.socket = connect(self._context, zmq.DEALER, self._endpoint, options)
        self._heard_ns = self._session.clock.now_ns()
        self.request_manifest()
        for transfer in self._waiting.values():
            transfer.requested = len(transfer.data)
        self._window = TransferWindow(self._settings.window)
        self._requests: deque[_Request] = deque()
        self._ask()

    def _take(self, message: Declared) -> None:
        if isinstance(message, SurfaceManifest):
            self.manifest, self._asked_ns, self._manifest_ns = message, None, self._heard_ns
            self._plan(message.surfaces)
        elif isinstance(message, SurfaceChunk) and message.sha256 in self._waiting:
            self._take_chunk(message)
        elif isinstance(message, Error):
            self._note(message.as_exception())
            self._waiting.clear()
            self._requests.clear()  # what was asked for is no longer on offer: look again at the next refresh
        self._ask()

    def _plan(self, entries: tuple[SurfaceEntry, ...]) -> None:
        """Drops what is no longer on offer, and makes room for what is new."""
        offered = {entry.sha256 for entry in entries}
        self.surfaces = {sha: surface for sha, surface in self.surfaces.items() if sha in offered}
        self._waiting = {sha: transfer for sha, transfer in self._waiting.items() if sha in offered}
        total = sum(surface.entry.byte_count for surface in self.surfaces.values())
        total += sum(transfer.entry.byte_count for transfer in self._waiting.values())
        for entry in entries:
            if entry.sha256 in self.surfaces or entry.sha256 in self._waiting:
                continue
            try:
                total = self._admit(entry, total)
            except SurgNavError as error:
                self._note(error)
                continue
            self._waiting[entry.sha256] = _Transfer(entry, self._heard_ns)

    def _admit(self, entry: SurfaceEntry, total: int) -> int:
        entry.check_approval(self._settings.allow_suggested)
        limit = min(MAX_PAYLOAD_BYTES, self._settings.max_bytes - total)
        if not 0 < entry.byte_count <= limit:
            raise SurfaceRefusedError(
                f"surface '{entry.name}' of {entry.byte_count} bytes", f"1 to {limit} bytes", "simplify it"
            )
        return total + entry.byte_count

    def _take_chunk(self, chunk: SurfaceChunk) -> None:
        transfer = self._waiting[chunk.sha256]
        request = self._answered(chunk)
        try:
            transfer.add(chunk)
            if request and len(chunk.data) < request.length and not transfer.is_whole:
                # The server's chunks are smaller: ask anew in its size; what is under way will not continue, and go.
                self._largest_chunk = max(len(chunk.data), _MIN_CHUNK_BYTES)
                transfer.requested = len(transfer.data)
                self._requests.clear()
            if transfer.is_whole:
                self.surfaces[chunk.sha256] = transfer.finish(self._session.clock.now_ns())
                del self._waiting[chunk.sha256]
        except SurgNavError:
            del self._waiting[chunk.sha256]  # as it is it can never become whole
            raise

    def _answered(self, chunk: SurfaceChunk) -> _Request | None:
        """The request that this chunk answers, which the window learns from; None if it is no longer waited for."""
        if not any((each.sha256, each.offset) == (chunk.sha256, chunk.offset) for each in self._requests):
            return None
        while True:  # answers come in the order of the requests: those before it were dropped
            request = self._requests.popleft()
            if (request.sha256, request.offset) == (chunk.sha256, chunk.offset):
                break
        self._window.answered(self._heard_ns - request.asked_ns, len(chunk.data), request.under_way_bytes)
        return request

    def _ask(self) -> None:
        """Keeps a window's worth of chunks under way, surface by surface in the manifest's order."""
        under_way = sum(request.length for request in self._requests)
        for sha, transfer in self._waiting.items():
            while transfer.requested < transfer.entry.byte_count:
                left = transfer.entry.byte_count - transfer.requested
                length = min(self._window.chunk_bytes, self._largest_chunk, left)
                is_full = under_way + length > self._window.byte_count or len(self._requests) >= self._settings.credit
                if self._requests and is_full:
                    return
                under_way += length
                now_ns = self._session.clock.now_ns()
                self._requests.append(_Request(sha, transfer.requested, length, now_ns, under_way))
                self._send(SurfaceChunkRequest(sha256=sha, offset=transfer.requested, length=length))
                transfer.requested += length

    def _send(self, message: Declared) -> None:
        self._sequence += 1
        try:
            self.socket.send(encode_message(message, self._session, self._sequence), zmq.DONTWAIT)
        except zmq.Again:
            return  # no link yet and the queue is full: `tick` starts over

    def _note(self, error: SurgNavError) -> None:
        self.refused += 1
        self.last_refusal = str(error)
