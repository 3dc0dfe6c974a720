"""The bytes of the combined API: checksums, framing, and what is no reply."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from navigation.devices.ndi.errors import NdiReplyError
from navigation.devices.ndi.wire import LONGEST_REPLY, command_bytes, crc16, take_reply
from tests.navigation.devices.ndi.fake_device import FakeDevice, crc


@pytest.mark.parametrize(
    ("text", "digits"), [("INIT:", "E3A5"), ("OKAY", "A896"), ("RESET", "BE6F"), ("VER:0", "65EE")]
)
def test_checksums_are_those_in_public_programs(text: str, digits: str):
    """As ndicapi's source has them in its own commands and replies."""
    assert command_bytes(text) == f"{text}{digits}\r".encode()


@given(st.binary(max_size=200))
def test_the_table_agrees_with_the_polynomial(data: bytes):
    assert crc16(data) == crc(data)


def test_a_reply_is_whole_only_with_its_last_byte():
    device = FakeDevice()
    [okay] = device.answer(command_bytes("INIT:")[:-1])
    device.mode = "tracking"
    [frame] = device.answer(command_bytes("BX:0003")[:-1])
    for answer in (okay, frame):
        buffer = bytearray()
        for byte in answer[:-1]:
            buffer.append(byte)
            assert take_reply(buffer) is None
        buffer.append(answer[-1])
        reply = take_reply(buffer)
        assert reply is not None
        assert not buffer
        assert reply.is_binary is (answer is frame)
        assert reply.body in answer


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_what_is_documented(data: bytes):
    buffer, reply = bytearray(data), None
    with suppress(NdiReplyError):
        reply = take_reply(buffer)
    assert bytes(buffer) in (b"", data) or reply is not None


def test_what_never_ends_is_refused_before_it_fills_the_memory():
    with pytest.raises(NdiReplyError, match="without an end"):
        take_reply(bytearray(b"\x55" * (LONGEST_REPLY + 1)))


def test_one_flipped_bit_anywhere_is_noticed():
    device = FakeDevice()
    device.mode = "tracking"
    [frame] = device.answer(command_bytes("BX:0003")[:-1])
    for bit in range(8 * len(frame)):
        flipped = bytearray(frame)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            reply = take_reply(flipped)
        except NdiReplyError:
            continue
        assert reply is None  # a length or a start that says that more is to come
