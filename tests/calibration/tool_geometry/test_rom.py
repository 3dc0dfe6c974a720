"""NDI's .rom files: real ones read and rebuilt to the byte, made here and read back, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.tool_geometry.errors import RomFileError
from calibration.tool_geometry.rom import LARGEST_BYTES, parse_rom, read_rom, rom_of_spheres
from tests.geometry.strategies import points_mm

SPHERES_MM = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 50.0], [0.0, 25.0, 100.0], [0.0, -25.0, 135.0]])


def test_the_markers_of_real_geometries_are_those_of_their_text_files(shared_data: Path):
    """Of 8700338 the course's text file says y = 28.28 for the second marker, its .rom 25.28: the .rom is tracked."""
    folder = shared_data / "tracking/mphy0026/ndi_geometries"
    paths = sorted(folder.glob("*.rom"))
    assert len(paths) == 5
    for path in paths:
        rom = read_rom(path)
        stated = np.loadtxt(path.with_suffix(".txt"))
        if path.stem == "8700338":
            stated[1, 1] = 25.28
        np.testing.assert_allclose(rom.markers_tool_mm, stated, atol=0.006)
        assert rom.part == path.stem


def test_real_geometries_are_rebuilt_to_the_byte_from_what_is_read(shared_data: Path):
    for path in (shared_data / "tracking/mphy0026/ndi_geometries").glob("*.rom"):
        assert read_rom(path).content == path.read_bytes()


@given(st.lists(points_mm, min_size=3, max_size=20), st.text("ABC-_0123456789", min_size=1, max_size=20))
def test_what_is_written_is_read(spheres: list[np.ndarray], part: str):
    rom = rom_of_spheres(np.array(spheres), part, main_type=2)
    read = parse_rom(rom.content, "made.rom")
    assert read == rom
    np.testing.assert_allclose(read.markers_tool_mm, spheres, rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize(
    ("spheres", "part", "why"),
    [
        (SPHERES_MM[:2], "8700340", "2 spheres"),
        (np.arange(63.0).reshape(21, 3), "8700340", "21 spheres"),
        (SPHERES_MM, "x" * 21, "part number"),
        (SPHERES_MM, "Zeiger für L5", "part number"),
        (SPHERES_MM, "", "part number"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(spheres: np.ndarray, part: str, why: str):
    with pytest.raises(RomFileError, match=why):
        rom_of_spheres(spheres, part)


def changed(at: int, value: int) -> bytes:
    content = bytearray(rom_of_spheres(SPHERES_MM, "8700340").content)
    content[at] = value
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "does not begin"),
        (b"<html>" + bytes(800), "does not begin"),
        (rom_of_spheres(SPHERES_MM, "1").content[:400], "400 bytes"),
        (rom_of_spheres(SPHERES_MM, "1").content + bytes(LARGEST_BYTES), "1,776 bytes"),
        (changed(-1, 1), "checksum"),
        (changed(80, 1), "checksum"),
        (changed(28, 21), "checksum"),
    ],
)
def test_what_is_no_geometry_is_refused(tmp_path: Path, content: bytes, why: str):
    path = tmp_path / "tool.rom"
    path.write_bytes(content)
    with pytest.raises(RomFileError, match=why):
        read_rom(path)


def test_more_markers_than_the_format_has_are_refused():
    content = bytearray(changed(28, 21))
    content[4:6] = (sum(content[6:]) & 0xFFFF).to_bytes(2, "little")
    with pytest.raises(RomFileError, match="21 markers"):
        parse_rom(bytes(content), "tool.rom")


def test_a_geometry_that_is_away_is_refused(tmp_path: Path):
    with pytest.raises(RomFileError, match="no such file"):
        read_rom(tmp_path / "away.rom")
