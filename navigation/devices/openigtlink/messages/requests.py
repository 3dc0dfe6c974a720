"""Requests to a sender, and its reply: GET_ for one message, STT_ and STP_ to begin and to end a stream, RTS_."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from navigation.devices.openigtlink.content import Body, fixed_text, not_understood, text_of
from navigation.devices.openigtlink.errors import LinkError

PREFIXES = ("GET_", "STT_", "STP_")
TrackingKind = Literal["TDATA", "QTDATA"]

_START = struct.Struct(">i32s")
_REPLY = struct.Struct(">B")


@dataclass(frozen=True)
class Request:
    """A request without content, such as ``GET_STATUS``, ``GET_CAPABIL`` or ``STP_TDATA``."""

    type_name: str

    def pack(self) -> bytes:
        if not self.type_name.startswith(PREFIXES):
            raise LinkError(f"a request {self.type_name!r}", f"one that begins with {PREFIXES}", "correct its name")
        return b""


@dataclass(frozen=True)
class StartTracking:
    """Asks for a stream of TDATA or QTDATA.

    Attributes:
        kind: which of the two.
        resolution_ms: the least time between two messages; 0 for as fast as possible.
        coordinates: the name of the coordinate system that the poses shall be in; empty for the sender's choice.
    """

    kind: TrackingKind = "TDATA"
    resolution_ms: int = 0
    coordinates: str = ""

    @property
    def type_name(self) -> str:
        return f"STT_{self.kind}"

    def pack(self) -> bytes:
        if not 0 <= self.resolution_ms < 2**31:
            raise LinkError(f"a resolution of {self.resolution_ms} ms", "0 to 2**31 - 1", "correct it")
        return _START.pack(self.resolution_ms, fixed_text(self.coordinates, 32, "name of the coordinate system"))

    @classmethod
    def unpack(cls, body: Body, kind: TrackingKind) -> StartTracking:
        # The reference library may send the request without its content.
        if not len(body):
            return cls(kind)
        if len(body) != _START.size:
            raise not_understood(f"{len(body)} bytes", f"{_START.size}, or none")
        resolution_ms, coordinates = _START.unpack(body)
        if resolution_ms < 0:
            raise not_understood(f"a resolution of {resolution_ms} ms", "0 or more")
        return cls(kind, resolution_ms, text_of(coordinates, "name of the coordinate system"))


@dataclass(frozen=True)
class TrackingReply:
    """Says whether a stream of TDATA or QTDATA begins, or has ended as it was asked."""

    kind: TrackingKind = "TDATA"
    is_error: bool = False

    @property
    def type_name(self) -> str:
        return f"RTS_{self.kind}"

    def pack(self) -> bytes:
        return _REPLY.pack(self.is_error)

    @classmethod
    def unpack(cls, body: Body, kind: TrackingKind) -> TrackingReply:
        if len(body) != _REPLY.size:
            raise not_understood(f"{len(body)} bytes", f"{_REPLY.size}")
        return cls(kind, body[0] != 0)
