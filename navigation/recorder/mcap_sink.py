"""One MCAP file that grows at its end only: what was flushed survives the end of the process, what was synced of power.

foxglove-sdk writes the chunks; this file decides when they reach the system and the disk.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from geometry.extras import from_extra
from navigation.errors import RecordingError
from navigation.recorder.forms import Form

_CHUNK_BYTES = 1 << 20


class _Grown:
    """The file as foxglove-sdk sees it; a write that fails is taken back, so that whole chunks remain.

    Attributes:
        written: bytes so far.
        error: the first write that failed.
    """

    def __init__(self, path: Path) -> None:
        self._number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self.written = 0
        self.error: OSError | None = None

    def write(self, data: bytes | bytearray) -> int:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._number, view) :]
        except OSError as error:
            self.error = self.error or error
            os.ftruncate(self._number, self.written)
            os.lseek(self._number, self.written, os.SEEK_SET)
            raise
        self.written += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.written

    def flush(self) -> None:
        """Nothing is buffered here."""

    def sync(self) -> None:
        os.fdatasync(self._number)

    def close(self) -> None:
        os.close(self._number)


class McapSink:
    """Writes messages to topics.

    Args:
        path: a new file; only this user may read it.

    Raises:
        RecordingError: it cannot be made.
        MissingExtraError: foxglove-sdk is not installed.
    """

    def __init__(self, path: Path) -> None:
        with from_extra("navigation"):
            from foxglove import Context, open_mcap
            from foxglove.mcap import MCAPCompression, MCAPWriteOptions
        try:
            self._file = _Grown(path)
        except OSError as error:
            raise failed(path, error) from error
        self._path = path
        self._context = Context()
        self._channels: dict[str, Any] = {}
        options = MCAPWriteOptions(
            profile="surgnav",
            compression=MCAPCompression.Zstd,
            compression_threads=0,
            chunk_size=_CHUNK_BYTES,
            disable_seeking=True,  # a chunk is written whole once it is full, never begun and filled in later
        )
        self._writer = open_mcap(self._file, context=self._context, writer_options=options)

    @property
    def written(self) -> int:
        """Bytes in the file."""
        return self._file.written

    def log(self, topic: str, form: Form, time_ns: int, data: bytes) -> None:
        """Adds one message, which `flush` brings into the file; does nothing after a write has failed.

        Args:
            time_ns: since 1970, as viewers expect it.
        """
        if self._file.error is not None:
            return
        channel = self._channels.get(topic)
        if channel is None:
            with from_extra("navigation"):
                from foxglove import Channel, Schema
            schema = Schema(name=form.schema, encoding=form.schema_encoding, data=form.schema_data)
            channel = Channel(topic, message_encoding=form.message_encoding, schema=schema, context=self._context).base
            self._channels[topic] = channel
        channel.log(data, time_ns)

    def note(self, name: str, values: dict[str, str]) -> None:
        """Adds facts about the whole recording."""
        self._writer.write_metadata(name, values)

    def flush(self) -> None:
        """Ends the chunk and gives it to the system: the end of this process loses nothing of it.

        Raises:
            RecordingError: this or an earlier write failed; the file then ends with the last whole chunk.
        """
        try:
            self._writer.flush()
        except RuntimeError as error:
            raise failed(self._path, self._file.error or error) from error
        if self._file.error is not None:
            raise failed(self._path, self._file.error)

    def sync(self) -> None:
        """Waits until the disk has what was flushed, so that a power cut loses nothing of it; may be slow.

        Raises:
            OSError: the disk says that it has not.
        """
        self._file.sync()

    def close(self) -> None:
        """Writes the index and ends the file.

        Raises:
            RecordingError: that failed; the messages up to the last flush can be read all the same.
        """
        try:
            self._writer.close()
            self._file.sync()
        except (RuntimeError, OSError) as error:
            raise failed(self._path, self._file.error or error) from error
        finally:
            self._file.close()


def failed(path: Path, error: Exception) -> RecordingError:
    """The error of a write to a recording."""
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return RecordingError(f"{path.name}: {why}", "a disk that takes the recording", "free space on it; see docs")
