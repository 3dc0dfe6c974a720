"""Wire v1, the envelope: a fixed little-endian header of 64 bytes, then tagged fields that can be skipped.

docs/protocol.md holds the byte tables. Everything here treats its input as hostile: each length is checked against
the buffer before anything is made from it, and views are handed out rather than copies.
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

# Zero means "says nothing about validity": memory that nobody filled in can never read as valid.
HEADER_VALIDITY_CODES: dict[Validity | None, int] = {None: 0} | {each: VALIDITY_CODES[each] for each in Validity}
VALIDITIES: dict[int, Validity | None] = {code: validity for validity, code in HEADER_VALIDITY_CODES.items()}
TOOL_VALIDITIES: dict[int, Validity] = {code: validity for code, validity in VALIDITIES.items() if validity is not None}


def clock_key(clock_id: str) -> int:
    """The header's 8-byte name of a clock: the first bytes of SHA-256 of its readable name, little-endian."""
    return int.from_bytes(hashlib.sha256(clock_id.encode()).digest()[:8], "little")


@dataclass(frozen=True)
class Header:
    """The fixed part of every message.

    Attributes:
        sequence: counts this sender's messages on this socket from 1; a gap is a loss.
        capture_ns: when the sensor saw it (poses), else when the message was made; on the clock `clock`.
        clock: `clock_key` of the sender's clock. Times of different clocks must not be subtracted.
        session_id: 16 bytes drawn anew whenever the server starts; all zero from a client not yet welcomed.
        validity: of the message as a whole; None where it says nothing.
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
    """The first bytes of a message whose fields take `body_bytes`."""
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
    """The bytes of one message."""
    return pack_header(header, len(body)) + body


def unpack_message(message: bytes | memoryview) -> tuple[Header, memoryview]:
    """Splits a message into its header and a view of its fields.

    A longer header (a later minor version's) and bytes after the body are ignored.

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
    """Yields (tag, payload view) in order; unknown tags are the caller's to skip.

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
    """The wanted fields by tag, each at most once; all others are skipped."""
    taken: dict[int, memoryview] = {}
    for tag, payload in unpack_fields(body):
        if tag in taken:
            raise malformed(f"field {tag} twice", "once")
        if tag in wanted:
            taken[tag] = payload
    return taken


def decode_text(payload: memoryview, limit: int) -> str:
    """UTF-8 of at most `limit` bytes."""
    if len(payload) > limit:
        raise malformed(f"a text of {len(payload)} bytes", f"at most {limit}")
    try:
        return str(payload, "utf-8")
    except UnicodeDecodeError as error:
        raise malformed(f"a text that is not UTF-8 ({error.reason})", "UTF-8") from error


@dataclass(frozen=True)
class Session:
    """One run of a server, or a client's side of it.

    Attributes:
        session_id: 16 random bytes per start of the server; `NO_SESSION` at a client not yet welcomed.
        clock: stamps what is sent.
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
        return clock_key(self.clock.clock_id)  # a hash for each pose batch would be a tenth of its latency

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
    """Returns the name of a frame that a peer has sent, if it can be one."""
    try:
        return check_frame(text)
    except InvalidFrameError as error:
        raise malformed(f"the frame {text[:64]!r}", error.allowed) from error


def malformed(came: str, allowed: str) -> MalformedMessageError:
    """The error for bytes that break the format; the caller raises it."""
    return MalformedMessageError(came, allowed, "drop the message; if it comes again, compare both sides' versions")
