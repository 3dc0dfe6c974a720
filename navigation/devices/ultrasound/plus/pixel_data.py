"""The pixel data of a sequence, frame by frame: as it is, or one zlib stream."""

from __future__ import annotations

import zlib
from io import BufferedReader
from pathlib import Path

CHUNK_BYTES = 1 << 16


class DamagedDataError(Exception):
    """Why the bytes of a frame cannot be had."""


class PlainData:
    """Uncompressed frames of `frame_bytes` each, read from the file when asked for."""

    def __init__(self, file: Path, offset: int, frame_bytes: int) -> None:
        self._file, self._offset, self._frame_bytes = file, offset, frame_bytes

    def frame(self, index: int) -> bytes:
        """The bytes of a frame; `DamagedDataError` if the file ends before or cannot be read."""
        try:
            with self._file.open("rb") as stream:
                stream.seek(self._offset + index * self._frame_bytes)
                data = stream.read(self._frame_bytes)
        except OSError as error:
            raise DamagedDataError(f"{self._file.name} can no longer be read: {error.strerror}") from error
        if len(data) < self._frame_bytes:
            raise DamagedDataError(f"{self._file.name} ends before the end of frame {index}")
        return data


class CompressedData:
    """Frames in one zlib stream, decompressed as they are asked for.

    No more than a frame is kept in memory. Going forward decompresses each frame once; going back starts from the
    first frame.
    """

    def __init__(self, file: Path, offset: int, frame_bytes: int, count: int) -> None:
        self._file, self._offset, self._frame_bytes, self._count = file, offset, frame_bytes, count
        self._stream: BufferedReader | None = None
        self._decompressor = zlib.decompressobj()
        self._newest: tuple[int, bytes] = (-1, b"")
        self._damage: tuple[int, str] = (count, "")

    def frame(self, index: int) -> bytes:
        """The bytes of a frame; `DamagedDataError` from where the stream ends early or is damaged."""
        if index >= self._damage[0]:
            raise DamagedDataError(self._damage[1])
        if self._stream is None or index < self._newest[0]:
            self._start()
        while self._newest[0] < index:
            following = self._newest[0] + 1
            try:
                self._newest = (following, self._decompress_next(following))
            except (zlib.error, OSError, EOFError) as error:
                self._damage = (following, f"the compressed pixels are damaged in frame {following}: {error}")
                self._stream = None
                raise DamagedDataError(self._damage[1]) from error
        return self._newest[1]

    def _start(self) -> None:
        try:
            self._stream = self._file.open("rb")
            self._stream.seek(self._offset)
        except OSError as error:
            raise DamagedDataError(f"{self._file.name} can no longer be read: {error.strerror}") from error
        self._decompressor, self._newest = zlib.decompressobj(), (-1, b"")

    def _decompress_next(self, index: int) -> bytes:
        data = self._take(self._frame_bytes)
        if len(data) < self._frame_bytes:
            raise EOFError("they end there")
        if index == self._count - 1 and self._take(1):  # the checksum comes after the last frame
            raise EOFError("there are more than the header announces")
        return data

    def _take(self, most: int) -> bytes:
        """The next bytes, fewer than `most` only at the end of the stream."""
        parts, wanted = [], most
        while wanted and not self._decompressor.eof:
            packed = self._decompressor.unconsumed_tail or (self._stream.read(CHUNK_BYTES) if self._stream else b"")
            part = self._decompressor.decompress(packed, wanted)
            if not packed and not part:
                raise EOFError("the file ends before they do")
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)
