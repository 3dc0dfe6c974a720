"""Parts of messages of the control socket. Generated from wire_schema.toml by `make wire`: edit that, not this."""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.wire.generated.constants import Validity
from unity_bridge.wire.schema import F64, I64, POSITION, SHA256, TEXT, U32, U64, choice, floats, tagged


@dataclass(frozen=True, kw_only=True)
class ReceivedSurface:
    """A surface as a client holds it, checked against its hash and decoded."""

    sha256: str = tagged(1, SHA256)
    name: str = tagged(2, TEXT)
    vertex_count: int = tagged(3, U32)
    triangle_count: int = tagged(4, U32)
    byte_count: int = tagged(5, U64)
    seconds: float = tagged(6, F64)


@dataclass(frozen=True, kw_only=True)
class TestPoint:
    """A labelled vertex of the test object.

    Attributes:
        vertex: its index.
    """

    vertex: int = tagged(1, U32)
    name: str = tagged(2, TEXT)


@dataclass(frozen=True, kw_only=True)
class PlacedPoint:
    """A labelled vertex as the client has it.

    Attributes:
        position_m: in the world.
        normal: in the world, as it is lit.
    """

    vertex: int = tagged(1, U32)
    position_m: tuple[float, float, float] = tagged(2, floats(3))
    normal: tuple[float, float, float] = tagged(3, floats(3))


@dataclass(frozen=True, kw_only=True)
class PlacedTriangle:
    """A triangle as the client draws it.

    Attributes:
        visible_side: a vector in the world out of the side that is drawn: (b - a) x (c - a) of its corners, where
            clockwise is the front.
    """

    triangle: int = tagged(1, U32)
    visible_side: tuple[float, float, float] = tagged(2, floats(3))


@dataclass(frozen=True, kw_only=True)
class Placement:
    """The object under one of the poses.

    Attributes:
        batch: index of the pose batch in the task, from 0.
    """

    batch: int = tagged(1, U32)
    points: tuple[PlacedPoint, ...] = tagged(2, PlacedPoint, repeated=True)
    triangles: tuple[PlacedTriangle, ...] = tagged(3, PlacedTriangle, repeated=True)


@dataclass(frozen=True, kw_only=True)
class ObservedTool:
    """One tool as a headset sees it, or does not.

    Attributes:
        tool: its name at the headset; each tool comes once.
        validity: `valid` and `suspect` have a pose, `stale` and `lost` have none.
        reason: why it is not valid.
        position_m: of the tool in the headset's world, in Unity's convention.
        rotation_xyzw: unit quaternion as Unity's `Quaternion`.
        seen_ns: where this tool was seen at another time than the message says, on the server's clock.
        fit_rms_mm: RMS distance between the marker as seen and as designed, where the headset has it.
        covariance: upper triangle, by rows, of the 6 x 6 of rotation vector (rad) and position (m), along the axes of
            the headset's world; a rotation vector is the quaternion's axis times its angle.
    """

    tool: str = tagged(1, TEXT)
    validity: Validity = tagged(2, choice(Validity))
    reason: str = tagged(3, TEXT, default="")
    position_m: tuple[float, float, float] | None = tagged(4, POSITION, default=None)
    rotation_xyzw: tuple[float, float, float, float] | None = tagged(5, floats(4), default=None)
    seen_ns: int | None = tagged(6, I64, default=None)
    fit_rms_mm: float | None = tagged(7, F64, default=None)
    covariance: tuple[float, ...] | None = tagged(8, floats(21), default=None)
