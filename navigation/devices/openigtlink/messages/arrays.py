"""Arrays of numbers: IMAGE and NDARRAY."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats
from navigation.devices.openigtlink.content import Body, not_understood
from navigation.devices.openigtlink.errors import LinkError
from navigation.devices.openigtlink.messages.poses import columns_of, matrix_of

_IMAGE = struct.Struct(">HBBBB3H12f3H3H")
_TYPES = {2: "i1", 3: "u1", 4: "i2", 5: "u2", 6: "i4", 7: "u4", 10: "f4", 11: "f8"}
_ARRAY_TYPES = _TYPES | {13: "c16"}
_COORDINATES: dict[int, Literal["RAS", "LPS"]] = {1: "RAS", 2: "LPS"}


@dataclass(frozen=True, eq=False)
class Image:
    """IMAGE: an image or a volume, or a block of one.

    Attributes:
        voxels: ``(k, j, i)``, or ``(k, j, i, c)`` for several components.
        T_world_ijk: matrix ``(4, 4)`` from (i, j, k) of the whole image to mm, spacing included. On the wire it has the
            middle of the image instead of its first voxel, in single precision.
        coordinates: which way the axes of the world point.
        start_ijk: where the block begins in the whole image.
        whole_ijk: size of the whole image; None if `voxels` are all of it.
    """

    voxels: NDArray[Any]
    T_world_ijk: Floats
    coordinates: Literal["RAS", "LPS"] = "LPS"
    start_ijk: tuple[int, int, int] = (0, 0, 0)
    whole_ijk: tuple[int, int, int] | None = None

    @property
    def type_name(self) -> str:
        return "IMAGE"

    def pack(self) -> bytes:
        voxels = self.voxels if self.voxels.ndim == 4 else self.voxels[..., None]
        if voxels.ndim != 4:
            raise LinkError(f"voxels of shape {self.voxels.shape}", "(k, j, i) or (k, j, i, c)", "add axes of length 1")
        block = voxels.shape[2::-1]
        whole = self.whole_ijk or block
        matrix = np.array(self.T_world_ijk, dtype=np.float64)
        matrix[:3, 3] += matrix[:3, :3] @ _middle(whole)
        scalar = _number_of(voxels.dtype, _TYPES)
        coordinates = 1 if self.coordinates == "RAS" else 2
        try:
            head = _IMAGE.pack(
                *(1, voxels.shape[3], scalar, 1, coordinates),
                *(*whole, *columns_of(matrix), *self.start_ijk, *block),
            )
        except (struct.error, OverflowError) as error:
            raise LinkError(
                f"an image that does not fit ({error})", "at most 65,535 a side", "send it in blocks"
            ) from None
        return head + voxels.astype(voxels.dtype.newbyteorder(">"), copy=False).tobytes()

    @classmethod
    def unpack(cls, body: Body) -> Image:
        if len(body) < _IMAGE.size:
            raise not_understood(f"{len(body)} bytes", f"at least {_IMAGE.size}")
        version, components, scalar, endian, coordinates, *rest = _IMAGE.unpack_from(body)
        whole, columns, start, block = rest[:3], rest[3:15], rest[15:18], rest[18:21]
        if version not in (1, 2) or scalar not in _TYPES or endian not in (1, 2) or coordinates not in _COORDINATES:
            fields = f"version {version}, type {scalar}, byte order {endian}, coordinates {coordinates}"
            raise not_understood(fields, f"1 or 2, one of {sorted(_TYPES)}, 1 or 2, 1 or 2")
        if not components or not all(b > 0 and s + b <= w for s, b, w in zip(start, block, whole, strict=True)):
            raise not_understood(f"a block {block} from {start} of {whole}, {components} components", "a block inside")
        kind = np.dtype((">" if endian == 1 else "<") + _TYPES[scalar])
        voxels = _array(body, _IMAGE.size, kind, (*reversed(block), components))
        matrix = matrix_of(columns)
        matrix[:3, 3] -= matrix[:3, :3] @ _middle(whole)
        return cls(
            voxels if components > 1 else voxels[..., 0],
            matrix,
            _COORDINATES[coordinates],
            (start[0], start[1], start[2]),
            None if block == whole else (whole[0], whole[1], whole[2]),
        )


@dataclass(frozen=True, eq=False)
class NdArray:
    """NDARRAY: numbers in up to 255 dimensions, the last one varying fastest."""

    values: NDArray[Any]

    @property
    def type_name(self) -> str:
        return "NDARRAY"

    def pack(self) -> bytes:
        shape = self.values.shape
        if not shape or max(shape) > 0xFFFF:
            raise LinkError(f"an array of shape {shape}", "1 to 255 dimensions of up to 65,535", "reshape it")
        head = struct.pack(f">BB{len(shape)}H", _number_of(self.values.dtype, _ARRAY_TYPES), len(shape), *shape)
        return head + self.values.astype(self.values.dtype.newbyteorder(">"), copy=False).tobytes()

    @classmethod
    def unpack(cls, body: Body) -> NdArray:
        dimensions = body[1] if len(body) >= 2 else 0
        start = 2 + 2 * dimensions
        if not 0 < dimensions <= 64 or len(body) < start or body[0] not in _ARRAY_TYPES:
            raise not_understood("a header that is none", "a known type, 1 to 64 dimensions and their sizes")
        shape = struct.unpack_from(f">{dimensions}H", body, 2)
        return cls(_array(body, start, np.dtype(">" + _ARRAY_TYPES[body[0]]), shape))


def _array(body: Body, start: int, kind: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """A copy in this machine's byte order; the length is checked first."""
    needed = math.prod(shape) * kind.itemsize
    if len(body) - start != needed:
        raise not_understood(f"{len(body) - start} bytes of numbers", f"{needed}, as its header says")
    values = np.frombuffer(body, dtype=kind, offset=start).reshape(shape)
    return values.astype(kind.newbyteorder("="))


def _number_of(kind: np.dtype[Any], known: dict[int, str]) -> int:
    number = next((number for number, name in known.items() if np.dtype(name) == kind.newbyteorder("=")), None)
    if number is None:
        raise LinkError(f"numbers of type {kind}", f"one of {', '.join(known.values())}", "convert them")
    return number


def _middle(size: tuple[int, ...] | list[int]) -> Floats:
    return (np.asarray(size, dtype=np.float64) - 1.0) / 2.0
