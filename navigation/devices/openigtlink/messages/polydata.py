"""POLYDATA: surfaces, lines and points with attributes."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.points import Singles
from navigation.devices.openigtlink.content import Body, not_understood, text_of, utf8
from navigation.devices.openigtlink.errors import LinkError

_HEAD = struct.Struct(">10I")
_ATTRIBUTE = struct.Struct(">BBI")
_NAME_LENGTH = 255
_U32 = NDArray[np.uint32]
_NO_CELLS: _U32 = np.zeros(0, dtype=np.uint32)


class AttributeKind(IntEnum):
    """What the numbers of an attribute are."""

    SCALAR = 0
    VECTOR = 1
    NORMAL = 2
    TENSOR = 3
    RGBA = 4


_COMPONENTS = {AttributeKind.VECTOR: 3, AttributeKind.NORMAL: 3, AttributeKind.TENSOR: 9, AttributeKind.RGBA: 4}


@dataclass(frozen=True, eq=False)
class Attribute:
    """Numbers at points, or at cells.

    Attributes:
        values: ``(n, components)``, single precision on the wire.
    """

    name: str
    kind: AttributeKind
    values: Singles
    of_cells: bool = False


@dataclass(frozen=True, eq=False)
class PolyData:
    """POLYDATA: points, and cells that join them.

    Attributes:
        points_mm: ``(n, 3)``, single precision on the wire.
        vertices, lines, polygons, strips: cells one after the other, each as the number of its points and their
            indices, as VTK keeps them.
        attributes: of points or cells.
    """

    points_mm: Singles
    vertices: _U32 = field(default_factory=lambda: _NO_CELLS)
    lines: _U32 = field(default_factory=lambda: _NO_CELLS)
    polygons: _U32 = field(default_factory=lambda: _NO_CELLS)
    strips: _U32 = field(default_factory=lambda: _NO_CELLS)
    attributes: tuple[Attribute, ...] = ()

    @property
    def type_name(self) -> str:
        return "POLYDATA"

    @classmethod
    def of_triangles(cls, points_mm: ArrayLike, triangles: ArrayLike) -> PolyData:
        """A surface of triangles ``(m, 3)``."""
        corners = np.asarray(triangles, dtype=np.uint32).reshape(-1, 3)
        polygons = np.insert(corners, 0, 3, axis=1).reshape(-1)
        return cls(np.asarray(points_mm, dtype=np.float32).reshape(-1, 3), polygons=polygons)

    @property
    def triangles(self) -> _U32:
        """The polygons as triangles ``(m, 3)``.

        Raises:
            LinkError: there are polygons of more corners.
        """
        rows = self.polygons.reshape(-1, 4) if self.polygons.size % 4 == 0 else np.zeros((1, 4), dtype=np.uint32)
        if not (rows[:, 0] == 3).all():
            raise not_understood("a surface with polygons of more than three corners", "triangles")
        return rows[:, 1:]

    def pack(self) -> bytes:
        cells = (self.vertices, self.lines, self.polygons, self.strips)
        counts = [_count(each, len(self.points_mm)) for each in cells]
        sizes = [number for count, each in zip(counts, cells, strict=True) for number in (count, 4 * each.size)]
        parts = [_HEAD.pack(len(self.points_mm), *sizes, len(self.attributes))]
        parts.append(np.asarray(self.points_mm).astype(">f4").tobytes())
        parts += [each.astype(">u4").tobytes() for each in cells]
        parts += [_attribute_head(each) for each in self.attributes]
        names = b"".join(_attribute_name(each) for each in self.attributes)
        parts.append(names + b"\0" * (len(names) % 2))
        parts += [np.asarray(each.values).astype(">f4").tobytes() for each in self.attributes]
        return b"".join(parts)

    @classmethod
    def unpack(cls, body: Body) -> PolyData:
        if len(body) < _HEAD.size:
            raise not_understood(f"{len(body)} bytes", f"at least {_HEAD.size}")
        points, *sizes, attributes = _HEAD.unpack_from(body)
        cursor = _Cursor(body, _HEAD.size)
        points_mm = cursor.array(">f4", 3 * points).reshape(-1, 3)
        cells = []
        for count, size in zip(sizes[0::2], sizes[1::2], strict=True):
            if size % 4:
                raise not_understood(f"{size} bytes of cells", "a multiple of 4")
            each = cursor.array(">u4", size // 4)
            if _count(each, points) != count:
                raise not_understood(f"another number of cells than {count}", "as many as its header says")
            cells.append(each)
        vertices, lines, polygons, strips = (each.astype(np.uint32) for each in cells)
        found = cursor.attributes(attributes)
        return cls(points_mm.astype(np.float32), vertices, lines, polygons, strips, found)


class _Cursor:
    """Reads on in a body; what is not there is an error before memory is taken."""

    def __init__(self, body: Body, start: int) -> None:
        self._body, self._at = memoryview(body), start

    def take(self, length: int) -> memoryview:
        if length > len(self._body) - self._at:
            raise not_understood(f"{len(self._body)} bytes", f"at least {self._at + length}, as its header says")
        self._at += length
        return self._body[self._at - length : self._at]

    def array(self, kind: str, count: int) -> NDArray[np.generic]:
        return np.frombuffer(self.take(4 * count), dtype=kind)

    def attributes(self, count: int) -> tuple[Attribute, ...]:
        heads = list(_ATTRIBUTE.iter_unpack(self.take(_ATTRIBUTE.size * count)))
        start = self._at
        names = [self._name() for _ in heads]
        self.take((self._at - start) % 2)
        read = tuple(
            self._attribute(kind, components, count, name)
            for (kind, components, count), name in zip(heads, names, strict=True)
        )
        if self._at != len(self._body):
            raise not_understood(f"{len(self._body)} bytes", f"{self._at}, as its header says")
        return read

    def _name(self) -> str:
        rest = bytes(self._body[self._at : self._at + _NAME_LENGTH + 1])
        length = rest.find(b"\0")
        if length < 0:
            raise not_understood("the name of an attribute without an end", f"at most {_NAME_LENGTH} bytes and a zero")
        return text_of(bytes(self.take(length + 1)), "name of an attribute")

    def _attribute(self, kind: int, components: int, count: int, name: str) -> Attribute:
        what, of_cells = kind & 0x0F, kind >> 4
        if what not in AttributeKind.__members__.values() or of_cells > 1 or not components:
            raise not_understood(f"an attribute of kind {kind:#x}, {components} components", "a known kind")
        if _COMPONENTS.get(AttributeKind(what), components) != components:
            raise not_understood(f"{components} components of an attribute of kind {kind:#x}", "3, 9 or 4")
        values = self.array(">f4", components * count).reshape(-1, components)
        return Attribute(name, AttributeKind(what), values.astype(np.float32), bool(of_cells))


def _count(cells: NDArray[np.generic], points: int) -> int:
    """How many cells there are; each must be whole, and name points that there are."""
    numbers = np.asarray(cells, dtype=np.int64)
    if not numbers.size:
        return 0
    step = int(numbers[0]) + 1
    if numbers.size % step == 0 and (numbers[::step] == step - 1).all():
        indices = numbers.reshape(-1, step)[:, 1:]
        _check_indices(indices, points)
        return numbers.size // step
    at = count = 0
    while at < numbers.size:
        end = at + 1 + int(numbers[at])
        if end > numbers.size:
            raise not_understood("a cell without an end", "whole cells")
        _check_indices(numbers[at + 1 : end], points)
        at, count = end, count + 1
    return count


def _check_indices(indices: NDArray[np.int64], points: int) -> None:
    if indices.size and int(indices.max()) >= points:
        raise not_understood(f"a cell with the point {int(indices.max())}", f"one of {points}")


def _attribute_head(attribute: Attribute) -> bytes:
    values = np.asarray(attribute.values)
    if values.ndim != 2 or _COMPONENTS.get(attribute.kind, values.shape[1]) != values.shape[1]:
        raise LinkError(
            f"an attribute {attribute.kind.name} of shape {values.shape}", "(n, components)", "reshape its values"
        )
    return _ATTRIBUTE.pack(attribute.kind | (0x10 if attribute.of_cells else 0), values.shape[1], len(values))


def _attribute_name(attribute: Attribute) -> bytes:
    encoded = utf8(attribute.name, "name of an attribute")
    if len(encoded) > _NAME_LENGTH or b"\0" in encoded:
        raise LinkError(
            f"the name {attribute.name[:40]!r}", f"at most {_NAME_LENGTH} bytes without zeros", "shorten it"
        )
    return encoded + b"\0"
