"""The client's end of the surface socket: pulls surfaces, coarse levels first, and resumes broken transfers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import zmq

from geometry.errors import SurgNavError
from unity_bridge.client.surfaces.level_plan import Form, Item, choose_levels, plan
from unity_bridge.client.surfaces.transfer import PulledSurface, Transfer
from unity_bridge.client.surfaces.transfer_window import TransferWindow, WindowSettings
from unity_bridge.errors import SurfaceRefusedError
from unity_bridge.surfaces.levels import levels_of
from unity_bridge.transport.authentication import client_options
from unity_bridge.transport.endpoints import connect, is_local
from unity_bridge.transport.keys import ClientKeys
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import (
    Error,
    Goodbye,
    SurfaceChunk,
    SurfaceChunkRequest,
    SurfaceEntry,
    SurfaceLevel,
    SurfaceListRequest,
    SurfaceManifest,
    decode_message,
    encode_message,
)
from unity_bridge.wire.schema import Declared

_FIRST_PATIENCE, _LAST_PATIENCE = 64, 4096
_MIN_CHUNK_BYTES = 4096  # smallest chunk to request, even if the server sends smaller ones


@dataclass(frozen=True, kw_only=True)
class PullerSettings:
    """What to pull, and how.

    Attributes:
        credit: largest number of chunks under way; the server queues no more than 16 replies for a client.
        window: bounds of the bytes under way and of the chunks; the server may send smaller chunks.
        timeout_ns: time without a message after which the link is taken for broken: a new one is made, and the
            transfers are resumed.
        max_bytes: largest size of all items together; items beyond it are refused before their first byte.
        refresh_ns: interval of requests for the manifest, which changes with approvals.
        allow_suggested: whether to pull surfaces that nobody approved; only for a client that says so on its screen.
        form: 'raw', 'compressed', or 'auto': 'raw' from this machine, 'compressed' from another. Decompression runs at
            30 to 50 MB/s (benchmarks/unity_bridge/bench_wire_surfaces.py): it pays on links of up to some 200 Mbit/s.
        max_triangles: budget of all surfaces together, see `choose_levels`; None for the full surfaces.
        glb: whether to pull each shown level as GLB too, after everything else.
    """

    credit: int = 8
    window: WindowSettings = field(default_factory=WindowSettings)
    timeout_ns: int = 1_000_000_000
    max_bytes: int = 2**30
    refresh_ns: int = 2_000_000_000
    allow_suggested: bool = False
    form: Literal["auto", "raw", "compressed"] = "auto"
    max_triangles: int | None = None
    glb: bool = False


class _Request(NamedTuple):
    """A requested chunk that has not arrived."""

    sha256: str
    offset: int
    length: int
    asked_ns: int
    under_way_bytes: int


class SurfacePuller:
    """Pulls the surfaces on offer, driven by its owner: call `drain` when the socket is readable, and `tick` regularly.

    Attributes:
        socket: the socket, to be polled for input.
        manifest: the last manifest; None until the server has answered.
        refused: number of refused messages and surfaces, and of refusals by the server.
        last_refusal: the last of them.
        reconnects: number of links made after the first.
        bytes_taken: number of bytes in the chunks that arrived, used or not.
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
        compressed = settings.form == "compressed" or (settings.form == "auto" and not is_local(endpoint))
        self._form = Form.COMPRESSED if compressed else Form.RAW
        self.manifest: SurfaceManifest | None = None
        self.refused = 0
        self.last_refusal = ""
        self.reconnects = 0
        self.bytes_taken = 0
        self._offer: dict[str, tuple[SurfaceEntry, tuple[SurfaceLevel, ...]]] = {}  # what is admitted, by entry's hash
        self._chosen: dict[str, int] = {}
        self._whole: dict[str, PulledSurface] = {}  # by the hash of what came
        self._waiting: dict[str, Transfer] = {}  # likewise, in the order of pulling
        self._turned_down: set[str] = set()
        self._sequence = 0
        self._largest_chunk = settings.window.max_chunk_bytes
        self._full_answers, self._patience = 0, _FIRST_PATIENCE
        self._asked_ns: int | None = None  # when the manifest was asked for, while it has not come
        self._manifest_ns = 0
        self._open()

    @property
    def surfaces(self) -> dict[str, PulledSurface]:
        """The finest wanted level that is here of each surface on offer, by the hash of that level's payload."""
        found = {}
        for sha, (_, levels) in self._offer.items():
            here = self._levels_here(levels[: self._chosen[sha] + 1])
            if here:
                found[here[-1].level.sha256] = here[-1]
        return found

    @property
    def glbs(self) -> dict[str, bytes]:
        """The complete GLB files, by the name of the surface."""
        return {each.entry.name: each.received for each in self._whole.values() if each.item.form is Form.GLB}

    @property
    def is_done(self) -> bool:
        """Whether everything wanted of the manifest is here or was refused."""
        return self.manifest is not None and not self._waiting

    @property
    def is_coarse(self) -> bool:
        """Whether every surface on offer is here at some level."""
        return self.manifest is not None and len(self.surfaces) == len(self._offer)

    @property
    def missing(self) -> list[str]:
        """Names of the surfaces on offer whose wanted level is not here."""
        here = {each.level.sha256 for each in self._whole.values() if each.item.form is not Form.GLB}
        entries = self.manifest.surfaces if self.manifest else ()
        wanted = {sha: levels[self._chosen[sha]].sha256 for sha, (_, levels) in self._offer.items()}
        return [entry.name for entry in entries if wanted.get(entry.sha256) not in here]

    @property
    def bytes_received(self) -> int:
        """Number of bytes that are here and used, in complete and incomplete transfers."""
        whole = sum(len(surface.received) for surface in self._whole.values())
        return whole + sum(len(transfer.data) for transfer in self._waiting.values())

    def request_manifest(self) -> None:
        """Requests the current manifest; surfaces that are here are not pulled again."""
        self._asked_ns = self._session.clock.now_ns()
        self._send(SurfaceListRequest())

    def reconnect(self) -> None:
        """Closes the link and opens another; transfers are resumed from the bytes that are here."""
        self.reconnects += 1
        self.socket.close()
        self._open()

    def drain(self) -> None:
        """Processes the messages that have arrived, without waiting."""
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
        """Replaces a broken link, and requests the manifest when it is due."""
        now_ns = self._session.clock.now_ns()
        if self._asked_ns is not None or (self._waiting and not self._halted):
            if now_ns - max(self._heard_ns, self._asked_ns or 0) > self._settings.timeout_ns:
                self.reconnect()
        elif now_ns - (self._heard_ns if self._halted else self._manifest_ns) > self._settings.refresh_ns:
            self.request_manifest()

    def decode_all(self) -> None:
        """Decodes all surfaces that are here; invalid ones are dropped and counted as refused."""
        while broken := [each for each in self.surfaces.values() if not self._decodes(each)]:
            for surface in broken:  # a coarser level may replace it
                del self._whole[surface.item.sha256]

    def close(self) -> None:
        self._send(Goodbye())
        self.socket.close(linger=100)  # milliseconds for the Goodbye to leave

    def _open(self) -> None:
        options = {zmq.MAXMSGSIZE: 2**22, zmq.SNDHWM: 64, **client_options(self._keys)}
        self.socket = connect(self._context, zmq.DEALER, self._endpoint, options)
        self._heard_ns = self._session.clock.now_ns()
        self._halted = False  # after a refusal: nothing more is asked for until the manifest has come again
        self.request_manifest()
        self._window = TransferWindow(self._settings.window)
        self._requests: deque[_Request] = deque()
        self._rewind()
        self._given_up = 0
        self._ask()

    def _rewind(self) -> None:
        """Requests again from the bytes that are here; chunks under way still occupy the link, but are not expected."""
        self._given_up = len(self._requests)
        for transfer in self._waiting.values():
            transfer.rewind()

    def _take(self, message: Declared) -> None:
        if isinstance(message, SurfaceManifest):
            self.manifest, self._asked_ns, self._manifest_ns = message, None, self._heard_ns
            self._halted = False
            self._plan(message.surfaces)
        elif isinstance(message, SurfaceChunk):
            self.bytes_taken += len(message.data)
            if message.sha256 in self._waiting:
                self._take_chunk(message)
        elif isinstance(message, Error):
            self._note(message.as_exception())
            self._halted = True  # it may be no longer on offer: continue after the next manifest
            self._requests.clear()
            self._rewind()
        self._ask()

    def _plan(self, entries: tuple[SurfaceEntry, ...]) -> None:
        """Drops what is no longer on offer or wanted, and plans the transfers of what is new."""
        known, self._turned_down = self._turned_down, set()
        self._offer = {}
        for entry in entries:
            try:
                entry.check_approval(self._settings.allow_suggested)
                self._offer[entry.sha256] = entry, levels_of(entry)
            except SurgNavError as error:
                self._turn_down(entry.sha256, error, known)
        self._chosen = choose_levels(self._offer, self._settings.max_triangles)
        wanted: dict[str, Item] = {}
        total = 0
        for item in plan(self._offer, self._chosen, self._form, self._settings.glb):
            try:
                self._check_size(item, total)
            except SurgNavError as error:
                self._turn_down(item.sha256, error, known)
                continue
            wanted[item.sha256] = item
            total += item.memory_bytes
        self._whole = {sha: each.told_anew(wanted[sha]) for sha, each in self._whole.items() if sha in wanted}
        before, self._waiting = self._waiting, {}
        for sha, item in wanted.items():
            if sha not in self._whole:
                transfer = self._waiting[sha] = before.get(sha) or Transfer(item)
                transfer.item = item

    def _check_size(self, item: Item, total: int) -> None:
        limit = min(item.limit_bytes, self._settings.max_bytes - total)
        if not (item.byte_count > 0 and item.memory_bytes <= limit):
            raise SurfaceRefusedError(
                f"the surface '{item.entry.name}' of {item.memory_bytes} bytes",
                f"1 to {limit} bytes",
                "simplify the surface",
            )

    def _turn_down(self, sha256: str, error: SurgNavError, known: set[str]) -> None:
        """Counts the refusal of an item once, however often the manifest comes."""
        self._turned_down.add(sha256)
        if sha256 not in known:
            self._note(error)

    def _levels_here(self, levels: tuple[SurfaceLevel, ...]) -> list[PulledSurface]:
        found = (self._whole.get(level.compressed_sha256 or "") or self._whole.get(level.sha256) for level in levels)
        return [surface for surface in found if surface is not None]

    def _decodes(self, surface: PulledSurface) -> bool:
        try:
            surface.decoded  # noqa: B018 - decoding is what is wanted
        except SurgNavError as error:
            self._note(error)
            return False
        return True

    def _take_chunk(self, chunk: SurfaceChunk) -> None:
        transfer = self._waiting[chunk.sha256]
        request, dropped = self._answered(chunk)
        try:
            transfer.add(chunk)
            is_short = request is not None and len(chunk.data) < request.length and not transfer.is_whole
            self._fit_chunks(len(chunk.data), request, is_short)
            if is_short or dropped:  # chunks under way do not continue the bytes that are here
                self._rewind()
            if transfer.is_whole:
                self._whole[chunk.sha256] = transfer.finish(self._session.clock.now_ns())
                del self._waiting[chunk.sha256]
        except SurgNavError:
            del self._waiting[chunk.sha256]  # it can never become complete
            raise

    def _fit_chunks(self, byte_count: int, request: _Request | None, is_short: bool) -> None:
        """Requests smaller chunks if the server sends smaller ones; after many full ones, tries larger chunks again."""
        if is_short:
            self._largest_chunk = max(byte_count, _MIN_CHUNK_BYTES)
            self._full_answers, self._patience = 0, min(2 * self._patience, _LAST_PATIENCE)
        elif request is not None and request.length == self._largest_chunk:
            self._full_answers += 1
            if self._full_answers >= self._patience:
                self._largest_chunk = min(2 * self._largest_chunk, self._settings.window.max_chunk_bytes)
                self._full_answers = 0

    def _answered(self, chunk: SurfaceChunk) -> tuple[_Request | None, int]:
        """Finds the request that a chunk answers, and updates the window.

        Answers come in the order of the requests. So unanswered requests before this one were dropped, by a server with
        a full queue, or by a broken link that ZeroMQ reconnected.

        Returns:
            The request, None if it is no longer expected; and the number of dropped requests before it.
        """
        key = chunk.sha256, chunk.offset
        place = next((i for i, each in enumerate(self._requests) if (each.sha256, each.offset) == key), None)
        if place is None:
            return None, 0
        for _ in range(place):
            self._requests.popleft()
        request, given_up = self._requests.popleft(), self._given_up
        self._given_up = max(0, given_up - place - 1)
        self._window.answered(self._heard_ns - request.asked_ns, len(chunk.data), request.under_way_bytes)
        return (request if place >= given_up else None), max(0, place - given_up)

    def _ask(self) -> None:
        """Requests chunks in the planned order until the window or the credit is used up."""
        if self._halted:
            return
        under_way = sum(request.length for request in self._requests)
        for sha, transfer in self._waiting.items():
            while (left := transfer.item.byte_count - transfer.requested) > 0:
                length = min(self._window.chunk_bytes, self._largest_chunk, left)
                is_full = under_way + length > self._window.byte_count or len(self._requests) >= self._settings.credit
                if self._requests and is_full:
                    return
                under_way += length
                now_ns = self._session.clock.now_ns()
                self._requests.append(_Request(sha, transfer.requested, length, now_ns, under_way))
                self._send(SurfaceChunkRequest(sha256=sha, offset=transfer.requested, length=length))
                transfer.asked(length, now_ns)

    def _send(self, message: Declared) -> None:
        self._sequence += 1
        try:
            self.socket.send(encode_message(message, self._session, self._sequence), zmq.DONTWAIT)
        except zmq.Again:
            return  # no link yet and the queue is full: `tick` starts over

    def _note(self, error: SurgNavError) -> None:
        self.refused += 1
        self.last_refusal = str(error)
