"""Messages of the control socket. Generated from wire_schema.toml by `make wire`: edit that, not this."""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.generated.constants import Validity
from unity_bridge.message_methods import ErrorMethods
from unity_bridge.schema import F64, FLAG, I64, SHA256, TEXT, U32, U64, choice, tagged


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
    registration_validity: Validity = tagged(7, choice(Validity))
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
class Error(ErrorMethods):
    """A refusal: what came, what is allowed, what to do.

    Attributes:
        code: for programs; never changes its meaning.
    """

    code: str = tagged(1, TEXT)
    came: str = tagged(2, TEXT)
    allowed: str = tagged(3, TEXT)
    action: str = tagged(4, TEXT)
    answers_sequence: int = tagged(5, U64, default=0)
