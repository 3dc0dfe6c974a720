"""Messages of every kind and version as bytes and back, however the stream was split; and damage of every kind."""

import struct
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navigation.devices.openigtlink.crc import crc64
from navigation.devices.openigtlink.errors import LinkError
from navigation.devices.openigtlink.framing import HEADER_BYTES, FrameStream, Message, pack, unpack
from navigation.devices.openigtlink.messages import (
    Position,
    Status,
    Text,
    TransformMatrix,
    content_of,
)
from tests.navigation.devices.openigtlink.contents import contents, same, whole_messages

TRANSFORM = Message(TransformMatrix.of(np.eye(4)), "StylusToTracker", 1_700_000_000_123_456_789)


@given(st.binary(max_size=700))
@settings(max_examples=30, deadline=None)
def test_the_crc_is_that_of_the_polynomial_bit_by_bit(data: bytes) -> None:
    register = 0
    for byte in data:
        register ^= byte << 56
        for _ in range(8):
            register = (register << 1) ^ (0x142F0E1EBA9EA3693 if register >> 63 else 0)
    assert crc64(data) == register


@pytest.mark.parametrize("size", [2**20 - 1, 2**20, 2**20 + 1, 2 * 2**20 + 77])
def test_the_crc_of_long_data_is_that_of_its_parts(size: int) -> None:
    """A message followed by its own CRC has the CRC 0."""
    data = np.random.default_rng(size).bytes(size)
    assert crc64(data + crc64(data).to_bytes(8, "big")) == 0
    assert crc64(data) == crc64(bytes(5) + data) != 0


@given(whole_messages())
@settings(max_examples=120, deadline=None)
def test_what_is_packed_is_what_is_unpacked(message: Message) -> None:
    (frame,) = FrameStream().feed(pack(message))
    back = unpack(frame)
    assert same(back.content, message.content)
    assert (back.device_name, back.stamp_ns) == (message.device_name, message.stamp_ns)
    assert (back.version, back.message_id, back.metadata) == (message.version, message.message_id, message.metadata)


@given(st.lists(whole_messages(), min_size=1, max_size=4), st.lists(st.integers(0, 400), max_size=12))
@settings(max_examples=30, deadline=None)
def test_a_stream_split_anywhere_gives_the_same_messages(sent: list[Message], cuts: list[int]) -> None:
    stream = b"".join(map(pack, sent))
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    reader = FrameStream()
    frames = [frame for start, end in pairwise(edges) for frame in reader.feed(stream[start:end])]
    assert frames == FrameStream().feed(stream)
    assert len(frames) == len(sent)
    assert reader.is_between


@given(st.sampled_from([2, 3]), st.data())
@settings(max_examples=100, deadline=None)
def test_a_flipped_bit_is_the_named_error_or_another_name_or_time_never_another_pose(
    version: int, data: st.DataObject
) -> None:
    whole = bytearray(pack(Message(TRANSFORM.content, TRANSFORM.device_name, TRANSFORM.stamp_ns, version)))
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[bit // 8] ^= 1 << (bit % 8)
    try:
        frames = FrameStream().feed(whole)
        read = [unpack(frame).content for frame in frames]
    except LinkError:
        return
    assert bit < 8 * HEADER_BYTES, "the CRC is of the body, and finds every flipped bit there"
    assert all(content == TRANSFORM.content for content in read if isinstance(content, TransformMatrix))


@given(contents, st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=4), st.integers())
@settings(max_examples=120, deadline=None)
def test_a_damaged_body_with_a_right_crc_is_content_or_the_named_error(
    content: object, changes: list[tuple[int, int]], cut: int
) -> None:
    body = bytearray(content.pack())  # type: ignore[attr-defined]
    for place, change in changes if body else []:
        body[place % len(body)] ^= change
    for damaged in (body, body[: cut % (len(body) + 1)]):
        try:
            content_of(content.type_name, bytes(damaged))  # type: ignore[attr-defined]
        except LinkError:
            continue


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_bytes_that_are_no_openigtlink_are_the_named_error_or_wait_for_more(noise: bytes) -> None:
    try:
        frames = FrameStream().feed(noise)
    except LinkError:
        return
    assert frames == []


def test_a_header_that_claims_a_terabyte_takes_no_memory() -> None:
    header = bytearray(pack(TRANSFORM)[:HEADER_BYTES])
    header[42:50] = (2**40).to_bytes(8, "big")
    tracemalloc.start()
    try:
        with pytest.raises(LinkError, match="1099511627776"):
            FrameStream().feed(header)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_claim_within_bounds_takes_no_memory_before_the_bytes_come() -> None:
    header = bytearray(pack(TRANSFORM)[:HEADER_BYTES])
    header[42:50] = (2**27).to_bytes(8, "big")
    reader = FrameStream()
    tracemalloc.start()
    try:
        assert reader.feed(header) == []
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["POLYDATA", "NDARRAY", "IMAGE"])
def test_content_that_claims_more_than_its_body_takes_no_memory(kind: str) -> None:
    body = {
        "POLYDATA": struct.pack(">10I", 2**32 - 1, *[2**32 - 4] * 8, 2**32 - 1),
        "NDARRAY": struct.pack(">BB4H", 11, 4, *[65535] * 4),
        "IMAGE": struct.pack(">HBBBB3H12f3H3H", 1, 255, 11, 1, 1, *[65535] * 3, *[0.0] * 12, 0, 0, 0, *[65535] * 3),
    }[kind]
    tracemalloc.start()
    try:
        with pytest.raises(LinkError, match=kind):
            content_of(kind, body)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "message",
    [
        Message(Text("x" * 65_536), "a"),
        Message(Text("x"), "a device of 21 bytes."),
        Message(Text("x"), "a", version=4),
        Message(Text("x"), "a", version=2, metadata={"key": "value"}),
        Message(Text("x"), "a", stamp_ns=-1),
        Message(Text("\ud800"), "a"),
        Message(TransformMatrix((1e39, *[0.0] * 11)), "a"),
        Message(Status(70_000), "a"),
    ],
)
def test_what_openigtlink_cannot_carry_is_refused_before_it_is_sent(message: Message) -> None:
    with pytest.raises(LinkError):
        pack(message)


def test_the_short_position_has_the_quaternion_that_its_length_leaves() -> None:
    body = struct.pack(">6f", 1.0, 2.0, 3.0, 0.6, 0.0, 0.0)
    read = content_of("POSITION", body)
    assert isinstance(read, Position)
    assert read.quaternion == pytest.approx((0.6, 0.0, 0.0, 0.8), abs=1e-7)
