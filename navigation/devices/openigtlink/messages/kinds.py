"""From the name of a kind in the header to its content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from navigation.devices.openigtlink.content import Body, Content
from navigation.devices.openigtlink.errors import LinkError
from navigation.devices.openigtlink.messages.arrays import Image, NdArray
from navigation.devices.openigtlink.messages.points import Points
from navigation.devices.openigtlink.messages.polydata import PolyData
from navigation.devices.openigtlink.messages.poses import Position, QuaternionTracking, Tracking, TransformMatrix
from navigation.devices.openigtlink.messages.requests import PREFIXES, Request, StartTracking, TrackingReply
from navigation.devices.openigtlink.messages.texts import Capability, Status, Text

KINDS: dict[str, Callable[[Body], Content]] = {
    "TRANSFORM": TransformMatrix.unpack,
    "TDATA": Tracking.unpack,
    "QTDATA": QuaternionTracking.unpack,
    "POSITION": Position.unpack,
    "STATUS": Status.unpack,
    "STRING": Text.unpack,
    "CAPABILITY": Capability.unpack,
    "IMAGE": Image.unpack,
    "NDARRAY": NdArray.unpack,
    "POINT": Points.unpack,
    "POLYDATA": PolyData.unpack,
    "STT_TDATA": lambda body: StartTracking.unpack(body, "TDATA"),
    "STT_QTDATA": lambda body: StartTracking.unpack(body, "QTDATA"),
    "RTS_TDATA": lambda body: TrackingReply.unpack(body, "TDATA"),
    "RTS_QTDATA": lambda body: TrackingReply.unpack(body, "QTDATA"),
}
"""The kinds that are understood, each with what makes its content of a body; requests without content aside."""


@dataclass(frozen=True)
class Unknown:
    """A kind that this program does not know; the body is kept as it came."""

    type_name: str
    body: bytes

    def pack(self) -> bytes:
        return self.body


def content_of(type_name: str, body: Body) -> Content:
    """The content of a message: of a kind in `KINDS`, a `Request`, or `Unknown`.

    Raises:
        LinkError: the body is not what this kind has.
    """
    unpack = KINDS.get(type_name)
    try:
        if unpack is not None:
            return unpack(body)
        if type_name.startswith(PREFIXES) and not len(body):
            return Request(type_name)
        return Unknown(type_name, bytes(body))
    except LinkError as error:
        raise LinkError(f"a {type_name} message with {error.came}", error.allowed, error.action) from None
