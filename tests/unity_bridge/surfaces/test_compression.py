"""Compressed surfaces: the same bytes come back, and bytes that lie are refused before they cost memory."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.errors import SurgNavError
from geometry.surface import Surface
from tests.unity_bridge.strategies import bumpy_sphere, tetrahedron
from tests.unity_bridge.surfaces.compressed import SURFACES, encoded, open_half
from unity_bridge.errors import MalformedMessageError, UnsupportedVersionError, WireError
from unity_bridge.surfaces.compression import compress_surface, decompress_surface, in_wire_order
from unity_bridge.surfaces.payload import encode_surface


@pytest.mark.parametrize("surface", SURFACES, ids=["tetrahedron", "sphere", "open and in two parts", "wide indices"])
def test_the_same_bytes_come_back(surface):
    data = encoded(surface)
    assert decompress_surface(compress_surface(data)) == data


@pytest.mark.parametrize("surface", SURFACES[:3], ids=["tetrahedron", "sphere", "open and in two parts"])
def test_wire_order_is_the_same_surface(surface):
    ordered = in_wire_order(surface)

    def corners(each):
        """Triangles as sorted rows of coordinates, each turned to begin with its least corner, which keeps winding."""
        points = each.vertices_mm[each.triangles]
        least = np.array([min(range(3), key=lambda k, t=t: tuple(t[k])) for t in points])
        turned = np.take_along_axis(points, ((least[:, None] + np.arange(3)) % 3)[:, :, None], axis=1).reshape(-1, 9)
        return turned[np.lexsort(turned.T)]

    np.testing.assert_array_equal(corners(ordered), corners(surface))
    np.testing.assert_array_equal(in_wire_order(ordered).triangles, ordered.triangles)


def test_a_smooth_surface_is_a_tenth_of_its_floats():
    """The bar is 4 on organs (benchmarks/unity_bridge/bench_wire_surfaces.py); a smooth one does better."""
    surface = bumpy_sphere()
    floats = 12 * len(surface.vertices_mm) + 12 * len(surface.triangles)
    assert len(compress_surface(encoded(surface))) * 10 < floats


def test_pinched_surfaces_have_a_compressed_form_too():
    """Four triangles at an edge, and two bodies that touch in a corner: what simplifying leaves of a thin part."""
    one, other = tetrahedron(), tetrahedron(70.0)
    away = other.vertices_mm * [-1.0, -1.0, 1.0]  # turned about z, along which both have an edge
    triangles = np.concatenate([one.triangles, other.triangles + 4])
    triangles[triangles == 4] = 0
    in_a_corner = Surface(np.concatenate([one.vertices_mm, away]), triangles, "ct", "corner")
    at_an_edge = np.where(triangles == 7, 3, triangles)
    for surface in (in_a_corner, Surface(in_a_corner.vertices_mm, at_an_edge, "ct", "edge")):
        used, corners = np.unique(surface.triangles, return_inverse=True)
        clean = Surface(surface.vertices_mm[used], corners.reshape(-1, 3).astype(np.int32), "ct", surface.name)
        data = encoded(clean)
        assert decompress_surface(compress_surface(data)) == data


def test_another_order_has_no_compressed_form():
    surface = bumpy_sphere()
    shuffled = np.random.default_rng(1).permutation(surface.triangles)
    assert compress_surface(encode_surface(Surface(surface.vertices_mm, shuffled, "ct", "shuffled")).data) is None


@given(st.integers(3, 30), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_triangles_come_back_or_have_no_compressed_form(count, faces, seed):
    """Random triangles: folded, degenerate, with three at an edge."""
    rng = np.random.default_rng(seed)
    triangles = rng.integers(0, count, (faces, 3), dtype=np.int32)
    data = encoded(Surface(rng.normal(0.0, 50.0, (count, 3)), triangles, "ct", "any"))
    compressed = compress_surface(data)
    if compressed is None:
        assert len(np.unique(triangles)) < count  # only for vertices that no triangle uses
    else:
        assert decompress_surface(compressed) == data


@pytest.mark.parametrize(
    ("at", "layout", "value"),
    [
        (0, "4s", b"SNSF"),
        (6, "H", 65_535),
        (8, "I", 0),
        (8, "I", 2),
        (12, "I", 2**32 - 1),
        (16 + 5, "B", 3),
        (16 + 8, "I", 2**32 - 1),
        (16 + 12, "I", 2**32 - 1),
        (16 + 48, "H", 65_535),
    ],
)
def test_headers_that_lie_are_refused(at, layout, value):
    changed = bytearray(compress_surface(encoded(tetrahedron())))
    struct.pack_into("<" + layout, changed, at, value)
    with pytest.raises(MalformedMessageError):
        decompress_surface(changed)


def test_another_version_is_refused():
    changed = bytearray(compress_surface(encoded(tetrahedron())))
    changed[4] = 2
    with pytest.raises(UnsupportedVersionError):
        decompress_surface(changed)


def test_a_bomb_is_not_inflated():
    """A small stream that would unpack to 64 MB, behind a header that admits to little."""
    good = compress_surface(encoded(tetrahedron()))
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = good[: 16 + 72] + deflate.compress(bytes(2**26)) + deflate.flush()
    with pytest.raises(MalformedMessageError, match="another size"):
        decompress_surface(bomb)


def test_every_truncation_is_refused():
    compressed = compress_surface(encoded(tetrahedron()))
    for length in range(len(compressed)):
        with pytest.raises(WireError):
            decompress_surface(compressed[:length])


@given(st.integers(0, 2**32 - 1))
def test_what_was_packed_may_be_anything(seed):
    """Damage inside the deflate stream, as a hostile server would pack it: an error, or some payload."""
    compressed = compress_surface(encoded(open_half()))
    head = 16 + 56 + 8
    packed = bytearray(zlib.decompress(compressed[head:], -15))
    rng = np.random.default_rng(seed)
    for at in rng.integers(0, len(packed), rng.integers(1, 6)):
        packed[at] = rng.integers(0, 256)
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    try:
        decompress_surface(compressed[:head] + deflate.compress(bytes(packed)) + deflate.flush())
    except SurgNavError:
        return
