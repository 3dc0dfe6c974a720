"""The bytes of NDI's combined API: commands, replies in ASCII and in binary, and their checksums.

A command is ``NAME:parameters``, its CRC16 as four hexadecimal digits, and a carriage return. A reply in ASCII ends in
the same way; a reply in binary begins with 0xA5C4 (the low byte first), its length and a CRC16 of these four bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from navigation.devices.ndi.errors import NdiReplyError

CR = 0x0D
BINARY_START = b"\xc4\xa5"
BINARY_HEADER = struct.Struct("<2sHH")
_CRC_DIGITS = 4
# No reply to a command of this driver is longer: 255 handles at 53 bytes.
LONGEST_REPLY = 16_384
_SHOWN = 40


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0xA001 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _crc_table()


def crc16(data: bytes | bytearray) -> int:
    """The checksum of the combined API: polynomial x^16 + x^15 + x^2 + 1, reflected, beginning with 0."""
    value = 0
    for byte in data:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value


def command_bytes(command: str) -> bytes:
    """A command, such as ``PENA:0AD``, as it is sent."""
    text = command.encode("ascii")
    return text + f"{crc16(text):04X}\r".encode("ascii")


@dataclass(frozen=True)
class Reply:
    """One whole reply whose checksum is right.

    Attributes:
        body: without checksum and end; of a binary one, without its header too.
    """

    body: bytes
    is_binary: bool = False

    @property
    def text(self) -> str:
        return self.body.decode("ascii", "replace")


def take_reply(buffer: bytearray) -> Reply | None:
    """Takes the first reply out of what has arrived; None if it is not whole yet.

    Raises:
        NdiReplyError: what came is no reply, or its checksum is wrong; it is taken out of the buffer.
    """
    if buffer[:1] == BINARY_START[:1]:
        return _take_binary(buffer)
    end = buffer.find(CR)
    if end < 0:
        if len(buffer) > LONGEST_REPLY:
            raise _no_reply(buffer, bytes(buffer), "without an end")
        return None
    line = bytes(buffer[:end])
    if b"\n" in line and line.startswith(b"HTTP"):
        raise _no_reply(buffer, line, "of a web server")
    body, digits = line[:-_CRC_DIGITS], line[-_CRC_DIGITS:]
    if digits != f"{crc16(body):04X}".encode("ascii"):
        raise _no_reply(buffer, line, "with a wrong checksum" if line.isascii() else "that is garbage")
    del buffer[: end + 1]
    return Reply(body)


def _take_binary(buffer: bytearray) -> Reply | None:
    if len(buffer) < BINARY_HEADER.size:
        return None
    start, length, header_crc = BINARY_HEADER.unpack_from(buffer)
    if start != BINARY_START or crc16(buffer[:4]) != header_crc or length > LONGEST_REPLY:
        raise _no_reply(buffer, bytes(buffer), "whose header is wrong")
    whole = BINARY_HEADER.size + length + 2
    if len(buffer) < whole:
        return None
    body = bytes(buffer[BINARY_HEADER.size : BINARY_HEADER.size + length])
    (body_crc,) = struct.unpack_from("<H", buffer, BINARY_HEADER.size + length)
    if crc16(body) != body_crc:
        raise _no_reply(buffer, bytes(buffer[:whole]), "with a wrong checksum")
    del buffer[:whole]
    return Reply(body, is_binary=True)


def _no_reply(buffer: bytearray, line: bytes, what: str) -> NdiReplyError:
    buffer.clear()
    return NdiReplyError(
        f"an answer {what}: {shown(line)}",
        "a reply of NDI's combined API",
        "check that an NDI device is at this port, its baud rate and its cable",
    )


def shown(data: bytes) -> str:
    """Bytes of a device as a sentence has them, cut short."""
    return repr(data[:_SHOWN])[1:] + ("..." if len(data) > _SHOWN else "")
