"""File format of a distance grid: a magic line, a JSON header, arrays, and the SHA-256 of everything before it.

    SURFACE DISTANCE GRID\\n | header's length, uint32 | header | arrays, little-endian, in the header's order | SHA-256

Reading executes and unpickles nothing, and accepts only content that its length, its hash and the surface confirm.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry import Surface
from geometry.points import Floats
from registration.distance.normal_trend import NormalTrend
from registration.errors import DistanceGridError

MAGIC = b"SURFACE DISTANCE GRID\n"
FORMAT_VERSION = 1
MAXIMUM_HEADER_BYTES = 65_536
DIGEST_BYTES = 32


@dataclass(frozen=True, eq=False)
class Level:
    """One grid of the nest.

    Attributes:
        mask: which nodes of its box hold a value, ``(i, j, k)`` bool.
        values: signed distance in mm and gradient of these m nodes, ``(m, 4)``.
    """

    mask: NDArray[np.bool_]
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class GridContent:
    """The content of a distance grid's file.

    Attributes:
        fingerprint: `surface_fingerprint` of the surface that it was made from.
        frame: the surface's frame.
        spacing_mm: spacing of the first grid; each further one has twice the spacing of the one before.
        origin_mm: first node of all grids, ``(3,)``, in the surface's frame.
        levels: the grids from fine to coarse.
        trend: the surface's normals, averaged over discs.
    """

    fingerprint: str
    frame: str
    spacing_mm: float
    origin_mm: Floats
    levels: tuple[Level, ...]
    trend: NormalTrend


def surface_fingerprint(surface: Surface) -> str:
    """SHA-256 of a surface's vertices, triangles and frame; its name does not count."""
    digest = hashlib.sha256(f"{surface.frame} {len(surface.vertices_mm)} {len(surface.triangles)}\n".encode())
    digest.update(np.ascontiguousarray(surface.vertices_mm, "<f8").data)
    digest.update(np.ascontiguousarray(surface.triangles, "<i4").data)
    return digest.hexdigest()


def write_grid(path: Path, content: GridContent) -> None:
    """Writes the file atomically: beside `path`, flushed to the disk, then renamed."""
    arrays: list[NDArray[Any]] = []
    for level in content.levels:
        arrays += [np.packbits(level.mask), level.values.astype("<f4")]
    trend = content.trend
    sites = np.column_stack([trend.centres_mm, trend.facing, trend.sums, trend.counts]).astype("<f8")
    header = {
        "version": FORMAT_VERSION,
        "fingerprint": content.fingerprint,
        "frame": content.frame,
        "spacing_mm": content.spacing_mm,
        "origin_mm": content.origin_mm.tolist(),
        "levels": [{"shape": list(level.mask.shape), "nodes": len(level.values)} for level in content.levels],
        "trend": {"radius_mm": trend.radius_mm, "sites": len(sites)},
    }
    text = json.dumps(header).encode()
    body = b"".join([MAGIC, struct.pack("<I", len(text)), text, *(array.tobytes() for array in [*arrays, sites])])
    temporary = path.with_name(f".partial-{secrets.token_hex(4)}-{path.name}")
    try:
        with temporary.open("xb") as file:
            file.write(body + hashlib.sha256(body).digest())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_grid(path: Path, surface: Surface) -> GridContent:
    """Reads the grid of `surface` from a file, and checks it.

    Raises:
        DistanceGridError: no such file, a damaged one, one of another version, or of another surface.
    """
    header, body = _opened(path)
    if header.get("version") != FORMAT_VERSION:
        raise DistanceGridError(
            f"'{path.name}' of format version {header.get('version')!r}",
            f"version {FORMAT_VERSION}",
            "build the grid anew from the surface",
        )
    if (header.get("fingerprint"), header.get("frame")) != (surface_fingerprint(surface), surface.frame):
        raise DistanceGridError(
            f"'{path.name}', the distance grid of another surface than '{surface.name}' in '{surface.frame}'",
            "the grid that was made from this very surface",
            "build the grid anew from the surface",
        )
    try:
        content = _content(header, body)
    except (KeyError, TypeError, ValueError, OverflowError, MemoryError) as error:
        raise _damaged(path, f"a header that does not fit its content ({error})") from error
    _check_place(path, content, surface)
    return content


def _opened(path: Path) -> tuple[dict[str, Any], memoryview]:
    """Header and arrays of a file, once its hash is verified."""
    try:
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise DistanceGridError(
            f"'{path.name}', which cannot be read ({error.strerror})",
            "a readable file",
            "build the grid anew from the surface",
        ) from error
    start = len(MAGIC) + 4
    if len(data) < start + DIGEST_BYTES or bytes(data[: len(MAGIC)]) != MAGIC:
        raise _damaged(path, "another beginning or hardly any content")
    if hashlib.sha256(data[:-DIGEST_BYTES]).digest() != bytes(data[-DIGEST_BYTES:]):
        raise _damaged(path, "content that its SHA-256 does not confirm")
    (length,) = struct.unpack("<I", data[len(MAGIC) : start])
    if length > min(MAXIMUM_HEADER_BYTES, len(data) - start - DIGEST_BYTES):
        raise _damaged(path, f"a header of {length} bytes")
    try:
        header = json.loads(bytes(data[start : start + length]))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "a header that is no JSON") from error
    if not isinstance(header, dict):
        raise _damaged(path, "a header that is no JSON object")
    return header, data[start + length : -DIGEST_BYTES]


def _content(header: dict[str, Any], body: memoryview) -> GridContent:
    taken = 0

    def take(dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
        nonlocal taken
        count = int(np.prod([int(n) for n in shape], dtype=object))
        if min(shape) < 0 or count * np.dtype(dtype).itemsize > len(body) - taken:
            raise ValueError(f"{shape} values in {len(body) - taken} bytes")
        array = np.frombuffer(body, dtype, count, taken).reshape(shape)
        taken += array.nbytes
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError("numbers that are not finite")
        return array

    levels = tuple(_level(entry, take) for entry in header["levels"])
    if not levels or not levels[-1].mask.all():
        raise ValueError("a coarsest grid with gaps")
    sites = take("<f8", (int(header["trend"]["sites"]), 13))
    if taken != len(body) or not len(sites):
        raise ValueError(f"{len(body) - taken} bytes too many")
    columns = (sites[:, :3], sites[:, 3:6], sites[:, 6:12], np.ascontiguousarray(sites[:, 12]))
    trend = NormalTrend(float(header["trend"]["radius_mm"]), *columns)
    x, y, z = (float(value) for value in header["origin_mm"])
    origin_mm, spacing_mm = np.array([x, y, z]), float(header["spacing_mm"])
    return GridContent(header["fingerprint"], header["frame"], spacing_mm, origin_mm, levels, trend)


def _level(entry: dict[str, Any], take: Callable[[str, tuple[int, ...]], NDArray[Any]]) -> Level:
    i, j, k = (int(n) for n in entry["shape"])
    if min(i, j, k) < 2:
        raise ValueError(f"a grid of {i} x {j} x {k} nodes")
    bits = take("u1", (-(-i * j * k // 8),))
    mask = np.unpackbits(bits, count=i * j * k).astype(bool).reshape(i, j, k)
    values = take("<f4", (int(entry["nodes"]), 4))
    if np.count_nonzero(mask) != len(values):
        raise ValueError("more or fewer values than nodes")
    return Level(mask, values)


def _check_place(path: Path, content: GridContent, surface: Surface) -> None:
    """Raises `DistanceGridError` unless all grids enclose the surface, and the coarser ones the first."""
    sizes = content.spacing_mm * 2.0 ** np.arange(len(content.levels))
    extents = np.array([level.mask.shape for level in content.levels]) - 1
    ends = content.origin_mm + sizes[:, None] * extents
    low, high = surface.bounds_mm
    enclosed = content.spacing_mm > 0 and (content.origin_mm < low).all() and (ends > high).all()
    if not (enclosed and (ends >= ends[0]).all() and content.trend.radius_mm > 0):
        raise _damaged(path, "grids that do not enclose the surface")


def _damaged(path: Path, what: str) -> DistanceGridError:
    return DistanceGridError(
        f"'{path.name}' with {what}", "a distance grid as it was saved", "build the grid anew from the surface"
    )
