"""NDI's .rom files: which tell a tracker where the spheres of a tool are. Read and written.

The format is not published; what stands here holds for every file that was at hand. Files are rebuilt from what is
read, to the byte; bytes that nobody explained are the same in all of them, and are written as they were found.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.tool_geometry.errors import RomFileError
from geometry.points import Floats, as_points

Vector = tuple[float, float, float]
_MAGIC = b"NDI\x00"
_BYTES = 752
_CHECKSUM_AT, _SUMMED_FROM = 4, 6
_SUB_TYPE_AT, _MAIN_TYPE_AT, _REVISION_AT, _STAMP_AT, _ANGLE_AT = 12, 15, 16, 20, 24
_MARKERS_AT, _LEAST_AT, _ERROR_AT, _POSITIONS_AT, _NORMALS_AT = 28, 32, 36, 72, 312
_ORDER_AT, _MAKER_AT, _PART_AT, _PART_END = 552, 580, 592, 612
_IN_FACE_AT, _IN_GROUP_AT, _FACE_AT = 613, 633, 656
# Constant in every file at hand.
_CONSTANTS: tuple[tuple[int, bytes], ...] = (
    (8, b"\x01"),
    (64, struct.pack("<f", 10.0)),
    (572, b"\x1f\x1f\x1f\x1f\x09"),
    (612, b"\x09"),
    (653, b"\x80\x00\x29"),
)
_MARKERS_MAX = 20
# The longest that a device takes.
LARGEST_BYTES = 1024


@dataclass(frozen=True, kw_only=True)
class Rom:
    """A tool geometry.

    Attributes:
        part: the part number in it, such as ``8700340``, up to 20 characters.
        markers_tool_mm: the designed positions of its markers in the tool's own frame.
        normals_tool: the direction that each marker is seen from best; zero for spheres, which are seen from all sides.
        face_normal: of the one face that all markers belong to.
        least_markers: how many of them a pose needs.
        maximum_error_mm: how far a marker may be off its design.
        maximum_angle_deg: how far from its normal a marker may be seen.
        main_type, sub_type: of the tool, by NDI's numbers: 1 reference, 2 pointer; 0 unknown.
        revision: of the tool.
        stamp: its sequence number (the lowest 10 bits) and date, packed as NDI does.
        maker: who made it, up to 12 characters.
    """

    part: str
    markers_tool_mm: tuple[Vector, ...]
    normals_tool: tuple[Vector, ...]
    face_normal: Vector = (0.0, 0.0, 1.0)
    least_markers: int = 3
    maximum_error_mm: float = 0.75
    maximum_angle_deg: int = 90
    main_type: int = 0
    sub_type: int = 0
    revision: int = 0
    stamp: int = 1
    maker: str = "NDI"

    @property
    def markers_array_mm(self) -> Floats:
        """`markers_tool_mm` as ``(n, 3)``."""
        return np.array(self.markers_tool_mm, dtype=np.float64).reshape(-1, 3)

    @property
    def content(self) -> bytes:
        """The file."""
        content = bytearray(_BYTES)
        content[:4] = _MAGIC
        for at, constant in _CONSTANTS:
            content[at : at + len(constant)] = constant
        count = len(self.markers_tool_mm)
        content[_SUB_TYPE_AT], content[_MAIN_TYPE_AT] = self.sub_type, self.main_type
        content[_ANGLE_AT], content[_MARKERS_AT], content[_LEAST_AT] = self.maximum_angle_deg, count, self.least_markers
        struct.pack_into("<H", content, _REVISION_AT, self.revision)
        struct.pack_into("<I", content, _STAMP_AT, self.stamp)
        struct.pack_into("<f", content, _ERROR_AT, self.maximum_error_mm)
        for at, vectors in ((_POSITIONS_AT, self.markers_tool_mm), (_NORMALS_AT, self.normals_tool)):
            struct.pack_into(f"<{3 * count}f", content, at, *(value for vector in vectors for value in vector))
        content[_ORDER_AT : _ORDER_AT + count] = bytes(range(count))
        for at in (_IN_FACE_AT, _IN_GROUP_AT):
            content[at : at + count] = b"\x01" * count
        content[_MAKER_AT : _MAKER_AT + len(self.maker)] = self.maker.encode("ascii")
        content[_PART_AT : _PART_AT + len(self.part)] = self.part.encode("ascii")
        struct.pack_into("<3f", content, _FACE_AT, *self.face_normal)
        struct.pack_into("<H", content, _CHECKSUM_AT, sum(content[_SUMMED_FROM:]) & 0xFFFF)
        return bytes(content)


def rom_of_spheres(spheres_tool_mm: Floats, part: str, *, main_type: int = 0) -> Rom:
    """The geometry of a tool with spheres ``(n, 3)``, as NDI's trackers take it.

    Raises:
        RomFileError: fewer than 3 or more than 20 spheres, or a part number that the format cannot hold.
        InvalidPointsError: points that are none.
    """
    spheres = as_points(spheres_tool_mm, "spheres")
    if not 3 <= len(spheres) <= _MARKERS_MAX:
        raise RomFileError(f"{len(spheres)} spheres", f"3 to {_MARKERS_MAX}", "leave some out, or add some")
    if not part.isascii() or not part.isprintable() or not 1 <= len(part) <= _PART_END - _PART_AT:
        raise RomFileError(f"the part number {part!r}", "1 to 20 ASCII characters", "name it shorter")
    markers = tuple((x, y, z) for x, y, z in spheres.astype(np.float32).tolist())
    return Rom(part=part, markers_tool_mm=markers, normals_tool=((0.0, 0.0, 0.0),) * len(markers), main_type=main_type)


def parse_rom(content: bytes, name: str) -> Rom:
    """Reads a tool geometry from the bytes of the file `name`.

    Raises:
        RomFileError: it is none of NDI's, or its checksum is wrong.
    """
    if not content.startswith(_MAGIC):
        raise _no_rom(name, "which does not begin as a .rom file does")
    if not _BYTES <= len(content) <= LARGEST_BYTES:
        raise _no_rom(name, f"with {len(content):,} bytes")
    (stated,) = struct.unpack_from("<H", content, _CHECKSUM_AT)
    if sum(content[_SUMMED_FROM:]) & 0xFFFF != stated:
        raise _no_rom(name, "whose checksum is wrong")
    count = content[_MARKERS_AT]
    if count > _MARKERS_MAX:
        raise _no_rom(name, f"with {count} markers")
    positions, normals = (_vectors(content, at, count) for at in (_POSITIONS_AT, _NORMALS_AT))
    return Rom(
        part=_text(content[_PART_AT:_PART_END]),
        markers_tool_mm=positions,
        normals_tool=normals,
        face_normal=_vectors(content, _FACE_AT, 1)[0],
        least_markers=content[_LEAST_AT],
        maximum_error_mm=struct.unpack_from("<f", content, _ERROR_AT)[0],
        maximum_angle_deg=content[_ANGLE_AT],
        main_type=content[_MAIN_TYPE_AT],
        sub_type=content[_SUB_TYPE_AT],
        revision=struct.unpack_from("<H", content, _REVISION_AT)[0],
        stamp=struct.unpack_from("<I", content, _STAMP_AT)[0],
        maker=_text(content[_MAKER_AT:_PART_AT]),
    )


def read_rom(path: Path) -> Rom:
    """Reads a tool geometry.

    Raises:
        RomFileError: it cannot be read, is none of NDI's, or its checksum is wrong.
    """
    return parse_rom(read_rom_bytes(path), path.name)


def read_rom_bytes(path: Path) -> bytes:
    """The bytes of the file, which a device wants as they are.

    Raises:
        RomFileError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise _no_rom(path.name, (error.strerror or str(error)).lower()) from error


def _vectors(content: bytes, at: int, count: int) -> tuple[Vector, ...]:
    return tuple(struct.unpack_from("<3f", content, at + 12 * marker) for marker in range(count))


def _text(field: bytes) -> str:
    return field.split(b"\x00")[0].decode("ascii", "replace")


def _no_rom(name: str, why: str) -> RomFileError:
    return RomFileError(
        f"the tool geometry {name}, {why}",
        f"a .rom file of NDI's, of at most {LARGEST_BYTES} bytes",
        "export it anew from NDI's 6D Architect, or copy it again in binary",
    )
