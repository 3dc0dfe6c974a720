"""Every message but the poses, declared once: this file is the schema of wire v1 (poses have their own layout).

Texts hold up to 1,024 bytes of UTF-8. Times are integer nanoseconds on the clock that the message's header names.
"""

from __future__ import annotations

from dataclasses import dataclass

from geometry.errors import SurgNavError
from unity_bridge.errors import PeerRefusedError, SurfaceRefusedError
from unity_bridge.schema import BLOB, F64, FLAG, I64, SHA256, TEXT, U32, U64, VALIDITY, Declared, decode, encode, tagged
from unity_bridge.wire import Header, MessageType, Session, Validity, malformed, pack_message, unpack_message


@dataclass(frozen=True, kw_only=True)
class Hello:
    """A client presents itself; the answer is a Welcome or an Error."""

    client_name: str = tagged(1, TEXT)
    program: str = tagged(2, TEXT)


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """The full state for a client that joins, whenever it does.

    Attributes:
        clock_id: readable name of the server's clock; equal ids are one time scale.
        rate_hz: how often pose batches are sent.
        last_pose_sequence: the newest pose batch at this moment, 0 before the first.
        registration_validity: of what all poses stand on; the reason if it is not valid.
        research_session: unapproved surfaces may be shown; the client must say so on screen.
    """

    server_name: str = tagged(1, TEXT)
    program: str = tagged(2, TEXT)
    clock_id: str = tagged(3, TEXT)
    rate_hz: float = tagged(4, F64)
    last_pose_sequence: int = tagged(5, U64)
    registration_id: str = tagged(6, TEXT)
    registration_validity: Validity = tagged(7, VALIDITY)
    registration_reason: str = tagged(8, TEXT, default="")
    tools: tuple[str, ...] = tagged(9, TEXT, repeated=True)
    surfaces: tuple[str, ...] = tagged(10, SHA256, repeated=True)
    research_session: bool = tagged(11, FLAG, default=False)
    notice: str = tagged(12, TEXT, default="")


@dataclass(frozen=True, kw_only=True)
class ClockRequest:
    """First of four timestamps, on the client's clock."""

    client_sent_ns: int = tagged(1, I64)


@dataclass(frozen=True, kw_only=True)
class ClockReply:
    """Timestamps one to three; the client takes the fourth when the reply is in its hands."""

    client_sent_ns: int = tagged(1, I64)
    server_received_ns: int = tagged(2, I64)
    server_sent_ns: int = tagged(3, I64)


@dataclass(frozen=True, kw_only=True)
class ReceivedSurface:
    """A surface as a client holds it, checked against its hash and decoded."""

    sha256: str = tagged(1, SHA256)
    name: str = tagged(2, TEXT)
    vertex_count: int = tagged(3, U32)
    triangle_count: int = tagged(4, U32)
    byte_count: int = tagged(5, U64)
    seconds: float = tagged(6, F64)


@dataclass(frozen=True, kw_only=True)
class ClientReport:
    """What a client received. Latencies: sensor stamp to decoded, on the server's clock; absent without batches."""

    batches_received: int = tagged(1, U64)
    poses_lost: int = tagged(2, U64)
    first_sequence: int = tagged(3, U64, default=0)
    last_sequence: int = tagged(4, U64, default=0)
    messages_refused: int = tagged(5, U64, default=0)
    latency_p50_ms: float | None = tagged(6, F64, default=None)
    latency_p99_ms: float | None = tagged(7, F64, default=None)
    latency_p999_ms: float | None = tagged(8, F64, default=None)
    clock_offset_ns: int | None = tagged(9, I64, default=None)
    clock_error_ns: int | None = tagged(10, I64, default=None)
    surfaces: tuple[ReceivedSurface, ...] = tagged(11, ReceivedSurface, repeated=True)


@dataclass(frozen=True, kw_only=True)
class Acknowledge:
    """The message with this sequence number was taken in."""

    answers_sequence: int = tagged(1, U64)


@dataclass(frozen=True, kw_only=True)
class Goodbye:
    """The sender leaves on purpose."""

    reason: str = tagged(1, TEXT, default="")


@dataclass(frozen=True, kw_only=True)
class Error:
    """A refusal: what came, what is allowed, what to do. `code` is for programs and never changes its meaning."""

    code: str = tagged(1, TEXT)
    came: str = tagged(2, TEXT)
    allowed: str = tagged(3, TEXT)
    action: str = tagged(4, TEXT)
    answers_sequence: int = tagged(5, U64, default=0)

    @classmethod
    def of(cls, error: SurgNavError, answers_sequence: int = 0) -> Error:
        """The refusal that tells a peer about `error`, shortened: it may quote what the peer sent."""
        came, allowed, action = (text[:200] for text in (error.came, error.allowed, error.action))
        code = type(error).__name__.removesuffix("Error")
        return cls(code=code, came=came, allowed=allowed, action=action, answers_sequence=answers_sequence)

    def as_exception(self) -> PeerRefusedError:
        return PeerRefusedError(f"refused by the peer ({self.code}): {self.came}", self.allowed, self.action)


@dataclass(frozen=True, kw_only=True)
class SurfaceListRequest:
    """Asks for the manifest."""


@dataclass(frozen=True, kw_only=True)
class SurfaceEntry:
    """One surface on offer.

    Attributes:
        byte_count: size of the payload that `sha256` addresses.
        quantisation_step_mm: positions are off by half of this along each axis at most.
        frame: the frame that the surface hangs from, such as 'ct'.
        approval: 'approved' or 'edited'; 'suggested' in a research session only.
        approved_by: the person who decided; empty for 'suggested'.
    """

    name: str = tagged(1, TEXT)
    sha256: str = tagged(2, SHA256)
    vertex_count: int = tagged(3, U32)
    triangle_count: int = tagged(4, U32)
    byte_count: int = tagged(5, U64)
    quantisation_step_mm: float = tagged(6, F64)
    frame: str = tagged(7, TEXT)
    approval: str = tagged(8, TEXT)
    approved_by: str = tagged(9, TEXT, default="")

    def check_approval(self, suggestions_allowed: bool) -> None:
        """Raises `SurfaceRefusedError` unless a named person approved, or it may be, and is, a mere suggestion."""
        if self.approval in {"approved", "edited"} and self.approved_by.strip():
            return
        if self.approval == "suggested" and suggestions_allowed:
            return
        raise SurfaceRefusedError(
            f"surface '{self.name}' with approval '{self.approval}' by '{self.approved_by}'",
            "'approved' or 'edited' by a named person; 'suggested' in a research session that says so on screen",
            "have it approved, or start a research session",
        )


@dataclass(frozen=True, kw_only=True)
class SurfaceManifest:
    """All surfaces on offer; `revision` grows with every change."""

    revision: int = tagged(1, U64)
    surfaces: tuple[SurfaceEntry, ...] = tagged(2, SurfaceEntry, repeated=True)


@dataclass(frozen=True, kw_only=True)
class SurfaceChunkRequest:
    """Asks for one chunk: the client's credit. The server may send fewer bytes than `length`, never more."""

    sha256: str = tagged(1, SHA256)
    offset: int = tagged(2, U64)
    length: int = tagged(3, U32)


@dataclass(frozen=True, kw_only=True)
class SurfaceChunk:
    """Bytes of a surface payload; `total_bytes` is the size of the whole payload."""

    sha256: str = tagged(1, SHA256)
    offset: int = tagged(2, U64)
    total_bytes: int = tagged(3, U64)
    data: bytes = tagged(4, BLOB)


MESSAGES: dict[MessageType, type] = {
    MessageType.SURFACE_LIST_REQUEST: SurfaceListRequest,
    MessageType.SURFACE_MANIFEST: SurfaceManifest,
    MessageType.SURFACE_CHUNK_REQUEST: SurfaceChunkRequest,
    MessageType.SURFACE_CHUNK: SurfaceChunk,
    MessageType.HELLO: Hello,
    MessageType.WELCOME: Welcome,
    MessageType.CLOCK_REQUEST: ClockRequest,
    MessageType.CLOCK_REPLY: ClockReply,
    MessageType.CLIENT_REPORT: ClientReport,
    MessageType.ACKNOWLEDGE: Acknowledge,
    MessageType.GOODBYE: Goodbye,
    MessageType.ERROR: Error,
}
_TYPES: dict[type, MessageType] = {kind: message_type for message_type, kind in MESSAGES.items()}


def encode_message(message: Declared, session: Session, sequence: int) -> bytes:
    """The bytes of one message, stamped now on the session's clock."""
    return pack_message(session.header(_TYPES[type(message)], sequence), encode(message))


def decode_message(data: bytes | memoryview) -> tuple[Header, Declared]:
    """Header and message of any type but PoseBatch, for which see pose_batch.py.

    Raises:
        WireError: malformed, of another major version, or of a type that this version does not have.
    """
    header, body = unpack_message(data)
    try:
        kind = MESSAGES[MessageType(header.message_type)]
    except (KeyError, ValueError) as error:
        known = sorted(int(message_type) for message_type in MESSAGES)
        raise malformed(f"message type {header.message_type} on this socket", f"one of {known}") from error
    return header, decode(kind, body)
