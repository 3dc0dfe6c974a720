"""POINT: named points with colour, group and owner."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from navigation.devices.openigtlink.content import Body, fixed_text, not_understood, text_of
from navigation.devices.openigtlink.errors import LinkError

_POINT = struct.Struct(">64s32s4B3ff20s")


@dataclass(frozen=True)
class Point:
    """One point.

    Attributes:
        name: for people.
        position_mm: in the coordinate system of the message's owner.
        group: what kind of point it is, such as ``Landmark`` or ``Fiducial``.
        rgba: colour and opacity, 0 to 255.
        diameter_mm: 0 for none.
        owner: the device name of an image that the point belongs to.
    """

    name: str
    position_mm: tuple[float, float, float]
    group: str = "Landmark"
    rgba: tuple[int, int, int, int] = (255, 255, 0, 255)
    diameter_mm: float = 0.0
    owner: str = ""


@dataclass(frozen=True)
class Points:
    """POINT: a list of points; empty if there are none any more."""

    points: tuple[Point, ...]

    @property
    def type_name(self) -> str:
        return "POINT"

    def pack(self) -> bytes:
        return b"".join(map(_packed, self.points))

    @classmethod
    def unpack(cls, body: Body) -> Points:
        if len(body) % _POINT.size:
            raise not_understood(f"{len(body)} bytes", f"{_POINT.size} for each point")
        return cls(
            tuple(
                Point(text_of(name, "name"), (x, y, z), text_of(group, "group"), (r, g, b, a), d, text_of(own, "owner"))
                for name, group, r, g, b, a, x, y, z, d, own in _POINT.iter_unpack(body)
            )
        )


def _packed(point: Point) -> bytes:
    name, group = fixed_text(point.name, 64, "name of a point"), fixed_text(point.group, 32, "group of a point")
    owner = fixed_text(point.owner, 20, "owner of a point")
    try:
        return _POINT.pack(name, group, *point.rgba, *point.position_mm, point.diameter_mm, owner)
    except (struct.error, OverflowError) as error:
        raise LinkError(
            f"a point that does not fit ({error})", "numbers of single precision, colours 0 to 255", "correct it"
        ) from None
