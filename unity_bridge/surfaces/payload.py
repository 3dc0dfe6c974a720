"""Encoding of a surface as bytes: 12 bytes per vertex in the layout of Unity's Mesh API, addressed by its SHA-256.

Positions are UNorm16 in a cube (the same step for all axes, so that the normals stay valid under the cube's uniform
scale), normals SNorm8, indices 16 or 32 bits. Rounding moves a vertex by at most half a step along each axis: 0.004 mm
for an organ of 500 mm. docs/unity_bridge/protocol.md has the byte table.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats, read_only
from geometry.surface import Surface
from unity_bridge.errors import SurfaceRefusedError, UnsupportedVersionError
from unity_bridge.wire.convention import MM_PER_M, UnitySurface, surface_to_unity
from unity_bridge.wire.envelope import decode_frame, decode_text, malformed
from unity_bridge.wire.generated.constants import (
    MAX_PAYLOAD_BYTES,
    NAME_LIMIT_BYTES,
    NORMAL_STEPS,
    POSITION_LIMIT_M,
    POSITION_STEPS,
    SURFACE_HEADER,
    SURFACE_MAGIC,
    SURFACE_MAJOR,
    SURFACE_VERTEX,
)

VERTEX = np.dtype(SURFACE_VERTEX)
HEADER_BYTES = SURFACE_HEADER.size


@dataclass(frozen=True, eq=False)
class SurfacePayload:
    """An encoded surface, and the error of its encoding.

    Attributes:
        data: header, names, vertices, indices.
        sha256: SHA-256 of `data`, hexadecimal.
        name: name of the surface.
        frame: the frame of its vertices.
        vertex_count, triangle_count: numbers of vertices and triangles.
        quantisation_step_mm: step of the positions; the error along each axis is at most half of it.
        error_max_mm: largest distance between a vertex and its decoded position, measured on this surface.
    """

    data: bytes
    sha256: str
    name: str
    frame: str
    vertex_count: int
    triangle_count: int
    quantisation_step_mm: float
    error_max_mm: float


@dataclass(frozen=True, eq=False)
class DecodedSurface:
    """A surface in Unity's convention, and the step of its positions in m."""

    surface: UnitySurface
    quantisation_step_m: float


def encode_surface(surface: Surface) -> SurfacePayload:
    """Converts a surface to Unity's convention, quantises it, and measures the error.

    Raises:
        SurfaceRefusedError: no triangles, a name that is too long, or more than `MAX_PAYLOAD_BYTES`.
    """
    unity = surface_to_unity(surface)
    name, frame = surface.name.encode(), surface.frame.encode()
    count = len(unity.vertices_m)
    if not count or not len(unity.triangles) or len(name) > NAME_LIMIT_BYTES:
        raise SurfaceRefusedError(
            f"the surface '{surface.name}' of {count} vertices and {len(unity.triangles)} triangles",
            f"at least one triangle, and a name of at most {NAME_LIMIT_BYTES} bytes",
            "check its segmentation",
        )
    low = unity.vertices_m.min(axis=0)
    edge = float((unity.vertices_m.max(axis=0) - low).max())
    index = np.dtype("<u2") if count <= POSITION_STEPS else np.dtype("<u4")
    vertices = _quantised(unity, low, edge)
    counts = count, len(unity.triangles)
    sizes = len(name), len(frame)
    head = SURFACE_HEADER.pack(SURFACE_MAGIC, SURFACE_MAJOR, index.itemsize, HEADER_BYTES, *counts, *low, edge, *sizes)
    names = name + frame
    data = b"".join(
        [head, names, bytes(_padding(len(names))), vertices.tobytes(), unity.triangles.astype(index).tobytes()]
    )
    if len(data) > MAX_PAYLOAD_BYTES:
        raise SurfaceRefusedError(
            f"a payload of {len(data)} bytes", f"at most {MAX_PAYLOAD_BYTES} bytes", "simplify the surface"
        )
    error_m = np.linalg.norm(_positions_m(vertices, low, edge) - unity.vertices_m, axis=1).max()
    return SurfacePayload(
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        name=surface.name,
        frame=surface.frame,
        vertex_count=count,
        triangle_count=len(unity.triangles),
        quantisation_step_mm=edge / POSITION_STEPS * MM_PER_M,
        error_max_mm=float(error_m) * MM_PER_M,
    )


def decode_surface(data: bytes | bytearray | memoryview) -> DecodedSurface:
    """Checks and decodes a payload; nothing is allocated before the lengths agree with the data.

    Raises:
        WireError: truncated, another version, sizes that disagree, an index out of range, or an invalid frame name.
    """
    view = memoryview(data).cast("B").toreadonly()
    layout = SurfaceLayout.read(view)
    packed = layout.vertices(view)
    frame = decode_text(view[layout.frame_at : layout.frame_at + layout.frame_bytes], NAME_LIMIT_BYTES)
    surface = UnitySurface(
        vertices_m=read_only(_positions_m(packed, np.array(layout.low_m), layout.edge_m)),
        normals=read_only(packed["normal"][:, :3] / float(NORMAL_STEPS)),
        triangles=read_only(layout.triangles(view)),
        frame=decode_frame(frame),
        name=decode_text(view[layout.names_at : layout.frame_at], NAME_LIMIT_BYTES),
    )
    return DecodedSurface(surface, layout.edge_m / POSITION_STEPS)


@dataclass(frozen=True)
class SurfaceLayout:
    """The layout of a payload, by its header."""

    index_bytes: int
    names_at: int
    vertex_count: int
    triangle_count: int
    low_m: tuple[float, float, float]
    edge_m: float
    name_bytes: int
    frame_bytes: int

    @classmethod
    def read(cls, view: memoryview) -> SurfaceLayout:
        """Reads the layout of a whole payload, and checks it against the payload's length.

        Raises:
            WireError: truncated, another version, or sizes that disagree.
        """
        layout = cls.read_head(view)
        if layout.byte_count != len(view):
            raise malformed(
                f"{layout.vertex_count} vertices and {layout.triangle_count} triangles of {layout.index_bytes}-byte "
                f"indices in {len(view)} bytes",
                "a length that agrees with the counts",
            )
        return layout

    @classmethod
    def read_head(cls, view: memoryview) -> SurfaceLayout:
        """Reads the layout from the first bytes of a payload, without checking the payload's length.

        Raises:
            WireError: truncated, another version, or values out of range.
        """
        if len(view) < HEADER_BYTES:
            raise malformed(f"a surface of {len(view)} bytes", f"at least the {HEADER_BYTES} bytes of a header")
        magic, major, index, head, vertices, triangles, x, y, z, edge, name, frame = SURFACE_HEADER.unpack_from(view)
        if magic != SURFACE_MAGIC:
            raise malformed(f"a surface that begins with {magic!r}", f"{SURFACE_MAGIC!r}")
        if major != SURFACE_MAJOR:
            raise UnsupportedVersionError(
                f"a surface of version {major}", f"version {SURFACE_MAJOR}", "update the older program"
            )
        layout = cls(index, head, vertices, triangles, (x, y, z), edge, name, frame)
        if index not in {2, 4} or head < HEADER_BYTES:
            raise malformed(f"{index}-byte indices and a header of {head}", f"2 or 4 bytes, {HEADER_BYTES} or more")
        # Written so that NaN fails.
        if not (0.0 <= edge < POSITION_LIMIT_M and all(abs(value) < POSITION_LIMIT_M for value in (x, y, z))):
            raise malformed(f"a cube at {(x, y, z)} of edge {edge} m", f"a finite one within {POSITION_LIMIT_M:g} m")
        return layout

    @property
    def frame_at(self) -> int:
        return self.names_at + self.name_bytes

    @property
    def vertices_at(self) -> int:
        return self.frame_at + self.frame_bytes + _padding(self.name_bytes + self.frame_bytes)

    @property
    def indices_at(self) -> int:
        return self.vertices_at + self.vertex_count * VERTEX.itemsize

    @property
    def byte_count(self) -> int:
        """Length of the whole payload by its counts."""
        return self.indices_at + 3 * self.triangle_count * self.index_bytes

    def vertices(self, view: memoryview) -> NDArray[np.void]:
        """The vertices, ``(n,)`` of dtype `VERTEX`, as a view."""
        return np.frombuffer(view, VERTEX, self.vertex_count, self.vertices_at)

    def triangles(self, view: memoryview) -> NDArray[np.int32]:
        """The triangles ``(m, 3)``.

        Raises:
            MalformedMessageError: an index out of range.
        """
        indices = np.frombuffer(view, f"<u{self.index_bytes}", 3 * self.triangle_count, self.indices_at)
        if len(indices) and int(indices.max()) >= self.vertex_count:
            raise malformed(f"the index {int(indices.max())}", f"0 to {self.vertex_count - 1}")
        return indices.astype(np.int32).reshape(-1, 3)


def _quantised(surface: UnitySurface, low_m: Floats, edge_m: float) -> NDArray[np.void]:
    packed = np.zeros(len(surface.vertices_m), VERTEX)
    scale = POSITION_STEPS / edge_m if edge_m else 0.0
    packed["position"][:, :3] = np.rint((surface.vertices_m - low_m) * scale)
    packed["normal"][:, :3] = np.rint(surface.normals * NORMAL_STEPS)
    return packed


def _positions_m(packed: NDArray[np.void], low_m: Floats, edge_m: float) -> Floats:
    return packed["position"][:, :3] * (edge_m / POSITION_STEPS) + low_m


def _padding(length: int) -> int:
    return -length % 4
