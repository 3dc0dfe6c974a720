"""Lossless compression of a surface payload for slow links: six times smaller than floats.

Triangles are ordered breadth first, so that each shares an edge with an earlier one and adds one vertex. That vertex is
mostly new, and lies near the fourth corner of a parallelogram (Touma and Gotsman, Graphics Interface 1998, p. 26).
Normals are predicted from the quantised triangles in integer arithmetic, so that all machines agree. The residuals are
stored in byte planes and compressed with deflate (RFC 1951), which .NET has built in. docs/unity_bridge/protocol.md
specifies the steps.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.points import read_only
from geometry.surface import Surface
from unity_bridge.errors import UnsupportedVersionError, WireError
from unity_bridge.surfaces.payload import VERTEX, SurfaceLayout
from unity_bridge.wire.envelope import malformed
from unity_bridge.wire.generated.constants import (
    COMPRESSED_MAGIC,
    COMPRESSED_MAJOR,
    COMPRESSED_SURFACE_HEADER,
    MAX_PAYLOAD_BYTES,
    MAX_RINGS,
    NORMAL_STEPS,
)

Integers = NDArray[np.int64]

_HEADER_BYTES = COMPRESSED_SURFACE_HEADER.size
_DEFLATE_LIMIT = 1032  # largest compression ratio of a deflate stream (RFC 1951)
_EDGES = np.array([0, 1, 2])
_BITS = np.array([[(mask >> edge) & 1 for edge in range(3)] for mask in range(8)], np.int64)


@dataclass(frozen=True, eq=False)
class _Walk:
    """The m triangles in breadth-first order, each rotated so that its first edge is the one shared with its parent.

    Attributes:
        order: indices ``(m,)`` of the triangles; the roots, one for each connected part, come first.
        turn: ``(m,)``: which corner of the original triangle comes first.
        children: ``(m,)``: bit e is set if the triangle across edge e is a child.
        root_count: number of connected parts.
        rings: number of generations.
    """

    order: Integers
    turn: Integers
    children: NDArray[np.uint8]
    root_count: int
    rings: int


def in_wire_order(surface: Surface) -> Surface:
    """The same surface with triangles and vertices in the order that `compress_surface` needs, to be used for encoding.

    Triangles keep their orientation, but may begin with another corner. Unused vertices come last.
    """
    triangles = surface.triangles[:, [0, 2, 1]].astype(np.int64)  # as on the wire, where the winding is reversed
    walk = _walk(triangles)
    triangles = _turned(triangles[walk.order], walk.turn)
    first_use = np.concatenate([triangles[: walk.root_count].ravel(), triangles[walk.root_count :, 2]])
    used, first = np.unique(first_use, return_index=True)
    kept = used[np.argsort(first)]
    unused = np.setdiff1d(np.arange(len(surface.vertices_mm)), kept)
    old_index = np.concatenate([kept, unused])
    new_index = np.empty(len(old_index), np.int64)
    new_index[old_index] = np.arange(len(old_index))
    renumbered = new_index[triangles][:, [0, 2, 1]].astype(np.int32)
    return Surface(surface.vertices_mm[old_index], np.ascontiguousarray(renumbered), surface.frame, surface.name)


def compress_surface(data: bytes) -> bytes | None:
    """The compressed form of a payload; None for a payload that is not in wire order or has unused vertices.

    The result is decompressed and compared before it is returned, so it restores `data` bit for bit.
    """
    layout = SurfaceLayout.read(memoryview(data))
    vertices, triangles = layout.vertices(memoryview(data)), layout.triangles(memoryview(data)).astype(np.int64)
    walk = _walk(triangles)
    if not np.array_equal(walk.order, np.arange(len(triangles))) or walk.turn.any() or walk.rings > MAX_RINGS:
        return None
    codes, is_new = _corner_codes(triangles, walk.root_count)
    if is_new.sum() != len(vertices):
        return None
    parents = _Family.of(walk.children, walk.root_count, len(triangles))
    positions = vertices["position"][:, :3].astype(np.int64)
    predicted = _parallelograms(triangles, parents, positions, is_new)
    residuals = (positions - predicted + 32_768) % 65_536 - 32_768
    normals = vertices["normal"][:, :3].astype(np.int64)
    off = (normals - _predicted_normals(positions, triangles) + 128) % 256 - 128
    children = np.append(walk.children, np.zeros(len(triangles) % 2, np.uint8)).reshape(-1, 2)
    planes = [(children[:, 0] | children[:, 1] << 4).tobytes()]
    planes += [_planes(codes, layout.index_bytes), *(_planes(_zigzag(axis), 2) for axis in residuals.T)]
    planes += [_planes(_zigzag(axis), 1) for axis in off.T]
    packed = b"".join(planes)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    body = deflate.compress(packed) + deflate.flush()
    head = COMPRESSED_SURFACE_HEADER.pack(
        COMPRESSED_MAGIC, COMPRESSED_MAJOR, _HEADER_BYTES, walk.root_count, len(packed)
    )
    compressed = head + data[: layout.vertices_at] + body
    try:
        return compressed if decompress_surface(compressed) == data else None
    except WireError:
        return None


def decompress_surface(data: bytes | bytearray | memoryview, limit_bytes: int = MAX_PAYLOAD_BYTES) -> bytes:
    """Decompresses a payload. The caller checks its SHA-256 and decodes it like one that came uncompressed.

    The size is limited by the counts in the header before anything is decompressed, and every index is checked.

    Args:
        data: the compressed form.
        limit_bytes: size of the payload by the manifest; a larger one is refused unread.

    Raises:
        WireError: truncated, of another version, larger than stated, or not a surface.
    """
    view = memoryview(data).cast("B").toreadonly()
    if len(view) < _HEADER_BYTES:
        raise malformed(f"a compressed surface of {len(view)} bytes", f"at least {_HEADER_BYTES}")
    magic, major, head, roots, packed_bytes = COMPRESSED_SURFACE_HEADER.unpack_from(view)
    if magic != COMPRESSED_MAGIC or not _HEADER_BYTES <= head <= len(view):
        raise malformed(f"a compressed surface that begins with {magic!r}", f"{COMPRESSED_MAGIC!r}")
    if major != COMPRESSED_MAJOR:
        raise UnsupportedVersionError(
            f"a compressed surface of version {major}", f"version {COMPRESSED_MAJOR}", "update the older program"
        )
    layout = SurfaceLayout.read_head(view[head:])
    if layout.vertices_at > len(view) - head:
        raise malformed("a compressed surface with a truncated head", "the whole head")
    count, faces = layout.vertex_count, layout.triangle_count
    expected = (faces + 1) // 2 + (faces + 2 * roots) * layout.index_bytes + 9 * count
    body = view[head + layout.vertices_at :]
    if not 0 < roots <= faces or packed_bytes != expected or packed_bytes > _DEFLATE_LIMIT * len(body):
        raise malformed(
            f"{count} vertices and {faces} triangles in {roots} parts, {len(body)} bytes that unpack to {packed_bytes}",
            f"1 to {faces} parts, and {expected} bytes",
        )
    limit = min(limit_bytes, MAX_PAYLOAD_BYTES)
    if layout.byte_count > limit:
        raise malformed(f"a surface of {layout.byte_count} bytes", f"at most {limit}")
    return bytes(view[head : head + layout.vertices_at]) + _restore(_inflate(body, packed_bytes), layout, roots)


def _inflate(body: memoryview, size: int) -> bytes:
    inflate = zlib.decompressobj(-15)
    try:
        packed = inflate.decompress(body, size + 1)
    except zlib.error as error:
        raise malformed(f"no deflate stream ({error})", "deflate without a zlib header (RFC 1951)") from error
    if len(packed) != size or not inflate.eof or inflate.unused_data:
        raise malformed("a deflate stream of another size", f"one that unpacks to {size} bytes and ends with the data")
    return packed


def _restore(packed: bytes, layout: SurfaceLayout, roots: int) -> bytes:
    count, faces, width = layout.vertex_count, layout.triangle_count, layout.index_bytes
    source = np.frombuffer(packed, np.uint8)
    nibbles = source[: (faces + 1) // 2]
    children = np.stack([nibbles & 15, nibbles >> 4], axis=1).ravel()
    if children.max() > 7 or children[faces:].any():
        raise malformed("children beyond a triangle's three edges", "bits 0 to 2 of each half byte")
    at = len(nibbles)
    codes = _from_planes(source[at : at + (faces + 2 * roots) * width], width)
    at += len(codes) * width
    residuals = np.stack([_unzigzag(_from_planes(source[at + 2 * count * k :][: 2 * count], 2)) for k in range(3)], 1)
    off = np.stack([_unzigzag(_from_planes(source[at + (6 + k) * count :][:count], 1)) for k in range(3)], 1)

    corners, is_new = _corners(codes, count)
    family = _Family.of(children[:faces], roots, faces)
    triangles = np.empty((faces, 3), np.int64)
    triangles[:roots], triangles[roots:, 2] = corners[: 3 * roots].reshape(-1, 3), corners[3 * roots :]
    for begin, end in family.rings:
        parent, edge = family.parent[begin:end], family.edge[begin:end]
        triangles[begin:end, 0] = triangles[parent, (edge + 1) % 3]
        triangles[begin:end, 1] = triangles[parent, edge]
    positions = _positions(triangles, family, residuals, is_new)
    vertices = np.zeros(count, VERTEX)
    vertices["position"][:, :3] = positions
    vertices["normal"][:, :3] = (_predicted_normals(positions, triangles) + off).astype(np.int8)
    return vertices.tobytes() + triangles.astype(f"<u{width}").tobytes()


@dataclass(frozen=True, eq=False)
class _Family:
    """The tree of triangles.

    Attributes:
        parent, edge: ``(m,)``: parent of each triangle, and which of its edges they share; -1 for roots.
        root_count: number of roots.
        rings: first and last + 1 triangle of each generation after the roots; parents are in earlier generations.
    """

    parent: Integers
    edge: Integers
    root_count: int
    rings: list[tuple[int, int]]

    @classmethod
    def of(cls, children: NDArray[np.uint8], root_count: int, face_count: int) -> _Family:
        parent, edge = np.nonzero(_BITS[children])
        if len(parent) != face_count - root_count or (parent >= np.arange(root_count, face_count)).any():
            raise malformed(f"{len(parent)} children of {root_count} roots", "each triangle once, after its parent")
        ends = root_count + np.cumsum(_BITS[children].sum(axis=1))
        rings, begin, end = [], 0, root_count
        while end < face_count:
            begin, end = end, int(ends[end - 1])
            rings.append((begin, end))
            if len(rings) > MAX_RINGS:
                raise malformed(f"more than {MAX_RINGS} rings of triangles", "fewer")
        none = np.full(root_count, -1)
        return cls(np.concatenate([none, parent]), np.concatenate([none, edge]), root_count, rings)


def _walk(triangles: Integers) -> _Walk:
    """Walks breadth first from the first triangle of each connected part, one generation at a time."""
    faces = len(triangles)
    twin = _twins(triangles)
    seen, turn, children = np.zeros(faces, bool), np.zeros(faces, np.int64), np.zeros(faces, np.uint8)
    ring = _roots(twin)
    root_count, rings, order = len(ring), 0, [ring]
    seen[ring] = True
    while len(ring):
        # Children in the order of their parents, and for each parent from its first edge on.
        edges = (turn[ring][:, None] + _EDGES) % 3
        found = twin[ring[:, None], edges].ravel()
        there = np.flatnonzero(found >= 0)
        there = there[~seen[found[there] // 3]]
        _, first = np.unique(found[there] // 3, return_index=True)
        there = there[np.sort(first)]
        np.bitwise_or.at(children, ring[there // 3], (1 << (there % 3)).astype(np.uint8))
        ring = found[there] // 3
        turn[ring] = found[there] % 3
        seen[ring] = True
        order.append(ring)
        rings += 1
    walked = np.concatenate(order)
    return _Walk(walked, turn[walked], children[walked], root_count, rings)


def _twins(triangles: Integers) -> Integers:
    """``(m, 3)``: for each edge the opposite one, as 3 * triangle + edge; -1 at a border.

    Edges at which more than two triangles meet are treated as borders.
    """
    start, end = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    size = int(triangles.max(initial=0)) + 1
    keys, wanted = start * size + end, end * size + start
    by_key = np.argsort(keys, kind="stable")
    ordered = keys[by_key]
    is_single = np.ones(len(keys), bool)
    is_single[1:] &= ordered[1:] != ordered[:-1]
    is_single[:-1] &= ordered[:-1] != ordered[1:]
    place = np.minimum(np.searchsorted(ordered, wanted), len(keys) - 1)
    is_single_here = np.empty(len(keys), bool)
    is_single_here[by_key] = is_single
    is_twin = (ordered[place] == wanted) & is_single[place] & is_single_here
    return np.where(is_twin, by_key[place], -1).reshape(-1, 3)


def _roots(twin: Integers) -> Integers:
    """The first triangle of each part that is connected across edges."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    faces = len(twin)
    here = np.repeat(np.arange(faces), 3)
    there = twin.ravel() // 3
    joined = twin.ravel() >= 0
    graph = coo_array((np.ones(joined.sum(), np.int8), (here[joined], there[joined])), shape=(faces, faces))
    _, part = connected_components(graph, directed=False)
    return np.sort(np.unique(part, return_index=True)[1])


def _turned(triangles: Integers, turn: Integers) -> Integers:
    return np.take_along_axis(triangles, (turn[:, None] + _EDGES) % 3, axis=1)


def _corner_codes(triangles: Integers, roots: int) -> tuple[Integers, NDArray[np.bool_]]:
    """Codes of the roots' corners, then of the other triangles' third ones: 0 if new, else 1 + the newest minus it."""
    corners = np.concatenate([triangles[:roots].ravel(), triangles[roots:, 2]])
    newest = np.maximum.accumulate(corners)
    before = np.concatenate([[-1], newest[:-1]])
    is_new = corners == before + 1
    codes = np.where(is_new, 0, before - corners + 1)
    return np.maximum(codes, 0), is_new  # a negative code is not in wire order, and decompresses to something else


def _corners(codes: Integers, count: int) -> tuple[Integers, NDArray[np.bool_]]:
    is_new = codes == 0
    newest = np.cumsum(is_new) - 1
    corners = np.where(is_new, newest, newest - codes + 1)
    if int(newest[-1]) != count - 1 or corners.min() < 0:
        raise malformed(
            f"{int(newest[-1]) + 1} vertices in use, the least of them {corners.min()}", f"0 to {count - 1}"
        )
    return corners, is_new


def _parallelograms(triangles: Integers, family: _Family, positions: Integers, is_new: NDArray[np.bool_]) -> Integers:
    """Predicted positions ``(n, 3)``: the parallelogram's corner; for a root's new corner, the previous new vertex."""
    roots = family.root_count
    of_roots = int(is_new[: 3 * roots].sum())
    predicted = np.zeros_like(positions)
    predicted[1:of_roots] = positions[: of_roots - 1]
    new = roots + np.flatnonzero(is_new[3 * roots :])
    parent, edge = family.parent[new], family.edge[new]
    opposite = triangles[parent, (edge + 2) % 3]
    predicted[triangles[new, 2]] = positions[triangles[new, 0]] + positions[triangles[new, 1]] - positions[opposite]
    return predicted


def _positions(triangles: Integers, family: _Family, residuals: Integers, is_new: NDArray[np.bool_]) -> Integers:
    roots = family.root_count
    of_roots = int(is_new[: 3 * roots].sum())
    positions = residuals.copy()
    positions[:of_roots] = np.cumsum(residuals[:of_roots], axis=0) & 0xFFFF
    new_in = is_new[3 * roots :]
    opposite = np.full(len(triangles), -1)
    opposite[roots:] = triangles[family.parent[roots:], (family.edge[roots:] + 2) % 3]
    for begin, end in family.rings:
        new = begin + np.flatnonzero(new_in[begin - roots : end - roots])
        first, second, third = triangles[new].T
        guess = positions[first] + positions[second] - positions[opposite[new]]
        positions[third] = (positions[third] + guess) & 0xFFFF
    return positions


def _predicted_normals(positions: Integers, triangles: Integers) -> Integers:
    """Predicted normals ``(n, 3)``: area-weighted sums, scaled to length 127 and rounded, in integer arithmetic."""
    first, second, third = (positions[triangles[:, corner]] for corner in range(3))
    face = np.cross(second - first, third - first).astype(np.float64)  # exact: below 2**35
    index = triangles.ravel()
    sums = [np.bincount(index, np.repeat(face[:, axis], 3), len(positions)) for axis in range(3)]
    total = np.stack(sums, axis=1).astype(np.int64)
    size = np.abs(total)
    bits = np.frexp(size.max(axis=1).astype(np.float64))[1]
    size >>= np.maximum(0, bits - 30)[:, None]
    squared = (size * size).sum(axis=1)
    length = np.sqrt(squared.astype(np.float64)).astype(np.int64)
    length -= length * length > squared
    length += (length + 1) * (length + 1) <= squared
    length = np.maximum(1, length)[:, None]
    return np.sign(total) * ((2 * NORMAL_STEPS * size + length) // (2 * length))


def _zigzag(values: Integers) -> Integers:
    return np.where(values < 0, -2 * values - 1, 2 * values)


def _unzigzag(values: Integers) -> Integers:
    return (values >> 1) ^ -(values & 1)


def _planes(values: Integers, width: int) -> bytes:
    """All lowest bytes of the values, then all next ones."""
    return values.astype(f"<u{width}").view(np.uint8).reshape(-1, width).T.tobytes()


def _from_planes(source: NDArray[np.uint8], width: int) -> Integers:
    planes = np.ascontiguousarray(source.reshape(width, -1).T)
    return read_only(planes.view(f"<u{width}").ravel().astype(np.int64))
