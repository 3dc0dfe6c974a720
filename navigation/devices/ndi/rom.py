"""Tool geometries as a device takes them: the bytes of NDI's .rom files, checked and cut into commands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calibration.tool_geometry.rom import Rom, parse_rom, read_rom_bytes

# What one command carries.
CHUNK_BYTES = 64


@dataclass(frozen=True)
class LoadedRom:
    """A tool geometry, and the bytes of its file, which go to the device as they are."""

    rom: Rom
    content: bytes

    @property
    def chunks(self) -> tuple[tuple[int, str], ...]:
        """What is sent: addresses, and 64 bytes each in hexadecimal digits; the last is filled up with zeros."""
        whole = self.content + bytes(-len(self.content) % CHUNK_BYTES)
        return tuple(
            (address, whole[address : address + CHUNK_BYTES].hex().upper())
            for address in range(0, len(whole), CHUNK_BYTES)
        )


def load_rom(path: Path) -> LoadedRom:
    """Reads a tool geometry.

    Raises:
        RomFileError: the file cannot be read, is none of NDI's, or its checksum is wrong.
    """
    content = read_rom_bytes(path)
    return LoadedRom(parse_rom(content, path.name), content)
