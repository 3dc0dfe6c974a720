"""Poses: TRANSFORM, TDATA, QTDATA, POSITION.

They hold the numbers that came. Whether these are a pose (finite, a rotation) is for whoever uses them to check.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike

from geometry.points import Floats
from navigation.devices.openigtlink.content import Body, fixed_text, name_of, not_understood
from navigation.devices.openigtlink.errors import LinkError

_MATRIX = struct.Struct(">12f")
_TOOL = struct.Struct(">20sBx12f")
_QUATERNION_TOOL = struct.Struct(">20sBx7f")
_POSITIONS = {12: struct.Struct(">3f"), 24: struct.Struct(">6f"), 28: struct.Struct(">7f")}
_Q = tuple[float, float, float, float]
_V = tuple[float, float, float]


@dataclass(frozen=True)
class TransformMatrix:
    """TRANSFORM: the upper three rows of a homogeneous matrix, in mm, column by column.

    Attributes:
        columns: twelve numbers: the three columns of the rotation, then the translation; single precision on the wire.
    """

    columns: tuple[float, ...]

    @property
    def type_name(self) -> str:
        return "TRANSFORM"

    @classmethod
    def of(cls, matrix: ArrayLike) -> TransformMatrix:
        """Of a homogeneous matrix ``(4, 4)``."""
        return cls(columns_of(matrix))

    @property
    def matrix(self) -> Floats:
        """The homogeneous matrix ``(4, 4)``."""
        return matrix_of(self.columns)

    def pack(self) -> bytes:
        return _packed(_MATRIX, *self.columns)

    @classmethod
    def unpack(cls, body: Body) -> TransformMatrix:
        if len(body) != _MATRIX.size:
            raise not_understood(f"{len(body)} bytes", f"{_MATRIX.size}")
        return cls(_MATRIX.unpack(body))


class ToolKind(IntEnum):
    """What is known of a tool in TDATA and QTDATA."""

    TRACKER = 1
    TOOL_6D = 2
    TOOL_3D = 3
    TOOL_5D = 4


@dataclass(frozen=True)
class TrackedTool:
    """One tool of TDATA; `columns` as in `TransformMatrix`, `kind` a `ToolKind`."""

    name: str
    columns: tuple[float, ...]
    kind: int = ToolKind.TOOL_6D

    @property
    def matrix(self) -> Floats:
        """The homogeneous matrix ``(4, 4)``."""
        return matrix_of(self.columns)


@dataclass(frozen=True)
class Tracking:
    """TDATA: several tools at one instant."""

    tools: tuple[TrackedTool, ...]

    @property
    def type_name(self) -> str:
        return "TDATA"

    def pack(self) -> bytes:
        return b"".join(
            _packed(_TOOL, fixed_text(tool.name, 20, "name of a tool"), tool.kind, *tool.columns) for tool in self.tools
        )

    @classmethod
    def unpack(cls, body: Body) -> Tracking:
        _check_whole(body, _TOOL)
        return cls(
            tuple(
                TrackedTool(name_of(name, "name of a tool"), tuple(columns), kind)
                for name, kind, *columns in _TOOL.iter_unpack(body)
            )
        )


@dataclass(frozen=True)
class QuaternionTool:
    """One tool of QTDATA: its position in mm, and its orientation as the quaternion (x, y, z, w)."""

    name: str
    position_mm: _V
    quaternion: _Q
    kind: int = ToolKind.TOOL_6D

    @property
    def columns(self) -> tuple[float, ...]:
        """As in `TransformMatrix`."""
        return _columns_from(self.position_mm, self.quaternion)


@dataclass(frozen=True)
class QuaternionTracking:
    """QTDATA: several tools at one instant."""

    tools: tuple[QuaternionTool, ...]

    @property
    def type_name(self) -> str:
        return "QTDATA"

    def pack(self) -> bytes:
        return b"".join(
            _packed(
                _QUATERNION_TOOL,
                fixed_text(tool.name, 20, "name of a tool"),
                tool.kind,
                *tool.position_mm,
                *tool.quaternion,
            )
            for tool in self.tools
        )

    @classmethod
    def unpack(cls, body: Body) -> QuaternionTracking:
        _check_whole(body, _QUATERNION_TOOL)
        return cls(
            tuple(
                QuaternionTool(name_of(name, "name of a tool"), (x, y, z), (qx, qy, qz, qw), kind)
                for name, kind, x, y, z, qx, qy, qz, qw in _QUATERNION_TOOL.iter_unpack(body)
            )
        )


@dataclass(frozen=True)
class Position:
    """POSITION: a position in mm and an orientation as the quaternion (x, y, z, w); None if the sender left it out."""

    position_mm: _V
    quaternion: _Q | None = None

    @property
    def type_name(self) -> str:
        return "POSITION"

    @property
    def columns(self) -> tuple[float, ...] | None:
        """As in `TransformMatrix`; None without an orientation."""
        return None if self.quaternion is None else _columns_from(self.position_mm, self.quaternion)

    def pack(self) -> bytes:
        numbers = (*self.position_mm, *(self.quaternion or ()))
        return _packed(_POSITIONS[4 * len(numbers)], *numbers)

    @classmethod
    def unpack(cls, body: Body) -> Position:
        layout = _POSITIONS.get(len(body))
        if layout is None:
            raise not_understood(f"{len(body)} bytes", "12, 24 or 28")
        x, y, z, *rest = layout.unpack(body)
        if not rest:
            return cls((x, y, z))
        if len(rest) == 3:
            # The short form leaves out w, which is then not negative.
            rest.append(max(0.0, 1.0 - sum(part * part for part in rest)) ** 0.5)
        qx, qy, qz, qw = rest
        return cls((x, y, z), (qx, qy, qz, qw))


def columns_of(matrix: ArrayLike) -> tuple[float, ...]:
    """The twelve numbers of a homogeneous matrix ``(4, 4)``, column by column.

    Raises:
        LinkError: another shape.
    """
    array = np.asarray(matrix, dtype=np.float64)
    if array.shape != (4, 4):
        raise LinkError(f"a matrix of shape {array.shape}", "shape (4, 4)", "pass a homogeneous matrix")
    return tuple(array[:3].T.reshape(-1).tolist())


def matrix_of(columns: Sequence[float]) -> Floats:
    """The homogeneous matrix ``(4, 4)`` of twelve numbers, column by column."""
    matrix = np.zeros((4, 4))
    matrix[:3] = np.reshape(columns, (4, 3)).T
    matrix[3, 3] = 1.0
    return matrix


def _columns_from(position_mm: _V, quaternion: _Q) -> tuple[float, ...]:
    """Zeros, which are no rotation, where the quaternion has no length."""
    x, y, z, w = quaternion
    square = x * x + y * y + z * z + w * w
    s = 2.0 / square if square > 0.0 else 0.0
    one = 1.0 if square > 0.0 else 0.0
    return (
        *(one - s * (y * y + z * z), s * (x * y + z * w), s * (x * z - y * w)),
        *(s * (x * y - z * w), one - s * (x * x + z * z), s * (y * z + x * w)),
        *(s * (x * z + y * w), s * (y * z - x * w), one - s * (x * x + y * y)),
        *position_mm,
    )


def _check_whole(body: Body, layout: struct.Struct) -> None:
    if len(body) % layout.size:
        raise not_understood(f"{len(body)} bytes", f"{layout.size} for each tool")


def _packed(layout: struct.Struct, *values: object) -> bytes:
    try:
        return layout.pack(*values)
    except (struct.error, OverflowError) as error:
        raise LinkError(f"values that do not fit ({error})", "numbers of single precision", "correct them") from None
