"""The envelope of messages, wire version 1: a fixed little-endian header of 64 bytes, then tagged fields.

docs/unity_bridge/protocol.md has the byte tables. All input is treated as hostile: each length is checked against the
buffer before anything is allocated, and views are returned instead of copies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from geometry.clock import Clock
from geometry.errors import InvalidFrameError
from geometry.frames import check_frame
from unity_bridge.errors import MalformedMessageError, UnsupportedVersionError
from unity_bridge.wire.generated.constants import (
    FIELD_HEAD,
    FLAG_UNITY_CONVENTION,
    MESSAGE_HEADER,
    SESSION_BYTES,
    VALIDITY_CODES,
    WIRE_MAGIC,
    WIRE_MAJOR,
    WIRE_MINOR,
    MessageType,
    Validity,
)

HEADER_BYTES = MESSAGE_HEADER.size
FIELD_BYTES = FIELD_HEAD.size
NO_SESSION = bytes(SESSION_BYTES)

# Zero means that a message states no validity: memory that was never written can not be read as valid.
HEADER_VALIDITY_CODES: dict[Validity | None, int] = {None: 0} | {each: VALIDITY_CODES[each] for each in Validity}
VALIDITIES: dict[int, Validity | None] = {code: validity for validity, code in HEADER_VALIDITY_CODES.items()}
TOOL_VALIDITIES: dict[int, Validity] = {code: validity for code, validity in VALIDITIES.items() if validity is not None}


def clock_key(clock_id: str) -> int:
    """The header's 8-byte id of a clock: the first 8 bytes of SHA-256 of its readable name, little-endian."""
    return int.from_bytes(hashlib.sha256(clock_id.encode()).digest()[:8], "little")


@dataclass(frozen=True)
class Header:
    """The fixed part of every message.

    Attributes:
        message_type: number of the message's type.
        sequence: number of the message among the sender's on this socket, from 1; a gap means a lost message.
        capture_ns: for poses, the time at which the sensor measured; else the time at which the message was made; on
            the clock `clock`.
        clock: `clock_key` of the sender's clock. Times of different clocks must not be subtracted.
        session_id: 16 random bytes per start of the server; all zero from a client that was not welcomed yet.
        validity: validity of the message as a whole; None if it states none.
        flags: bits as in docs/unity_bridge/protocol.md.
        minor: minor version of the sender.
    """

    message_type: int
    sequence: int
    capture_ns: int
    clock: int
    session_id: bytes = NO_SESSION
    validity: Validity | None = None
    flags: int = FLAG_UNITY_CONVENTION
    minor: int = WIRE_MINOR


def pack_header(header: Header, body_bytes: int) -> bytes:
    """The header's bytes, for a message whose fields take `body_bytes`."""
    return MESSAGE_HEADER.pack(
        WIRE_MAGIC,
        WIRE_MAJOR,
        header.minor,
        header.message_type,
        HEADER_BYTES,
        header.flags,
        body_bytes,
        header.sequence,
        header.capture_ns,
        header.clock,
        header.session_id,
        HEADER_VALIDITY_CODES[header.validity],
    )


def pack_message(header: Header, body: bytes) -> bytes:
    """The bytes of one message: header and fields."""
    return pack_header(header, len(body)) + body


def unpack_message(message: bytes | memoryview) -> tuple[Header, memoryview]:
    """Splits a message into its header and a view of its fields.

    The additional bytes of a longer header (of a later minor version), and bytes after the body, are ignored.

    Raises:
        MalformedMessageError: truncated, not a SurgNav message, or an unknown validity.
        UnsupportedVersionError: another major version.
    """
    view = memoryview(message).cast("B")
    if len(view) < HEADER_BYTES:
        raise malformed(f"a message of {len(view)} bytes", f"at least the {HEADER_BYTES} bytes of a header")
    magic, major, minor, kind, header_bytes, flags, body_bytes, sequence, capture_ns, clock, session, validity = (
        MESSAGE_HEADER.unpack_from(view)
    )
    if magic != WIRE_MAGIC:
        raise malformed(f"a message that begins with {magic!r}", f"{WIRE_MAGIC!r}")
    if major != WIRE_MAJOR:
        raise UnsupportedVersionError(
            f"a message of wire version {major}.{minor}",
            f"major version {WIRE_MAJOR}",
            "use programs of one major version",
        )
    if header_bytes < HEADER_BYTES or header_bytes + body_bytes > len(view):
        raise malformed(
            f"a header of {header_bytes} and a body of {body_bytes} bytes in a message of {len(view)}",
            f"a header of at least {HEADER_BYTES} bytes, and both within the message",
        )
    if validity not in VALIDITIES:
        raise malformed(f"validity code {validity}", f"one of {sorted(VALIDITIES)}")
    header = Header(kind, sequence, capture_ns, clock, session, VALIDITIES[validity], flags, minor)
    return header, view[header_bytes : header_bytes + body_bytes]


def pack_field(tag: int, payload: bytes) -> bytes:
    """One tagged field: tag u16, length u32, payload."""
    return FIELD_HEAD.pack(tag, len(payload)) + payload


def unpack_fields(body: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yields (tag, payload view) in order; the caller skips unknown tags.

    Raises:
        MalformedMessageError: a field that reaches beyond the body.
    """
    at = 0
    while at < len(body):
        if len(body) - at < FIELD_BYTES:
            raise malformed(f"{len(body) - at} stray bytes after the last field", "whole fields")
        tag, length = FIELD_HEAD.unpack_from(body, at)
        at += FIELD_BYTES
        if length > len(body) - at:
            raise malformed(f"field {tag} of {length} bytes where {len(body) - at} are left", "fields within the body")
        yield tag, body[at : at + length]
        at += length


def take_fields(body: memoryview, wanted: Collection[int]) -> dict[int, memoryview]:
    """The wanted fields by tag; all others are skipped.

    Raises:
        MalformedMessageError: a field that comes twice, or reaches beyond the body.
    """
    taken: dict[int, memoryview] = {}
    for tag, payload in unpack_fields(body):
        if tag in taken:
            raise malformed(f"field {tag} twice", "once")
        if tag in wanted:
            taken[tag] = payload
    return taken


def decode_text(payload: memoryview, limit: int) -> str:
    """Decodes UTF-8 of at most `limit` bytes.

    Raises:
        MalformedMessageError: too long, or not UTF-8.
    """
    if len(payload) > limit:
        raise malformed(f"a text of {len(payload)} bytes", f"at most {limit}")
    try:
        return str(payload, "utf-8")
    except UnicodeDecodeError as error:
        raise malformed(f"a text that is not UTF-8 ({error.reason})", "UTF-8") from error


@dataclass(frozen=True)
class Session:
    """One run of a server, or a client's view of it.

    Attributes:
        session_id: 16 random bytes per start of the server; `NO_SESSION` for a client that was not welcomed yet.
        clock: stamps the messages.

    Raises:
        MalformedMessageError: an id of another length.
    """

    session_id: bytes
    clock: Clock

    def __post_init__(self) -> None:
        if len(self.session_id) != SESSION_BYTES:
            raise MalformedMessageError(
                f"a session id of {len(self.session_id)} bytes", f"{SESSION_BYTES} bytes", "pass uuid4().bytes"
            )

    @cached_property
    def _clock_key(self) -> int:
        return clock_key(self.clock.clock_id)  # cached: hashing for each pose batch would be a tenth of its latency

    def header(
        self,
        message_type: MessageType,
        sequence: int,
        capture_ns: int | None = None,
        validity: Validity | None = None,
    ) -> Header:
        """A header on this session's clock, stamped now unless `capture_ns` is given."""
        stamp = self.clock.now_ns() if capture_ns is None else capture_ns
        return Header(message_type, sequence, stamp, self._clock_key, self.session_id, validity)


def decode_frame(text: str) -> str:
    """Returns the name of a frame that a peer sent, if it is valid.

    Raises:
        MalformedMessageError: the name is not valid.
    """
    try:
        return check_frame(text)
    except InvalidFrameError as error:
        raise malformed(f"the frame {text[:64]!r}", error.allowed) from error


def malformed(came: str, allowed: str) -> MalformedMessageError:
    """The error for bytes that break the format; the caller raises it."""
    return MalformedMessageError(came, allowed, "drop the message; if it comes again, compare both sides' versions")
