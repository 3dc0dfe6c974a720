"""The C# decoder of compressed surfaces: the same bytes as Python's, and the same refusals."""

import hashlib
import struct
import zlib

import numpy as np
import pytest

from geometry.errors import SurgNavError
from geometry.surface import Surface
from scripts.csharp.build import Runtime
from tests.unity_bridge.strategies import bumpy_sphere, tetrahedron
from tests.unity_bridge.surfaces.compressed import SURFACES, encoded, open_half
from unity_bridge.surfaces.compression import compress_surface, decompress_surface

GOOD = compress_surface(encoded(open_half()))
BODY_AT = 16 + struct.unpack_from("<H", GOOD, 16 + 6)[0] + 8  # two names of five bytes, and zeros up to eight


def repacked(packed: bytes, compressed: bytes = GOOD, at: int = BODY_AT) -> bytes:
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    return compressed[:at] + deflate.compress(packed) + deflate.flush()


def restored(probe, inputs: list[bytes]) -> list[str | None]:
    """The hash of what C# makes of each, None where it refuses."""
    return [line["sha256"] for line in probe("restored", inputs)]


def expected(compressed: bytes) -> str | None:
    try:
        return hashlib.sha256(decompress_surface(compressed)).hexdigest()
    except SurgNavError:
        return None


def test_the_place_of_the_body():
    assert repacked(zlib.decompress(GOOD[BODY_AT:], -15)) != b""


def test_the_same_bytes_come_back(probe):
    """Small, large, open, in parts, with wide indices, and with an extent at which single precision would round."""
    surfaces = [*SURFACES, bumpy_sphere(40, 60, 3000.0), tetrahedron(0.001)]
    inputs = [compress_surface(encoded(surface)) for surface in surfaces]
    for surface, line in zip(surfaces, probe("restored", inputs), strict=True):
        assert line["sha256"] == hashlib.sha256(encoded(surface)).hexdigest(), (surface.name, line)
        assert line["same"]


@pytest.mark.parametrize("runtime", [Runtime.DOTNET], ids=["dotnet"])  # Mono does not count
def test_a_second_surface_makes_no_garbage_that_grows_with_it(probe):
    small, large = (compress_surface(encoded(bumpy_sphere(rows, rows))) for rows in (10, 120))
    lines = probe("restored", [large, small, large])
    assert max(line["garbage"] for line in lines) < 2048  # .NET's DeflateStream
    assert lines[0]["garbage"] == lines[1]["garbage"]


def test_random_triangles(probe):
    """Folded, degenerate, three at an edge: whatever has a compressed form comes back."""
    rng = np.random.default_rng(20261125)
    inputs = []
    for _ in range(600):
        count, faces = int(rng.integers(3, 30)), int(rng.integers(1, 40))
        triangles = rng.integers(0, count, (faces, 3), dtype=np.int32)
        compressed = compress_surface(encoded(Surface(rng.normal(0.0, 50.0, (count, 3)), triangles, "ct", "any")))
        inputs += [compressed] if compressed else []
    assert len(inputs) > 20
    assert restored(probe, inputs) == [expected(each) for each in inputs]


def test_both_languages_agree_on_what_a_hostile_server_packs(probe):
    """Damage inside the deflate stream: another payload that both find, or a refusal by both."""
    packed = zlib.decompress(GOOD[BODY_AT:], -15)
    rng = np.random.default_rng(7)
    inputs = []
    for number in range(3000):
        changed = bytearray(packed)
        # Half of them among the children, where most checks are.
        reach = len(packed) if number % 2 else 400
        for at in rng.integers(0, reach, rng.integers(1, 4)):
            changed[at] = rng.integers(0, 256)
        inputs.append(repacked(bytes(changed)))
    came = restored(probe, inputs)
    assert came == [expected(each) for each in inputs]
    assert 100 < sum(each is not None for each in came) < 2900, "too one-sided to tell anything"


def test_both_languages_agree_on_damaged_bytes(probe):
    rng = np.random.default_rng(8)
    small = compress_surface(encoded(tetrahedron()))
    inputs = [small[:length] for length in range(len(small))]
    for _ in range(3000):
        changed = bytearray(small if rng.integers(2) else GOOD)
        for _ in range(rng.integers(1, 3)):
            changed[rng.integers(0, min(len(changed), 120))] = rng.integers(0, 256)
        inputs.append(bytes(changed))
    assert restored(probe, inputs) == [expected(each) for each in inputs]


PACKED = zlib.decompress(GOOD[BODY_AT:], -15)
# Stored blocks, none of them the last one.
WITHOUT_END = b"".join(
    b"\0" + struct.pack("<HH", len(part), len(part) ^ 0xFFFF) + part
    for part in (PACKED[at : at + 60_000] for at in range(0, len(PACKED), 60_000))
)
DAMAGED = {
    "a byte after the end": (GOOD + b"\0", "another size"),
    "many bytes after the end": (GOOD + bytes(50_000), "another size"),
    "the last byte missing": (GOOD[:-1], "another size"),
    "a stream without an end": (GOOD[:BODY_AT] + WITHOUT_END, "another size"),
    "one byte too many inside": (repacked(PACKED + b"\0"), "another size"),
    "one byte too few inside": (repacked(PACKED[:-1]), "another size"),
    "a bomb": (repacked(bytes(2**24)), "another size"),
    "no stream": (GOOD[:BODY_AT] + b"\xff" * 2000, "no deflate"),
    "a raw payload": (encoded(tetrahedron()), "begins with"),
    "another version": (GOOD[:4] + b"\2" + GOOD[5:], "version 2"),
    "no roots": (GOOD[:8] + bytes(4) + GOOD[12:], "parts"),
    "four billion roots": (GOOD[:8] + b"\xff" * 4 + GOOD[12:], "parts"),
    "four billion triangles": (GOOD[: 16 + 12] + b"\xff" * 4 + GOOD[16 + 16 :], "parts"),
    "four billion vertices": (GOOD[: 16 + 8] + b"\xff" * 4 + GOOD[16 + 12 :], "parts"),
}


@pytest.mark.filterwarnings("error")
def test_every_refusal_has_its_reason(probe):
    lines = probe("restored", [data for data, _ in DAMAGED.values()])
    for (name, (data, words)), line in zip(DAMAGED.items(), lines, strict=True):
        assert words in (line["refused"] or ""), (name, line)
        assert expected(data) is None, name


def test_lies_inside_are_named(probe):
    changes = {
        "a fourth edge": (0, 0x0F, "three edges"),
        "children of nobody": (0, 0x00, "without a parent"),
    }
    inputs = []
    for at, value, _ in changes.values():
        inputs.append(repacked(PACKED[:at] + bytes([value]) + PACKED[at + 1 :]))
    for (name, (_, _, words)), line in zip(changes.items(), probe("restored", inputs), strict=True):
        assert words in (line["refused"] or ""), (name, line)
