"""Surfaces to compress, and their payloads as the compression takes and gives them."""

import numpy as np

from geometry.surface import Surface
from tests.unity_bridge.strategies import bumpy_sphere, tetrahedron
from unity_bridge.surfaces.compression import in_wire_order
from unity_bridge.surfaces.payload import encode_surface


def encoded(surface: Surface) -> bytes:
    return encode_surface(in_wire_order(surface)).data


def open_half() -> Surface:
    """With a border, and with a second, separate part."""
    whole = bumpy_sphere(20, 30)
    shifted = Surface(whole.vertices_mm + 300.0, whole.triangles[: len(whole.triangles) // 2], "ct", "half")
    used = np.unique(shifted.triangles)
    part = Surface(shifted.vertices_mm[used], np.searchsorted(used, shifted.triangles).astype(np.int32), "ct", "half")
    other = tetrahedron()
    vertices = np.concatenate([other.vertices_mm, part.vertices_mm])
    return Surface(vertices, np.concatenate([other.triangles, part.triangles + 4]).astype(np.int32), "ct", "two")


SURFACES = [tetrahedron(), bumpy_sphere(), open_half(), bumpy_sphere(260, 260)]
