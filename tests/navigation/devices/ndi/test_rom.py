"""Tool geometries: NDI's own files, and files that are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from navigation.devices.ndi.errors import RomFileError
from navigation.devices.ndi.rom import LARGEST_BYTES, read_rom
from tests.navigation.devices.ndi.lab import rom_bytes


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
        assert bytes.fromhex("".join(digits for _, digits in rom.chunks))[: len(rom.content)] == rom.content
        assert [address for address, _ in rom.chunks] == list(range(0, 752, 64))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "does not begin"),
        (b"<html>" + bytes(800), "does not begin"),
        (rom_bytes(1)[:400], "400 bytes"),
        (rom_bytes(1) + bytes(LARGEST_BYTES), "1,776 bytes"),
        (rom_bytes(1)[:-1] + b"\x01", "checksum"),
        (rom_bytes(1).replace(b"\0\0\0\0\0\0\n", b"\0\0\0\0\0\r\n", 1) + b"\x0d", "checksum"),
        (rom_bytes(1, 21), "21 markers"),
    ],
)
def test_what_is_no_geometry_is_refused(tmp_path: Path, content: bytes, why: str):
    path = tmp_path / "tool.rom"
    path.write_bytes(content)
    with pytest.raises(RomFileError, match=why):
        read_rom(path)


def test_a_geometry_that_is_away_is_refused(tmp_path: Path):
    with pytest.raises(RomFileError, match="no such file"):
        read_rom(tmp_path / "away.rom")
