"""The envelope and the declared messages: strict where it must be, tolerant where a later minor version needs it."""

import dataclasses
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.clock import ManualClock
from unity_bridge.errors import MalformedMessageError, SurfaceRefusedError, UnsupportedVersionError
from unity_bridge.wire import schema
from unity_bridge.wire.envelope import (
    HEADER_BYTES,
    Header,
    MessageType,
    Session,
    Validity,
    clock_key,
    pack_field,
    pack_message,
    take_fields,
    unpack_fields,
    unpack_message,
)
from unity_bridge.wire.generated.constants import CODES
from unity_bridge.wire.messages import MESSAGES, Error, Hello, SurfaceEntry, Welcome, decode_message, encode_message

SESSION = Session(bytes(range(16)), ManualClock(123_456_789, "monotonic"))
HEADER = Header(int(MessageType.HELLO), 7, -5, clock_key("monotonic"), bytes(range(16)), Validity.SUSPECT)


def hello() -> bytes:
    return encode_message(Hello(client_name="headset", program="test 1"), SESSION, 3)


def values_for(declared: type) -> st.SearchStrategy:
    """Any message of a declared type."""
    text = st.text(max_size=30)
    enums = {enum.__name__: enum for enum in CODES}
    unsigned = {"u32": 2**32 - 1, "u64": 2**64 - 1}

    def value(kind):
        if isinstance(kind, type):
            return values_for(kind)
        if kind.name in enums:
            return st.sampled_from(enums[kind.name])
        if kind.name.startswith("f64["):
            return st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * int(kind.name[4:-1]))
        if kind.name in unsigned:
            return st.integers(0, unsigned[kind.name])
        return {
            "i64": st.integers(-(2**63), 2**63 - 1),
            "f64": st.floats(allow_nan=False, allow_infinity=False),
            "flag": st.booleans(),
            "text": text,
            "blob": st.binary(max_size=50),
            "sha256": st.binary(min_size=32, max_size=32).map(bytes.hex),
            "position": st.tuples(*3 * [st.floats(-1000.0, 1000.0)]),
        }[kind.name]

    fields = {}
    for field in dataclasses.fields(declared):
        each = value(field.metadata["kind"])
        if field.metadata["repeated"]:
            each = st.lists(each, max_size=3).map(tuple)
        elif field.default is None:
            each = st.none() | each
        fields[field.name] = each
    return st.builds(declared, **fields)


@given(st.sampled_from(sorted(MESSAGES)).flatmap(lambda kind: values_for(MESSAGES[kind])))
def test_every_message_round_trips(message):
    header, decoded = decode_message(encode_message(message, SESSION, 9))
    assert decoded == message
    assert (header.sequence, header.capture_ns, header.session_id) == (9, 123_456_789, SESSION.session_id)
    assert MESSAGES[MessageType(header.message_type)] is type(message)


def test_tags_are_declared_once_each():
    declared = {*MESSAGES.values(), SurfaceEntry}
    for kind in declared:
        tags = [field.metadata["tag"] for field in dataclasses.fields(kind)]
        assert len(set(tags)) == len(tags), kind


def test_the_header_by_hand():
    """Against a layout written out here, field by field, as docs/unity_bridge/protocol.md has it."""
    message = pack_message(HEADER, b"body")
    assert len(message) == 64 + 4
    assert message[0:8] == b"SNAV" + bytes([1, 0]) + struct.pack("<H", 32)
    assert message[8:16] == struct.pack("<HHI", 64, 1, 4)
    assert message[16:40] == struct.pack("<QqQ", 7, -5, clock_key("monotonic"))
    assert message[40:56] == bytes(range(16))
    assert message[56:64] == bytes([4, 0, 0, 0, 0, 0, 0, 0])
    header, body = unpack_message(message)
    assert (header, bytes(body)) == (HEADER, b"body")


def test_a_clock_key_by_hand():
    """`printf monotonic | sha256sum` begins with the bytes of this number, lowest first."""
    assert clock_key("monotonic").to_bytes(8, "little").hex() == "f458f8295a83d2b3"


@pytest.mark.parametrize("length", range(HEADER_BYTES + 1))
def test_truncated_messages_are_refused(length):
    message = pack_message(HEADER, b"")
    if length < HEADER_BYTES:
        with pytest.raises(MalformedMessageError):
            unpack_message(message[:length])
    else:
        unpack_message(message[:length])


@pytest.mark.parametrize(
    ("offset", "value", "error"),
    [
        (0, b"SNAX", MalformedMessageError),
        (4, b"\x02", UnsupportedVersionError),
        (4, b"\x00", UnsupportedVersionError),
        (8, struct.pack("<H", 63), MalformedMessageError),
        (8, struct.pack("<H", 65_535), MalformedMessageError),
        (12, struct.pack("<I", 2**32 - 1), MalformedMessageError),
        (56, b"\x05", MalformedMessageError),
    ],
)
def test_bad_headers_are_refused(offset, value, error):
    message = bytearray(hello())
    message[offset : offset + len(value)] = value
    with pytest.raises(error):
        decode_message(bytes(message))


def test_a_later_minor_version_is_understood():
    """A longer header, unknown tags and bytes after the body: all stepped over."""
    body = pack_field(999, b"new") + hello()[HEADER_BYTES:] + pack_field(1000, bytes(100))
    header = bytearray(hello()[:HEADER_BYTES])
    struct.pack_into("<BHHHI", header, 5, 1, 32, HEADER_BYTES + 8, 1, len(body))
    _, message = decode_message(bytes(header) + b"longer.." + body + b"tail")
    assert message == Hello(client_name="headset", program="test 1")


def test_unknown_message_types_are_refused():
    with pytest.raises(MalformedMessageError, match="message type 4711"):
        decode_message(pack_message(dataclasses.replace(HEADER, message_type=4711), b""))


@pytest.mark.parametrize(
    "body",
    [
        b"\x01",
        pack_field(1, b"ab")[:-1],
        pack_field(1, b"a") + b"\x02\x00\xff\xff\xff\xff",
    ],
)
def test_fields_beyond_the_body_are_refused(body):
    with pytest.raises(MalformedMessageError):
        list(unpack_fields(memoryview(body)))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (pack_field(1, b"a"), "without"),
        (pack_field(1, b"a") * 2 + pack_field(2, b"b"), "twice"),
        (pack_field(1, b"\xff\xfe") + pack_field(2, b"b"), "UTF-8"),
        (pack_field(1, b"a" * 1025) + pack_field(2, b"b"), "1025 bytes"),
    ],
)
def test_bad_fields_are_refused(body, complaint):
    with pytest.raises(MalformedMessageError, match=complaint):
        decode_message(pack_message(HEADER, body))


def test_numbers_flags_hashes_and_validities_are_checked():
    for kind, payload in [
        (schema.U32, bytes(3)),
        (schema.F64, struct.pack("<d", float("nan"))),
        (schema.F64, struct.pack("<d", float("inf"))),
        (schema.FLAG, b"\x02"),
        (schema.SHA256, bytes(31)),
        (schema.choice(Validity), b"\x00"),
        (schema.choice(Validity), b"\x05"),
        (schema.choice(Validity), b"\x01\x01"),
        (schema.floats(3), struct.pack("<2d", 1.0, 2.0)),
        (schema.floats(3), struct.pack("<3d", 1.0, 2.0, float("nan"))),
    ]:
        with pytest.raises(MalformedMessageError):
            kind.decode(memoryview(payload))


def test_repetitions_are_bounded():
    welcome = Welcome(
        server_name="s",
        program="p",
        clock_id="c",
        rate_hz=100.0,
        last_pose_sequence=0,
        registration_id="",
        registration_validity=Validity.LOST,
    )
    header = dataclasses.replace(HEADER, message_type=int(MessageType.WELCOME))
    body = schema.encode(welcome) + pack_field(9, b"tool") * (schema.REPEAT_LIMIT + 1)
    with pytest.raises(MalformedMessageError, match="more than"):
        decode_message(pack_message(header, body))


def test_take_fields_takes_each_wanted_field_once():
    body = memoryview(pack_field(1, b"a") + pack_field(7, b"x") + pack_field(7, b"y"))
    assert {tag: bytes(payload) for tag, payload in take_fields(body, (1,)).items()} == {1: b"a"}
    with pytest.raises(MalformedMessageError, match="twice"):
        take_fields(body, (7,))


def test_a_refusal_travels_with_its_three_answers():
    error = SurfaceRefusedError("c" * 5000, "allowed", "action")
    _, sent = decode_message(encode_message(Error.of(error, 12), SESSION, 1))
    assert (sent.code, len(sent.came), sent.answers_sequence) == ("SurfaceRefused", 200, 12)
    assert "allowed" in str(sent.as_exception())


def test_a_session_id_has_sixteen_bytes():
    with pytest.raises(MalformedMessageError):
        Session(b"short", ManualClock())
