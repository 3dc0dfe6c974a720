"""Constants, codes and layouts of the wire. Generated from wire_schema.toml by `make wire`: edit that, not this."""

from __future__ import annotations

import struct
from enum import IntEnum, StrEnum

WIRE_MAGIC = b"SNAV"  # a message begins with it
WIRE_MAJOR = 1  # refuse any other
WIRE_MINOR = 0  # accept any
SESSION_BYTES = 16  # length of a session id
FLAG_UNITY_CONVENTION = 1  # header flags: geometry is in Unity's convention; always set in v1
TEXT_LIMIT_BYTES = 1024  # of a text's UTF-8
REPEAT_LIMIT = 4096  # how often a repeated tag may come
MAX_TOOLS = 256  # records in one pose batch
MAX_STRINGS = 2048  # strings in one pose batch
MAX_FILTERING_MS = 1000  # delay of a filter, and prediction, of one pose
HAS_POSE = 1  # flags of a tool record: there is a pose
HAS_ERROR = 2  # flags of a tool record: there is an expected error
UNIT_TOLERANCE = 0.0001  # of a quaternion's squared length; single precision leaves 1e-7
COVARIANCE_TOLERANCE = 1e-05  # of a covariance's minors, by the sum of its variances; single precision leaves 1e-7
POSITION_LIMIT_M = 1000.0  # beyond a kilometre nothing is tracked, no anatomy: a unit mistake or noise
MAX_ERROR_MM = 1000000.0  # of an expected error
SURFACE_MAGIC = b"SNSF"  # a surface payload begins with it
SURFACE_MAJOR = 1  # refuse any other
MAX_PAYLOAD_BYTES = 268435456  # of a surface payload: 256 MiB
COMPRESSED_MAGIC = b"SNSC"  # a compressed surface begins with it
COMPRESSED_MAJOR = 1  # refuse any other
MAX_LEVELS = 8  # of detail, of one surface
MAX_RINGS = 16384  # generations of triangles in a compressed surface
NAME_LIMIT_BYTES = 255  # of a surface's name and of its frame, UTF-8
POSITION_STEPS = 65535  # along the edge of a surface's cube: UNorm16
MAX_OBSERVED_TOOLS = 64  # in one ToolObservations
NORMAL_STEPS = 127  # of a normal's component: SNorm8

TAG_POSE_BATCH_STRINGS = 1
TAG_POSE_BATCH_TOOLS = 2
TAG_POSE_BATCH_REASON = 3
TAG_POSE_BATCH_COVARIANCES = 4
TAG_POSE_BATCH_FILTERED = 5


class MessageType(IntEnum):
    """What a message is; 1-15 poses, 16-31 surfaces, 32-63 control, 64-79 ultrasound."""

    POSE_BATCH = 1
    GUIDANCE = 2
    GUIDANCE_PLAN = 3
    SURFACE_LIST_REQUEST = 16
    SURFACE_MANIFEST = 17
    SURFACE_CHUNK_REQUEST = 18
    SURFACE_CHUNK = 19
    HELLO = 32
    WELCOME = 33
    CLOCK_REQUEST = 34
    CLOCK_REPLY = 35
    CLIENT_REPORT = 36
    ACKNOWLEDGE = 37
    GOODBYE = 38
    ERROR = 39
    CLIENT_EVENT = 40
    EVENT_ANSWER = 41
    SERVER_EVENT = 42
    EVENT_RECEIPT = 43
    SELF_TEST_REQUEST = 44
    SELF_TEST_TASK = 45
    SELF_TEST_REPORT = 46
    SELF_TEST_VERDICT = 47
    TOOL_OBSERVATIONS = 48
    HEADSET_ALIGNMENT = 49
    ULTRASOUND_REQUEST = 64
    ULTRASOUND_FRAME = 65


class Validity(StrEnum):
    """What may be done with a pose: only `valid` is shown as it is; the rest is greyed or hidden, with the reason."""

    VALID = "valid"
    STALE = "stale"
    LOST = "lost"
    SUSPECT = "suspect"


VALIDITY_CODES: dict[StrEnum, int] = {
    Validity.VALID: 1,
    Validity.STALE: 2,
    Validity.LOST: 3,
    Validity.SUSPECT: 4,
}


class EventOutcome(StrEnum):
    """What became of a client's event: only `accepted` is done; after `pending` ask again for the end of it."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    PENDING = "pending"


EVENT_OUTCOME_CODES: dict[StrEnum, int] = {
    EventOutcome.ACCEPTED: 1,
    EventOutcome.REFUSED: 2,
    EventOutcome.PENDING: 3,
}


class SelfTestState(StrEnum):
    """Whether a client has shown that it places things where they are: until `passed` it shows nothing."""

    UNTESTED = "untested"
    PASSED = "passed"
    FAILED = "failed"


SELF_TEST_STATE_CODES: dict[StrEnum, int] = {
    SelfTestState.UNTESTED: 1,
    SelfTestState.PASSED: 2,
    SelfTestState.FAILED: 3,
}


class AlertLevel(StrEnum):
    """How near a tip is to a structure at risk, the error taken off: three levels of alert above `clear`."""

    CLEAR = "clear"
    CAUTION = "caution"
    WARNING = "warning"
    BREACH = "breach"


ALERT_LEVEL_CODES: dict[StrEnum, int] = {
    AlertLevel.CLEAR: 1,
    AlertLevel.CAUTION: 2,
    AlertLevel.WARNING: 3,
    AlertLevel.BREACH: 4,
}


class ScrewGrade(StrEnum):
    """Of Gertzbein and Robbins, by how far a screw comes out of the bone: `a` not at all, `b` under 2 mm, then 4, 6."""

    A = "a"
    B = "b"
    C = "c"
    D = "d"
    E = "e"


SCREW_GRADE_CODES: dict[StrEnum, int] = {
    ScrewGrade.A: 1,
    ScrewGrade.B: 2,
    ScrewGrade.C: 3,
    ScrewGrade.D: 4,
    ScrewGrade.E: 5,
}
CODES: dict[type[StrEnum], dict[StrEnum, int]] = {
    Validity: VALIDITY_CODES,
    EventOutcome: EVENT_OUTCOME_CODES,
    SelfTestState: SELF_TEST_STATE_CODES,
    AlertLevel: ALERT_LEVEL_CODES,
    ScrewGrade: SCREW_GRADE_CODES,
}

# 0 magic, 4 major, 5 minor, 6 message_type, 8 header_bytes, 10 flags, 12 body_bytes, 16 sequence, 24 capture_ns, 32
# clock, 40 session_id, 56 validity
MESSAGE_HEADER = struct.Struct("<4sBBHHHIQqQ16sB7x")
# 0 tag, 2 length
FIELD_HEAD = struct.Struct("<HI")
# 0 record_bytes, 2 record_count
TOOL_TABLE_HEAD = struct.Struct("<HH")
# 0 tool, 2 to_frame, 4 from_frame, 6 reason, 8 registration, 10 validity, 11 flags, 12 expected_error_mm, 16
# capture_ns, 24 position_m (3), 36 rotation_xyzw (4)
TOOL_RECORD = struct.Struct("<HHHHHBBfq3f4f4x")
# 0 variances_mm2 (3), 12 covariances_mm2 (3)
COVARIANCE_RECORD = struct.Struct("<3f3f")
# 0 index, 4 delay_ms, 8 ahead_ms, 12 raw_position_m (3), 24 raw_rotation_xyzw (4)
FILTERED_RECORD = struct.Struct("<H2xff3f4f")
# 0 magic, 4 major, 5 index_bytes, 6 header_bytes, 8 vertex_count, 12 triangle_count, 16 minimum_m (3), 40 edge_m, 48
# name_bytes, 50 frame_bytes
SURFACE_HEADER = struct.Struct("<4sBBHII3ddHH4x")
# 0 magic, 4 major, 6 header_bytes, 8 root_count, 12 packed_bytes
COMPRESSED_SURFACE_HEADER = struct.Struct("<4sHHII")
# 0 position (4), 8 normal (4)
SURFACE_VERTEX = [("position", "<u2", (4,)), ("normal", "i1", (4,))]
