"""A file that was cut anywhere, or in which bits have turned, gives nothing but messages that were written into it."""

import struct
import tempfile
import zlib
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcap.writer import CompressionType, Writer

from navigation.devices.replay.mcap_messages import McapMessages, StoredMessage

PER_CHUNK = 4
EXPECTED = [
    StoredMessage(f"/{n % 3}", "schema" if n % 3 else "", "json", 1_000 + n, b'{"n": %d}' % n * (1 + n % 5))
    for n in range(20)
]
ALL = pytest.mark.parametrize("compression", list(CompressionType))


@cache
def written(compression: CompressionType) -> tuple[bytes, tuple[int, ...]]:
    """A file by the mcap library, and how long it was after each of its chunks."""
    with tempfile.TemporaryFile() as stream:
        writer = Writer(stream, compression=compression)
        writer.start("surgnav", "tests")
        writer.add_metadata("about", {"epoch_ns": "7", "part": "1"})
        schema = writer.register_schema("schema", "jsonschema", b"{}")
        channels = {f"/{n}": writer.register_channel(f"/{n}", "json", schema if n else 0) for n in range(3)}
        ends = []
        for n, message in enumerate(EXPECTED, start=1):
            writer.add_message(channels[message.topic], message.time_ns, message.data, message.time_ns)
            if n % PER_CHUNK == 0:
                writer.flush()
                ends.append(stream.tell())
        writer.finish()
        stream.seek(0)
        return stream.read(), tuple(ends)


def read(path: Path, content: bytes) -> tuple[list[StoredMessage], McapMessages]:
    path.write_bytes(content)
    stored = McapMessages(path)
    return list(stored), stored


@ALL
def test_a_whole_file_is_read_whole(tmp_path: Path, compression: CompressionType):
    messages, stored = read(tmp_path / "a.mcap", written(compression)[0])
    assert messages == EXPECTED
    assert (stored.faults, stored.is_closed) == ([], True)
    assert stored.metadata == {"about": {"epoch_ns": "7", "part": "1"}}


@ALL
def test_wherever_it_is_cut_all_that_was_flushed_before_is_read(tmp_path: Path, compression: CompressionType):
    whole, ends = written(compression)
    for cut in range(8, len(whole)):
        messages, stored = read(tmp_path / "a.mcap", whole[:cut])
        flushed = PER_CHUNK * sum(end <= cut for end in ends)
        assert len(messages) >= flushed, cut  # the index of a chunk may be missing
        assert messages == EXPECTED[: len(messages)], cut
        assert not stored.is_closed, cut
        assert not stored.faults, cut


@pytest.mark.parametrize("cut", range(8))
def test_what_is_shorter_than_its_mark_is_no_recording(tmp_path: Path, cut: int):
    messages, stored = read(tmp_path / "a.mcap", written(CompressionType.NONE)[0][:cut])
    assert (messages, stored.faults) == ([], ["it does not begin as MCAP does"])


@given(st.sampled_from(list(CompressionType)), st.lists(st.integers(0, 1 << 20), min_size=1, max_size=4), st.data())
def test_turned_bits_make_no_message_that_was_not_written(compression: CompressionType, places: list[int], data):
    whole, _ = written(compression)
    content = bytearray(whole)
    for place in places:
        content[place % len(content)] ^= 1 << data.draw(st.integers(0, 7))
    with tempfile.TemporaryDirectory() as folder:
        messages, stored = read(Path(folder) / "a.mcap", bytes(content))
    left = iter(EXPECTED)
    assert all(message in left for message in messages)  # in the order of writing, each once
    if messages != EXPECTED:
        assert stored.faults or not stored.is_closed


@pytest.mark.parametrize("length", [1 << 20, 1 << 40, (1 << 64) - 1])
def test_no_length_is_believed(tmp_path: Path, length: int):
    """The mcap library asks for so much memory; a chunk states three lengths, each of which may be damaged."""
    start = written(CompressionType.ZSTD)[0][:8]
    messages, _ = read(tmp_path / "a.mcap", start + struct.pack("<BQ", 0x06, length) + bytes(100))
    assert messages == []
    text = b"\x04\0\0\0zstd"
    for size, stored_bytes in ((length, 8), (8, length)):
        body = (
            struct.pack("<QQQI", 0, 0, size, zlib.crc32(bytes(8))) + text + struct.pack("<Q", stored_bytes) + bytes(8)
        )
        messages, stored = read(tmp_path / "a.mcap", start + struct.pack("<BQ", 0x06, len(body)) + body)
        assert messages == []
        assert len(stored.faults) == 1


def test_a_chunk_that_is_damaged_is_left_out_and_the_rest_is_read(tmp_path: Path):
    whole, ends = written(CompressionType.NONE)
    content = bytearray(whole)
    at = whole.index(EXPECTED[9].data, ends[1])
    content[at + 2] ^= 4
    messages, stored = read(tmp_path / "a.mcap", bytes(content))
    assert messages == EXPECTED[:8] + EXPECTED[12:]
    assert [fault.split(": ")[1] for fault in stored.faults] == ["a chunk that does not agree with its checksum"]
    assert stored.is_closed
