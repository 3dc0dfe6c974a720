"""Tool geometries as a device takes them."""

from __future__ import annotations

from pathlib import Path

from navigation.devices.ndi.rom import load_rom
from tests.navigation.devices.ndi.lab import rom_bytes


def test_a_device_gets_the_bytes_of_the_file(tmp_path: Path):
    path = tmp_path / "tool.rom"
    path.write_bytes(rom_bytes(8700340))
    loaded = load_rom(path)
    assert len(loaded.rom.markers_tool_mm) == 4
    assert bytes.fromhex("".join(digits for _, digits in loaded.chunks))[:752] == rom_bytes(8700340)
    assert [address for address, _ in loaded.chunks] == list(range(0, 752, 64))
