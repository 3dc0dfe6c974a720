"""Reads MCAP files (https://mcap.dev/spec), also those that were never closed or are damaged, within bounds.

A recording that ends with the power or with its process has no index and may end in the middle of a record: everything
up to there is read. A chunk that does not agree with its checksum is left out; of what follows it, the topics that are
known are read. No length in the file is believed before it was compared with what is there.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from geometry.extras import from_extra

_MAGIC = b"\x89MCAP0\r\n"
_HEAD = struct.Struct("<BQ")
_CHUNK_HEAD = struct.Struct("<QQQI")
_MESSAGE = struct.Struct("<HIQQ")
_SCHEMA, _CHANNEL, _MESSAGE_CODE, _CHUNK, _METADATA, _DATA_END = 0x03, 0x04, 0x05, 0x06, 0x0C, 0x0F
# The largest thing that we record is a surface of 256 MiB; a longer record is a damaged length.
MOST_RECORD_BYTES = 1 << 29


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message.

    Attributes:
        topic, schema, encoding: of its channel; `schema` is the schema's name, empty without one.
        time_ns: when it was recorded.
    """

    topic: str
    schema: str
    encoding: str
    time_ns: int
    data: bytes


@dataclass(frozen=True)
class _Channel:
    topic: str
    schema: str
    encoding: str


class _DamageError(ValueError):
    """What is there cannot be what was written."""


class McapMessages:
    """The messages of a file in the order of writing; iterate once, then ask what was wrong.

    Attributes:
        metadata: name -> facts about the whole recording, as far as it was read.
        faults: what is damaged, each with its place; empty if nothing is.
        is_closed: whether the recording was ended in order. One that was not lacks its last moments.
    """

    def __init__(self, path: Path) -> None:
        self.metadata: dict[str, dict[str, str]] = {}
        self.faults: list[str] = []
        self.is_closed = False
        self._path = path
        self._schemas: dict[int, str] = {0: ""}
        self._channels: dict[int, _Channel] = {}

    def __iter__(self) -> Iterator[StoredMessage]:
        """Yields each message.

        Raises:
            OSError: the file cannot be read.
            MissingExtraError: it is compressed, and the packages for that are not installed.
        """
        with self._path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if stream.read(len(_MAGIC)) != _MAGIC:
                self.faults.append("it does not begin as MCAP does")
                return
            yield from self._records(stream, size)

    def _records(self, stream: BinaryIO, size: int) -> Iterator[StoredMessage]:
        checksum = zlib.crc32(_MAGIC)
        while len(head := stream.read(_HEAD.size)) == _HEAD.size:
            at = stream.tell() - _HEAD.size
            code, length = _HEAD.unpack(head)
            if length > size - stream.tell():
                return  # it was cut here
            if code == 0 or length > MOST_RECORD_BYTES:
                self.faults.append(f"byte {at} begins no record")
                return
            body = stream.read(length)
            if code == _DATA_END:
                self._end(stream, body, checksum)
                return
            checksum = zlib.crc32(body, zlib.crc32(head, checksum))
            try:
                if code == _CHUNK:
                    yield from self._chunk(body)
                else:
                    yield from self._record(code, memoryview(body))
            except (ValueError, struct.error) as error:
                self.faults.append(f"byte {at}: {error}")

    def _end(self, stream: BinaryIO, body: bytes, checksum: int) -> None:
        """Takes the end of the data; the index that follows it is not needed, only its last bytes."""
        stated = int.from_bytes(body[:4], "little")
        if len(body) != 4 or (stated and stated != checksum):
            self.faults.append("the data do not agree with their checksum")
        rest = stream.read(MOST_RECORD_BYTES)
        self.is_closed = rest.endswith(_MAGIC)

    def _chunk(self, body: bytes) -> list[StoredMessage]:
        """The messages of a chunk, all of them or an error."""
        cursor = _Cursor(memoryview(body))
        _, _, size, checksum = cursor.take(_CHUNK_HEAD)
        compression = cursor.text()
        content = _unpacked(compression, cursor.block(*cursor.take(_U64)), size)
        if len(content) != size or (checksum and zlib.crc32(content) != checksum):
            raise _DamageError("a chunk that does not agree with its checksum")
        messages: list[StoredMessage] = []
        view, at = memoryview(content), 0
        while at < size:
            code, length = _HEAD.unpack_from(view, at)
            at += _HEAD.size
            if length > size - at:
                raise _DamageError("a chunk that ends in the middle of a record")
            messages += self._record(code, view[at : at + length])
            at += length
        return messages

    def _record(self, code: int, body: memoryview) -> list[StoredMessage]:
        if code == _MESSAGE_CODE:
            number, _, time_ns, _ = _MESSAGE.unpack_from(body)
            channel = self._channels.get(number)
            if channel is None:
                raise _DamageError("a message of a channel that is not known")
            data = bytes(body[_MESSAGE.size :])
            return [StoredMessage(channel.topic, channel.schema, channel.encoding, time_ns, data)]
        cursor = _Cursor(body)
        if code == _SCHEMA:
            (number,) = cursor.take(_U16)
            self._schemas[number] = cursor.text()
        elif code == _CHANNEL:
            number, schema = cursor.take(_U16X2)
            if schema not in self._schemas:
                raise _DamageError("a channel of a schema that is not known")
            channel = _Channel(cursor.text(), self._schemas[schema], cursor.text())
            if self._channels.setdefault(number, channel) != channel:
                raise _DamageError("a channel that was another one before")
        elif code == _METADATA:
            name = cursor.text()
            self.metadata[name] = cursor.texts()
        return []


_U16, _U16X2, _U32, _U64 = struct.Struct("<H"), struct.Struct("<HH"), struct.Struct("<I"), struct.Struct("<Q")


class _Cursor:
    """Takes fields one after another, none beyond the end."""

    def __init__(self, view: memoryview) -> None:
        self._view, self._at = view, 0

    def take(self, layout: struct.Struct) -> tuple[int, ...]:
        values = layout.unpack_from(self._view, self._at)
        self._at += layout.size
        return values

    def block(self, length: int) -> memoryview:
        if length > len(self._view) - self._at:
            raise _DamageError("a length that is beyond the end")
        self._at += length
        return self._view[self._at - length : self._at]

    def text(self) -> str:
        return str(self.block(*self.take(_U32)), "utf-8")

    def texts(self) -> dict[str, str]:
        (length,) = self.take(_U32)
        pairs = _Cursor(self.block(length))
        texts: list[str] = []
        while pairs._at < length:
            texts.append(pairs.text())
        return dict(zip(texts[::2], texts[1::2], strict=True))


def _unpacked(compression: str, data: memoryview, size: int) -> bytes:
    """The content of a chunk; `size` is what it says to need.

    Raises:
        _DamageError: it cannot be unpacked into so many bytes.
    """
    if size > MOST_RECORD_BYTES:
        raise _DamageError(f"a chunk of {size} bytes")
    if compression == "":
        return bytes(data)
    with from_extra("replay"):
        import lz4.frame
        import zstandard
    try:
        if compression == "lz4":
            return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=size + 1))
        if compression == "zstd":
            if zstandard.frame_content_size(data) not in (-1, size):
                raise _DamageError("a chunk whose sizes do not agree")
            return zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
    except (zstandard.ZstdError, RuntimeError) as error:
        raise _DamageError(f"a chunk that cannot be unpacked ({error})") from error
    raise _DamageError(f"a chunk with the compression {compression!r}")
