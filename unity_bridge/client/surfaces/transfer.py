"""The transfer of one item, and its result: complete bytes with the right hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from unity_bridge.client.surfaces.level_plan import Form, Item
from unity_bridge.errors import MalformedMessageError
from unity_bridge.surfaces.compression import decompress_surface
from unity_bridge.surfaces.payload import DecodedSurface, decode_surface
from unity_bridge.wire.messages import SurfaceChunk, SurfaceEntry, SurfaceLevel

_ACTION = "pull it again"


@dataclass(frozen=True, eq=False)
class PulledSurface:
    """A completely received surface or GLB, whose hash was verified.

    Attributes:
        item: the surface, its level, and the form of the transfer.
        received: the transferred bytes; for a GLB, the file.
        seconds: time from the first request to the last byte.
    """

    item: Item
    received: bytes
    seconds: float

    @property
    def entry(self) -> SurfaceEntry:
        """The surface's entry in the manifest."""
        return self.item.entry

    @property
    def level(self) -> SurfaceLevel:
        """The level's entry in the manifest: its counts, and its deviation from the full surface."""
        return self.item.level

    def told_anew(self, item: Item) -> PulledSurface:
        """The same bytes with the entry of a later manifest, such as one with another approval."""
        if item == self.item:
            return self
        renewed = PulledSurface(item, self.received, self.seconds)
        if "data" in vars(self):
            vars(renewed)["data"] = self.data  # decompressed already
        return renewed

    @cached_property
    def data(self) -> bytes:
        """The payload, decompressed when first used, so that the loop which receives poses is not delayed.

        Raises:
            WireError: the compressed form is not valid, or of another payload.
        """
        if self.item.form is Form.RAW:
            return self.received
        data = decompress_surface(self.received, self.level.byte_count)
        if (found := hashlib.sha256(data).hexdigest()) != self.level.sha256:
            raise _wrong(f"'{self.entry.name}', unpacked, with hash {found[:12]}", f"hash {self.level.sha256[:12]}")
        return data

    @cached_property
    def decoded(self) -> DecodedSurface:
        """The surface, decoded when first used.

        Raises:
            WireError: the payload is not valid, or does not agree with the manifest.
        """
        decoded = decode_surface(self.data)
        surface, entry, level = decoded.surface, self.entry, self.level
        came = (surface.name, surface.frame, len(surface.vertices_m), len(surface.triangles))
        said = (entry.name, entry.frame, level.vertex_count, level.triangle_count)
        if came != said:
            raise _wrong(f"name, frame, vertices and triangles {came}", f"those of the manifest, {said}")
        return decoded


class Transfer:
    """The transfer of one item; memory grows only with received bytes, which are hashed as they arrive.

    Attributes:
        item: the item.
        data: the bytes received so far, from the first on.
        requested: offset up to which chunks were requested.
    """

    def __init__(self, item: Item) -> None:
        self.item = item
        self.data = bytearray()
        self.requested = 0
        self._started_ns: int | None = None
        self._hash = hashlib.sha256()

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are here."""
        return len(self.data) == self.item.byte_count

    def asked(self, length: int, now_ns: int) -> None:
        """Notes that the next `length` bytes were requested."""
        self.requested += length
        if self._started_ns is None:
            self._started_ns = now_ns

    def rewind(self) -> None:
        """Continues requests from the first byte that is not here, since the chunks under way will not come."""
        self.requested = len(self.data)

    def add(self, chunk: SurfaceChunk) -> None:
        """Adds a chunk; one that does not continue the received bytes is ignored.

        Raises:
            MalformedMessageError: an empty chunk, or more bytes than the manifest states.
        """
        # One connection keeps the order: a chunk with another offset was requested before one was lost.
        if chunk.offset != len(self.data):
            return
        size = self.item.byte_count
        if not chunk.data or chunk.total_bytes != size or len(self.data) + len(chunk.data) > size:
            raise MalformedMessageError(
                f"{len(chunk.data)} bytes at {chunk.offset} of {chunk.total_bytes}",
                f"at least one byte, and no more than the {size} bytes of the manifest",
                "request the manifest again",
            )
        self.data += chunk.data
        self._hash.update(chunk.data)
        self.requested = max(self.requested, len(self.data))

    def finish(self, now_ns: int) -> PulledSurface:
        """The received surface, once all bytes are here.

        Raises:
            MalformedMessageError: the hash of the bytes is not that of the manifest.
        """
        if (found := self._hash.hexdigest()) != self.item.sha256:
            raise _wrong(f"'{self.item.entry.name}' with hash {found[:12]}", f"hash {self.item.sha256[:12]}")
        started_ns = now_ns if self._started_ns is None else self._started_ns
        return PulledSurface(self.item, bytes(self.data), (now_ns - started_ns) / 1e9)


def _wrong(came: str, allowed: str) -> MalformedMessageError:
    return MalformedMessageError(f"surface {came}", allowed, _ACTION)
