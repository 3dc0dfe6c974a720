"""Messages of the control socket. Generated from wire_schema.toml by `make wire`: edit that, not this."""

from __future__ import annotations

from dataclasses import dataclass

from unity_bridge.wire.generated.constants import EventOutcome, SelfTestState, Validity
from unity_bridge.wire.generated.control_parts import ObservedTool, Placement, ReceivedSurface, TestPoint
from unity_bridge.wire.message_methods import ErrorMethods
from unity_bridge.wire.schema import BLOB, F64, FLAG, I64, POSITION, SHA256, TEXT, U32, U64, choice, floats, tagged


@dataclass(frozen=True, kw_only=True)
class Hello:
    """A client presents itself; the answer is a Welcome or an Error.

    Attributes:
        stream: drawn anew whenever the client's program starts, such as a UUID: 1 to 64 letters, digits and '-'; the
            same after a broken link, and in its events.
        last_event: of the header's session, the last event of the server that was taken in; absent from a client that
            joins.
    """

    client_name: str = tagged(1, TEXT)
    program: str = tagged(2, TEXT)
    stream: str | None = tagged(3, TEXT, default=None)
    last_event: int | None = tagged(4, U64, default=None)


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """The full state for a client that joins, whenever it does.

    Attributes:
        clock_id: readable name of the server's clock; equal ids are one time scale (section 6).
        rate_hz: how often pose batches are sent.
        last_pose_sequence: the newest pose batch at this moment, 0 before the first.
        registration_validity: of what all poses stand on; the reason if it is not valid.
        research_session: unapproved surfaces may be shown; the client must say so on screen.
        last_event: the newest event of the server that this state has in it; absent where the server has no events.
        self_test: of this client; absent where the server has no self-test.
        self_test_reasons: why it failed.
        open_requests: what was asked of the operator and is not settled.
        pose_stale_after_ms: a pose older than this, by your own clock, is stale, whatever the message says; 100 where
            absent.
        pose_lost_after_ms: and older than this it is lost; 250 where absent. Section 4 has the rule.
        pose_token: of a client that passed the self-test: the topic that it subscribes to for the poses, section 4.
            Keep it to yourself.
        ultrasound_port: of the ultrasound socket, at this server's address; absent where there is no ultrasound.
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
    last_event: int | None = tagged(13, U64, default=None)
    self_test: SelfTestState | None = tagged(14, choice(SelfTestState), default=None)
    self_test_reasons: tuple[str, ...] = tagged(15, TEXT, repeated=True)
    selected_target: str | None = tagged(16, TEXT, default=None)
    open_requests: tuple[str, ...] = tagged(17, TEXT, repeated=True)
    pose_stale_after_ms: float | None = tagged(18, F64, default=None)
    pose_lost_after_ms: float | None = tagged(19, F64, default=None)
    pose_token: bytes | None = tagged(20, BLOB, default=None)
    ultrasound_port: int | None = tagged(21, U32, default=None)


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


@dataclass(frozen=True, kw_only=True)
class ClientEvent:
    """What a person did at the client. Sent again until the EventAnswer is final; done once however often it comes.

    Attributes:
        stream: the Hello's.
        number: counts the events of a stream from 1; an event that is sent again keeps its number.
        kind: which of the other fields it needs; section 7 lists the kinds.
        first_session: the server's session that the event was sent to first: 32 hexadecimal digits.
        happened_ns: on the server's clock; absent while the clocks are not compared.
        person: who did it.
        name: of the landmark, the surface or the target.
        frame: of the position.
        position_m: in that frame, in Unity's convention.
        sha256: of the surface payload that the person saw.
        decision: on a surface: 'approved' or 'rejected'.
        registration_id: in force when it happened, as the client knew it.
        tool: that it was touched with.
        spread_mm: of a touch that was held: RMS distance of the samples from their mean, which is the position.
        samples: of a touch that was held: how many new observations were averaged.
        anchor: of a position in the headset's own world: where that frame was, as in ToolObservations.
    """

    stream: str = tagged(1, TEXT)
    number: int = tagged(2, U64)
    kind: str = tagged(3, TEXT)
    first_session: str = tagged(4, TEXT)
    happened_ns: int | None = tagged(5, I64, default=None)
    person: str = tagged(6, TEXT, default="")
    name: str = tagged(7, TEXT, default="")
    frame: str = tagged(8, TEXT, default="")
    position_m: tuple[float, float, float] | None = tagged(9, POSITION, default=None)
    sha256: str | None = tagged(10, SHA256, default=None)
    decision: str = tagged(11, TEXT, default="")
    reason: str = tagged(12, TEXT, default="")
    registration_id: str = tagged(13, TEXT, default="")
    tool: str = tagged(14, TEXT, default="")
    spread_mm: float | None = tagged(15, F64, default=None)
    samples: int | None = tagged(16, U32, default=None)
    anchor: str | None = tagged(17, TEXT, default=None)


@dataclass(frozen=True, kw_only=True)
class EventAnswer:
    """What became of a ClientEvent; the same answer whenever the event comes again.

    Attributes:
        note: what was done with it, for the person.
        code: of a refusal, for programs.
    """

    stream: str = tagged(1, TEXT)
    number: int = tagged(2, U64)
    outcome: EventOutcome = tagged(3, choice(EventOutcome))
    note: str = tagged(4, TEXT, default="")
    code: str = tagged(5, TEXT, default="")
    came: str = tagged(6, TEXT, default="")
    allowed: str = tagged(7, TEXT, default="")
    action: str = tagged(8, TEXT, default="")


@dataclass(frozen=True, kw_only=True)
class ServerEvent:
    """What changed at the server. Sent again until an EventReceipt has come for it or for a later one.

    Attributes:
        number: counts the events of the header's session from 1.
        kind: section 7 lists the kinds; skip one that you do not know, and confirm it.
        happened_ns: on the server's clock.
        oldest_kept: the oldest event that the server still has: what is missing before it will not come again.
        name: of the tool, the surface or the target.
        sha256: of the surface payload.
        person: who decided.
    """

    number: int = tagged(1, U64)
    kind: str = tagged(2, TEXT)
    happened_ns: int = tagged(3, I64)
    oldest_kept: int = tagged(4, U64)
    name: str = tagged(5, TEXT, default="")
    validity: Validity | None = tagged(6, choice(Validity), default=None)
    reason: str = tagged(7, TEXT, default="")
    registration_id: str = tagged(8, TEXT, default="")
    sha256: str | None = tagged(9, SHA256, default=None)
    person: str = tagged(10, TEXT, default="")


@dataclass(frozen=True, kw_only=True)
class EventReceipt:
    """All events of the header's session up to this one were taken in. No answer."""

    last_event: int = tagged(1, U64)


@dataclass(frozen=True, kw_only=True)
class SelfTestRequest:
    """Asks for a test; the answer is a SelfTestTask."""


@dataclass(frozen=True, kw_only=True)
class SelfTestTask:
    """An object and where to put it, to be decoded and placed by the code that places everything else.

    Attributes:
        challenge: names this test.
        surface: a surface payload; it hangs from the frame that it names.
        batches: whole messages of type 1, each a pose of the object.
        root: the frame to put at the world's origin, unturned; all positions are in it.
        points: where are they?.
        triangles: indices: which side of them is seen?.
    """

    challenge: int = tagged(1, U64)
    surface: bytes = tagged(2, BLOB)
    batches: tuple[bytes, ...] = tagged(3, BLOB, repeated=True)
    root: str = tagged(4, TEXT)
    points: tuple[TestPoint, ...] = tagged(5, TestPoint, repeated=True)
    triangles: tuple[int, ...] = tagged(6, U32, repeated=True)


@dataclass(frozen=True, kw_only=True)
class SelfTestReport:
    """Where the client has put the object; the answer is a SelfTestVerdict."""

    challenge: int = tagged(1, U64)
    placements: tuple[Placement, ...] = tagged(2, Placement, repeated=True)


@dataclass(frozen=True, kw_only=True)
class SelfTestVerdict:
    """What the server found; kept in the Welcome.

    Attributes:
        reasons: what is wrong, such as 'mirrored along x'; empty if passed.
        pose_token: if passed, as in the Welcome.
    """

    challenge: int = tagged(1, U64)
    state: SelfTestState = tagged(2, choice(SelfTestState))
    reasons: tuple[str, ...] = tagged(3, TEXT, repeated=True)
    pose_token: bytes | None = tagged(4, BLOB, default=None)


@dataclass(frozen=True, kw_only=True)
class ToolObservations:
    """What a headset sees in one image: all of its tools, those that it does not see as lost. Answered by a
    HeadsetAlignment where another device leads the room.

    Attributes:
        frame: name of the headset's own world: its anchor's frame.
        anchor: names the place of that frame, such as a UUID: another one whenever the world was placed anew, so that
            poses under two anchors are never combined.
        number: counts the images of the Hello's stream from 1; a gap means that some were not sent.
        seen_ns: when the sensor saw them, on the server's clock: send nothing before the clocks are compared.
        clock_error_ns: by how much that may be off: the bound of section 6.
    """

    frame: str = tagged(1, TEXT)
    anchor: str = tagged(2, TEXT)
    number: int = tagged(3, U64)
    seen_ns: int = tagged(4, I64)
    clock_error_ns: int = tagged(5, I64)
    tools: tuple[ObservedTool, ...] = tagged(6, ObservedTool, repeated=True)


@dataclass(frozen=True, kw_only=True)
class HeadsetAlignment:
    """Answers ToolObservations: where the tracker is in this headset's world, as it was calibrated, or why that is
    not known.

    Attributes:
        validity: `valid` has a pose, any other none: then show nothing of the tracker's world.
        reason: why it is not valid, and what to do.
        anchor: of a valid one: the place of the headset's world that it holds for; show nothing below another.
        position_m: of the frame `tracker` in that world, in Unity's convention.
        rotation_xyzw: unit quaternion as Unity's `Quaternion`.
        expected_p95_mm: 95 of 100 such calibrations show a point in the middle of what was measured within it.
        calibrated: when that was, and how long ago.
    """

    validity: Validity = tagged(1, choice(Validity))
    reason: str = tagged(2, TEXT, default="")
    anchor: str = tagged(3, TEXT, default="")
    position_m: tuple[float, float, float] | None = tagged(4, POSITION, default=None)
    rotation_xyzw: tuple[float, float, float, float] | None = tagged(5, floats(4), default=None)
    expected_p95_mm: float | None = tagged(6, F64, default=None)
    calibrated: str = tagged(7, TEXT, default="")
