"""Reads tool geometries: NDI's .rom files, which tell a tracker where the markers of a tool are.

The format is not published; what is read here holds for every file that was at hand, and the checksum is checked.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from navigation.devices.ndi.errors import RomFileError

_MAGIC = b"NDI\x00"
_CHECKSUM_AT, _SUMMED_FROM = 4, 6
_MARKERS_AT, _POSITIONS_AT, _MARKERS_MAX = 28, 72, 20
_PART_AT, _PART_END = 592, 612
# The longest that a device takes, and what one command carries.
LARGEST_BYTES, CHUNK_BYTES = 1024, 64


@dataclass(frozen=True)
class Rom:
    """A tool geometry.

    Attributes:
        content: the file.
        part: the part number in it, such as ``8700340``.
        markers_tool_mm: the designed positions of its markers in the tool's own frame.
    """

    content: bytes
    part: str
    markers_tool_mm: tuple[tuple[float, float, float], ...]

    @property
    def chunks(self) -> tuple[tuple[int, str], ...]:
        """What is sent: addresses, and 64 bytes each in hexadecimal digits; the last is filled up with zeros."""
        whole = self.content + bytes(-len(self.content) % CHUNK_BYTES)
        return tuple(
            (address, whole[address : address + CHUNK_BYTES].hex().upper())
            for address in range(0, len(whole), CHUNK_BYTES)
        )


def read_rom(path: Path) -> Rom:
    """Reads a tool geometry.

    Raises:
        RomFileError: it cannot be read, is none of NDI's, or its checksum is wrong.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _no_rom(path, (error.strerror or str(error)).lower()) from error
    if not content.startswith(_MAGIC):
        raise _no_rom(path, "which does not begin as a .rom file does")
    if not _PART_END <= len(content) <= LARGEST_BYTES:
        raise _no_rom(path, f"with {len(content):,} bytes")
    (stated,) = struct.unpack_from("<H", content, _CHECKSUM_AT)
    if sum(content[_SUMMED_FROM:]) & 0xFFFF != stated:
        raise _no_rom(path, "whose checksum is wrong")
    count = content[_MARKERS_AT]
    if count > _MARKERS_MAX:
        raise _no_rom(path, f"with {count} markers")
    markers = tuple(struct.unpack_from("<3f", content, _POSITIONS_AT + 12 * marker) for marker in range(count))
    part = content[_PART_AT:_PART_END].split(b"\x00")[0].decode("ascii", "replace")
    return Rom(content, part, markers)


def _no_rom(path: Path, why: str) -> RomFileError:
    return RomFileError(
        f"the tool geometry {path.name}, {why}",
        f"a .rom file of NDI's, of at most {LARGEST_BYTES} bytes",
        "export it anew from NDI's 6D Architect, or copy it again in binary",
    )
