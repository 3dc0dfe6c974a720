"""One surface on its way, and one that has come: whole, and checked against its hash."""

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
    """A surface, or a GLB, that is whole: the hash of what came is right.

    Attributes:
        item: which level of what, and how it travelled.
        received: the bytes that came; of the form GLB, the file.
        seconds: from the first request to the last byte.
    """

    item: Item
    received: bytes
    seconds: float

    @property
    def entry(self) -> SurfaceEntry:
        """What the manifest says of the surface."""
        return self.item.entry

    @property
    def level(self) -> SurfaceLevel:
        """What the manifest says of this level: its counts, and how far it is from the full surface."""
        return self.item.level

    def told_anew(self, item: Item) -> PulledSurface:
        """The same bytes, with what a later manifest says of them, such as another approval."""
        if item == self.item:
            return self
        renewed = PulledSurface(item, self.received, self.seconds)
        if "data" in vars(self):
            vars(renewed)["data"] = self.data  # unpacked already
        return renewed

    @cached_property
    def data(self) -> bytes:
        """The payload; unpacked when first asked for, so that the loop which receives poses need not wait for it.

        Raises:
            WireError: a compressed form that is none, or of another payload.
        """
        if self.item.form is Form.RAW:
            return self.received
        data = decompress_surface(self.received, self.level.byte_count)
        if (found := hashlib.sha256(data).hexdigest()) != self.level.sha256:
            raise _wrong(f"'{self.entry.name}', unpacked, with hash {found[:12]}", f"{self.level.sha256[:12]}")
        return data

    @cached_property
    def decoded(self) -> DecodedSurface:
        """Decoded when first asked for, likewise.

        Raises:
            WireError: the server made a payload that is none, or not what the manifest says.
        """
        decoded = decode_surface(self.data)
        surface, entry, level = decoded.surface, self.entry, self.level
        came = (surface.name, surface.frame, len(surface.vertices_m), len(surface.triangles))
        said = (entry.name, entry.frame, level.vertex_count, level.triangle_count)
        if came != said:
            raise _wrong(f"name, frame, vertices and triangles {came}", f"what the manifest says, {said}")
        return decoded


class Transfer:
    """One item on its way: grows only by what has really arrived, hashed as it comes.

    Attributes:
        data: what is here, from the first byte on.
        requested: up to where chunks were asked for.
    """

    def __init__(self, item: Item) -> None:
        self.item = item
        self.data = bytearray()
        self.requested = 0
        self._started_ns: int | None = None
        self._hash = hashlib.sha256()

    @property
    def is_whole(self) -> bool:
        return len(self.data) == self.item.byte_count

    def asked(self, length: int, now_ns: int) -> None:
        """Takes in that the next `length` bytes were asked for."""
        self.requested += length
        if self._started_ns is None:
            self._started_ns = now_ns

    def rewind(self) -> None:
        """What is under way will not come: ask again from the first byte that is not here."""
        self.requested = len(self.data)

    def add(self, chunk: SurfaceChunk) -> None:
        """Takes in a chunk.

        Raises:
            MalformedMessageError: more than the manifest says, or nothing.
        """
        # One connection keeps the order: what does not continue here was asked for before something got lost.
        if chunk.offset != len(self.data):
            return
        size = self.item.byte_count
        if not chunk.data or chunk.total_bytes != size or len(self.data) + len(chunk.data) > size:
            raise MalformedMessageError(
                f"{len(chunk.data)} bytes at {chunk.offset} of {chunk.total_bytes}",
                f"some, and no more than the {size} bytes of the manifest",
                "ask for the manifest again",
            )
        self.data += chunk.data
        self._hash.update(chunk.data)
        self.requested = max(self.requested, len(self.data))

    def finish(self, now_ns: int) -> PulledSurface:
        """The whole.

        Raises:
            MalformedMessageError: its hash is not the manifest's.
        """
        if (found := self._hash.hexdigest()) != self.item.sha256:
            raise _wrong(f"'{self.item.entry.name}' with hash {found[:12]}", f"{self.item.sha256[:12]}")
        started_ns = now_ns if self._started_ns is None else self._started_ns
        return PulledSurface(self.item, bytes(self.data), (now_ns - started_ns) / 1e9)


def _wrong(came: str, allowed: str) -> MalformedMessageError:
    return MalformedMessageError(f"surface {came}", allowed, _ACTION)
