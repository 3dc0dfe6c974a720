"""Levels of detail of a surface, coarse first: encoding at the server, and checks at the client."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from geometry.surface import Surface
from unity_bridge.errors import SurfaceRefusedError
from unity_bridge.surfaces.compression import compress_surface, in_wire_order
from unity_bridge.surfaces.glb import surface_to_glb
from unity_bridge.surfaces.payload import SurfacePayload, encode_surface
from unity_bridge.wire.envelope import malformed
from unity_bridge.wire.generated.constants import MAX_LEVELS
from unity_bridge.wire.messages import SurfaceEntry, SurfaceLevel


@dataclass(frozen=True, eq=False)
class EncodedLevel:
    """One level in all forms in which it can be pulled.

    Attributes:
        payload: the uncompressed payload.
        deviation_max_mm, deviation_p95_mm: measured deviation from the full surface; 0 for the full surface.
        compressed, glb: the other forms; None where it is not offered in them.
    """

    payload: SurfacePayload
    deviation_max_mm: float = 0.0
    deviation_p95_mm: float = 0.0
    compressed: bytes | None = None
    glb: bytes | None = None

    def describe(self) -> SurfaceLevel:
        """The entry of this level in the manifest."""
        payload = self.payload
        return SurfaceLevel(
            sha256=payload.sha256,
            vertex_count=payload.vertex_count,
            triangle_count=payload.triangle_count,
            byte_count=len(payload.data),
            quantisation_step_mm=payload.quantisation_step_mm,
            deviation_max_mm=self.deviation_max_mm,
            deviation_p95_mm=self.deviation_p95_mm,
            compressed_sha256=_sha256(self.compressed),
            compressed_byte_count=len(self.compressed or b""),
            glb_sha256=_sha256(self.glb),
            glb_byte_count=len(self.glb or b""),
        )

    def blobs(self) -> dict[str, bytes]:
        """The bytes of every form, by their SHA-256, hexadecimal."""
        forms = [(self.payload.sha256, self.payload.data)]
        forms += [(hashlib.sha256(form).hexdigest(), form) for form in (self.compressed, self.glb) if form is not None]
        return dict(forms)


def encode_level(
    surface: Surface, deviation_max_mm: float = 0.0, deviation_p95_mm: float = 0.0, *, glb: bool = True
) -> EncodedLevel:
    """Encodes a level in all forms: the payload in wire order, compressed where that is smaller, and as GLB.

    Args:
        surface: the level's surface, right-handed, in mm.
        deviation_max_mm, deviation_p95_mm: measured between this level and the full surface; 0 for the full surface.
        glb: whether to make the GLB, which takes twice as many bytes as the payload.

    Raises:
        SurfaceRefusedError: no triangles, a name that is too long, or more than `MAX_PAYLOAD_BYTES`.
    """
    payload = encode_surface(in_wire_order(surface) if len(surface.triangles) else surface)
    compressed = compress_surface(payload.data)
    if compressed is not None and len(compressed) >= len(payload.data):
        compressed = None
    file = surface_to_glb(surface) if glb else None
    return EncodedLevel(payload, deviation_max_mm, deviation_p95_mm, compressed, file)


def make_entry(levels: Sequence[EncodedLevel], approval: str, approved_by: str) -> SurfaceEntry:
    """The entry of a surface in the manifest: the full surface, for clients without levels, and each level.

    Args:
        levels: coarse first; the last is the full surface.
        approval, approved_by: as for `SurfaceServer.offer`.

    Raises:
        SurfaceRefusedError: levels of different surfaces, too many levels, or levels in another order.
    """
    described = tuple(level.describe() for level in levels)
    names = {(level.payload.name, level.payload.frame) for level in levels}
    problem = "levels of different surfaces" if len(names) > 1 else _problem(described)
    if problem:
        raise SurfaceRefusedError(
            f"levels of {[level.triangle_count for level in described]} triangles: {problem}",
            f"1 to {MAX_LEVELS} of one surface, coarse first, with measured deviations, the last the full one",
            "pass the levels of one surface from coarse to fine",
        )
    full, payload = described[-1], levels[-1].payload
    return SurfaceEntry(
        name=payload.name,
        sha256=full.sha256,
        vertex_count=full.vertex_count,
        triangle_count=full.triangle_count,
        byte_count=full.byte_count,
        quantisation_step_mm=full.quantisation_step_mm,
        frame=payload.frame,
        approval=approval,
        approved_by=approved_by,
        levels=described,
    )


def levels_of(entry: SurfaceEntry) -> tuple[SurfaceLevel, ...]:
    """The levels of a surface, coarse first; from a server without levels, only the full surface.

    Raises:
        MalformedMessageError: levels that contradict one another or the entry.
    """
    full = SurfaceLevel(
        sha256=entry.sha256,
        vertex_count=entry.vertex_count,
        triangle_count=entry.triangle_count,
        byte_count=entry.byte_count,
        quantisation_step_mm=entry.quantisation_step_mm,
        deviation_max_mm=0.0,
        deviation_p95_mm=0.0,
    )
    if not entry.levels:
        return (full,)
    last = entry.levels[-1]
    same = all(
        getattr(last, name) == getattr(full, name)
        for name in ("sha256", "vertex_count", "triangle_count", "byte_count", "quantisation_step_mm")
    )
    problem = _problem(entry.levels) if same else "the last is not the surface itself"
    if problem:
        raise malformed(
            f"{len(entry.levels)} levels of '{entry.name}': {problem}",
            f"1 to {MAX_LEVELS}, coarse first, the last the full surface",
        )
    return entry.levels


def _problem(levels: Sequence[SurfaceLevel]) -> str:
    """What is wrong with levels, in words; empty if nothing is."""
    if not 1 <= len(levels) <= MAX_LEVELS:
        return f"{len(levels)} of them"
    if any(coarse.triangle_count >= fine.triangle_count for coarse, fine in pairwise(levels)):
        return "triangles that do not grow"
    if any(not 0.0 <= level.deviation_p95_mm <= level.deviation_max_mm for level in levels):
        return "deviations that cannot be"
    if levels[-1].deviation_max_mm != 0.0:
        return "a full surface that deviates from itself"
    if any((level.compressed_sha256 is None) != (level.compressed_byte_count == 0) for level in levels):
        return "a compressed form without its size"
    if any((level.glb_sha256 is None) != (level.glb_byte_count == 0) for level in levels):
        return "a GLB without its size"
    return ""


def _sha256(data: bytes | None) -> str | None:
    return None if data is None else hashlib.sha256(data).hexdigest()
