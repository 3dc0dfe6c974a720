"""Decoding of pose batches: the states of all tools at one instant, in one message.

A batch has two main fields: a table of strings (tool and frame names, reasons, registration ids), and records of fixed
size that refer to it. Between batches usually only the poses change: the decoder keeps the bytes of the last accepted
batch, and checks only the poses of a batch that has the same bytes elsewhere. Any other batch is checked completely.

A lost tool has no pose: its record holds zeros, and a zero quaternion cannot be mistaken for a rotation.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np

from geometry.points import Floats, read_only
from unity_bridge.poses.covariance import (
    LARGEST_MM2,
    NUMBERS,
    covariance_layout,
    covariance_matrix,
    covariances_fit,
)
from unity_bridge.poses.filtering import Filtered, check_filtered_place, read_filtered
from unity_bridge.poses.record import FIXED_FIELDS, FIXED_PART, LIVE_FIELDS, LIVE_FORMAT, check_numbers
from unity_bridge.poses.tool_state import ToolPose
from unity_bridge.wire.convention import UnityPose
from unity_bridge.wire.envelope import (
    FIELD_BYTES,
    HEADER_BYTES,
    TOOL_VALIDITIES,
    Header,
    decode_frame,
    decode_text,
    malformed,
    unpack_fields,
    unpack_message,
)
from unity_bridge.wire.generated.constants import (
    FLAG_UNITY_CONVENTION,
    HAS_ERROR,
    HAS_POSE,
    MAX_STRINGS,
    MAX_TOOLS,
    MESSAGE_HEADER,
    POSITION_LIMIT_M,
    TAG_POSE_BATCH_COVARIANCES,
    TAG_POSE_BATCH_FILTERED,
    TAG_POSE_BATCH_REASON,
    TAG_POSE_BATCH_STRINGS,
    TAG_POSE_BATCH_TOOLS,
    TEXT_LIMIT_BYTES,
    TOOL_RECORD,
    TOOL_TABLE_HEAD,
    UNIT_TOLERANCE,
    VALIDITY_CODES,
    MessageType,
    Validity,
)

RECORD_BYTES = TOOL_RECORD.size
_STRING_HEAD = struct.Struct("<H")
# The header in parts: before the sequence number; sequence number and capture time; the rest.
_HEAD_BYTES = struct.calcsize("<4sBBHHHI")
_HEAD = f"{_HEAD_BYTES}sQq{MESSAGE_HEADER.size - _HEAD_BYTES - 16}s"
# Number of unpacked values before the first record, and per record.
_FIRST = 5
_STRIDE = 1 + LIVE_FIELDS
# Behind the covariances: bytes, the table of filtered tools, bytes.
_BEHIND = -3
_FILTERED_AT = -2

_TAGS = (
    TAG_POSE_BATCH_STRINGS,
    TAG_POSE_BATCH_TOOLS,
    TAG_POSE_BATCH_REASON,
    TAG_POSE_BATCH_COVARIANCES,
    TAG_POSE_BATCH_FILTERED,
)
_VALID = VALIDITY_CODES[Validity.VALID]

Record = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class _Accepted:
    """The parts of a batch that passed all checks which later batches may share.

    Attributes:
        header: the header, with that batch's sequence number and time.
        validity, reason: of the batch as a whole.
        strings: the table of strings.
        layout: unpacks a message of the same length.
        same: parts of the message that must be identical in a later batch; `fixed`: those of the records.
        heads: the fields of each record before its capture time.
        limits: for each record, the largest coordinate in m and the squared length of its quaternion, (0, 0) without a
            pose.
        errors_at: place of the covariances, if any, among the unpacked values: after the records and the bytes behind.
        largest: the largest variance that each tool may have, in mm squared: 0 without a pose.
        valid: of each record, whether its tool is valid.
    """

    header: Header
    validity: Validity
    reason: str
    strings: tuple[str, ...]
    layout: struct.Struct
    same: tuple[bytes, ...]
    fixed: tuple[bytes, ...]
    heads: tuple[Record, ...]
    limits: tuple[tuple[float, float], ...]
    errors_at: int
    largest: tuple[float, ...]
    valid: tuple[bool, ...]


class PoseBatch:
    """A decoded and checked batch, which makes objects of its content only when they are used.

    Attributes:
        sequence: sequence number of the message.
        capture_ns: time at which the sensor measured, on the server's clock.
    """

    __slots__ = ("__dict__", "_accepted", "_filtered", "_values", "capture_ns", "sequence")

    def __init__(self, accepted: _Accepted, values: Record) -> None:
        self._accepted = accepted
        self._values = values
        self._filtered = read_filtered(values[_FILTERED_AT], accepted.valid)
        self.sequence: int = values[1]
        self.capture_ns: int = values[2]

    @property
    def validity(self) -> Validity:
        """Validity of what all poses depend on (reference, registration): unless valid, no pose counts as valid."""
        return self._accepted.validity

    @property
    def reason(self) -> str:
        """Why the batch as a whole is not valid; empty if it is."""
        return self._accepted.reason

    @property
    def strings(self) -> tuple[str, ...]:
        """The table of strings."""
        return self._accepted.strings

    @property
    def session_id(self) -> bytes:
        """The 16 bytes that identify the server's session."""
        return self._accepted.header.session_id

    @property
    def clock(self) -> int:
        """`clock_key` of the clock that stamped the batch."""
        return self._accepted.header.clock

    @cached_property
    def header(self) -> Header:
        """The message's header."""
        return replace(self._accepted.header, sequence=self.sequence, capture_ns=self.capture_ns)

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The fields of each tool's record, in the order of docs/unity_bridge/protocol.md."""
        starts = range(_FIRST + 1, _FIRST + _STRIDE * len(self._accepted.heads), _STRIDE)
        live = (self._values[start : start + LIVE_FIELDS] for start in starts)
        return tuple(head + pose for head, pose in zip(self._accepted.heads, live, strict=True))

    @cached_property
    def covariances(self) -> tuple[Record, ...]:
        """The fields of each tool's covariance, in the order of docs/unity_bridge/protocol.md; empty without them."""
        starts = range(self._accepted.errors_at, len(self._values) + _BEHIND, NUMBERS)
        return tuple(self._values[start : start + NUMBERS] for start in starts)

    @cached_property
    def tools(self) -> dict[str, ToolPose]:
        """The tools by name, in the order of the records."""
        errors = map(covariance_matrix, self.covariances) if self.covariances else repeat(None)
        rows = enumerate(zip(self.records, errors, strict=False))
        poses = [_tool_pose(record, self.strings, error, self._filtered.get(row)) for row, (record, error) in rows]
        return {pose.tool: pose for pose in poses}


class PoseBatchDecoder:
    """Decodes pose batches; what a batch shares with the last one is not decoded again."""

    def __init__(self) -> None:
        self._last: _Accepted | None = None

    def decode(self, message: bytes | memoryview) -> PoseBatch:
        """Checks and decodes one message.

        Raises:
            WireError: not a well-formed pose batch, which includes a lost tool with a pose and a valid one without.
        """
        last = self._last
        if last is not None and len(message) == last.layout.size:
            values = last.layout.unpack(message)
            if (
                _same(values, last.errors_at) == last.same
                and values[_FIRST : last.errors_at - 1 : _STRIDE] == last.fixed
                and _poses_fit(values, last.limits)
                and covariances_fit(values[last.errors_at : _BEHIND], last.largest)
            ):
                return PoseBatch(last, values)
        self._last = accepted = _accepted(message)
        return PoseBatch(accepted, accepted.layout.unpack(message))


def _same(values: Record, errors_at: int) -> Record:
    """What must be identical in a later batch, but for the fixed parts of the records."""
    return values[0], values[3], values[4], values[errors_at - 1], values[_BEHIND], values[-1]


def _poses_fit(values: Record, limits: tuple[tuple[float, float], ...]) -> bool:
    """Whether each record holds a pose exactly if its flag says so, by the limits of `check_numbers`; NaN fails."""
    at = _FIRST + 2
    end = _FIRST + _STRIDE * len(limits)
    columns = [values[at + column : end : _STRIDE] for column in range(7)]
    for px, py, pz, qx, qy, qz, qw, (limit_m, unit) in zip(*columns, limits, strict=True):
        if not (
            -limit_m <= px <= limit_m
            and -limit_m <= py <= limit_m
            and -limit_m <= pz <= limit_m
            and -UNIT_TOLERANCE < qx * qx + qy * qy + qz * qz + qw * qw - unit < UNIT_TOLERANCE
        ):
            return False
    return True


def _accepted(message: bytes | memoryview) -> _Accepted:
    """Checks a message completely.

    Raises:
        WireError: as for `PoseBatchDecoder.decode`.
    """
    header, body = unpack_message(message)
    if header.message_type != MessageType.POSE_BATCH:
        raise malformed(f"message type {header.message_type}", f"{int(MessageType.POSE_BATCH)}, a pose batch")
    if not header.flags & FLAG_UNITY_CONVENTION:
        raise malformed("poses that are not in Unity's convention", "flag 0x0001 set")
    fields, places = _fields(body)
    if TAG_POSE_BATCH_STRINGS not in fields or TAG_POSE_BATCH_TOOLS not in fields or header.validity is None:
        raise malformed("a pose batch without strings, tools or validity", "all three")
    strings = _decode_strings(fields[TAG_POSE_BATCH_STRINGS])
    stride, records = _decode_records(fields[TAG_POSE_BATCH_TOOLS], strings)
    reason = decode_text(fields[TAG_POSE_BATCH_REASON], TEXT_LIMIT_BYTES) if TAG_POSE_BATCH_REASON in fields else ""
    layout = _layout(memoryview(message).cast("B"), fields, places, stride, len(records))
    values, errors_at = layout.unpack(message), _FIRST + _STRIDE * len(records) + 1
    posed = [bool(record[6] & HAS_POSE) for record in records]
    accepted = _Accepted(
        header=header,
        validity=header.validity,
        reason=reason,
        strings=strings,
        layout=layout,
        same=_same(values, errors_at),
        fixed=values[_FIRST : errors_at - 1 : _STRIDE],
        heads=tuple(record[:FIXED_FIELDS] for record in records),
        limits=tuple((POSITION_LIMIT_M, 1.0) if each else (0.0, 0.0) for each in posed),
        errors_at=errors_at,
        largest=tuple(LARGEST_MM2 if each else 0.0 for each in posed),
        valid=tuple(record[5] == _VALID for record in records),
    )
    if not covariances_fit(values[errors_at:_BEHIND], accepted.largest):
        raise malformed("covariances that are none", "no negative eigenvalue; zeros where unknown, or without a pose")
    return accepted


def _layout(
    message: memoryview, fields: Mapping[int, memoryview], places: Mapping[int, int], stride: int, count: int
) -> struct.Struct:
    """Layout of a message: header, bytes, each record in two parts, bytes, covariances, bytes, filtered tools, bytes.

    Raises:
        MalformedMessageError: a covariance table that does not fit the tool table, or comes before it; a table of
            filtered tools that comes before one of these.
    """
    # The body begins at the header length of the message, which may be longer than the header of this version.
    body_at = MESSAGE_HEADER.unpack_from(message)[4] + TOOL_TABLE_HEAD.size
    first, errors, between = body_at + places[TAG_POSE_BATCH_TOOLS], "", 0
    if TAG_POSE_BATCH_COVARIANCES in fields:
        errors = covariance_layout(fields[TAG_POSE_BATCH_COVARIANCES], count)
        between = body_at + places[TAG_POSE_BATCH_COVARIANCES] - first - stride * count
        if between < 0:
            raise malformed("a covariance table before the tool table", "the tool table first")
    after_at = first + stride * count + between + struct.calcsize(f"<{errors}")
    filtered, behind = fields.get(TAG_POSE_BATCH_FILTERED, b""), 0
    if TAG_POSE_BATCH_FILTERED in fields:
        behind = body_at - TOOL_TABLE_HEAD.size + places[TAG_POSE_BATCH_FILTERED] - after_at
        check_filtered_place(behind, len(filtered))
    after = len(message) - after_at - behind - len(filtered)
    record = f"{FIXED_PART.size}s{LIVE_FORMAT}{stride - RECORD_BYTES}x"
    return struct.Struct(
        f"<{_HEAD}{first - HEADER_BYTES}s{record * count}{between}s{errors}{behind}s{len(filtered)}s{after}s"
    )


def _fields(body: memoryview) -> tuple[dict[int, memoryview], dict[int, int]]:
    """The known fields by tag, and the offset of each payload in the body.

    Raises:
        MalformedMessageError: a field that comes twice.
    """
    fields: dict[int, memoryview] = {}
    places: dict[int, int] = {}
    at = 0
    for tag, payload in unpack_fields(body):
        if tag in fields:
            raise malformed(f"field {tag} twice", "once")
        if tag in _TAGS:
            fields[tag], places[tag] = payload, at + FIELD_BYTES
        at += FIELD_BYTES + len(payload)
    return fields, places


def _decode_strings(payload: memoryview) -> tuple[str, ...]:
    strings = tuple(_unpack_strings(payload))
    if not strings or strings[0] or len(set(strings)) != len(strings):
        raise malformed("a string table with repetitions, or without '' at index 0", "each string once")
    return strings


def _decode_records(payload: memoryview, strings: tuple[str, ...]) -> tuple[int, tuple[Record, ...]]:
    """The size in bytes of a record in this message, and the records."""
    if len(payload) < TOOL_TABLE_HEAD.size:
        raise malformed(f"a tool table of {len(payload)} bytes", f"at least {TOOL_TABLE_HEAD.size}")
    stride, count = TOOL_TABLE_HEAD.unpack_from(payload)
    if stride < RECORD_BYTES or count > MAX_TOOLS or stride * count > len(payload) - TOOL_TABLE_HEAD.size:
        raise malformed(
            f"{count} tools of {stride} bytes in {len(payload)} bytes",
            f"at most {MAX_TOOLS} of at least {RECORD_BYTES} bytes, within the field",
        )
    # A later minor version may have longer records: the additional bytes are skipped.
    starts = range(TOOL_TABLE_HEAD.size, TOOL_TABLE_HEAD.size + stride * count, stride)
    records = tuple(TOOL_RECORD.unpack_from(payload, start) for start in starts)
    for record in records:
        _check_strings(record, strings)
        check_numbers(record)
    if len({record[0] for record in records}) != count:
        raise malformed("a tool twice", "each tool once")
    return stride, records


def _check_strings(record: Record, strings: tuple[str, ...]) -> None:
    if max(record[:5]) >= len(strings):
        raise malformed(f"string indices {record[:5]}", f"0 to {len(strings) - 1}")
    for index in record[1:3]:
        decode_frame(strings[index])


def _unpack_strings(payload: memoryview) -> Iterator[str]:
    at = 0
    for _ in range(MAX_STRINGS):
        if at == len(payload):
            return
        if len(payload) - at < _STRING_HEAD.size:
            raise malformed(f"{len(payload) - at} stray bytes after the last string", "whole strings")
        (length,) = _STRING_HEAD.unpack_from(payload, at)
        at += _STRING_HEAD.size + length
        if at > len(payload):
            raise malformed(f"a string that ends {at - len(payload)} bytes too late", "strings within the field")
        yield decode_text(payload[at - length : at], TEXT_LIMIT_BYTES)
    if at < len(payload):
        raise malformed(f"more than {MAX_STRINGS} strings", f"at most {MAX_STRINGS}")


def _tool_pose(
    record: Record, strings: tuple[str, ...], covariance_mm2: Floats | None, filtered: Filtered | None
) -> ToolPose:
    tool, to_frame, from_frame, reason, registration, code, flags, error_mm, capture_ns, *pose = record
    frames = strings[to_frame], strings[from_frame]
    has_pose = bool(flags & HAS_POSE)
    return ToolPose(
        tool=strings[tool],
        to_frame=frames[0],
        from_frame=frames[1],
        validity=TOOL_VALIDITIES[code],
        reason=strings[reason],
        pose=_pose(pose, frames) if has_pose else None,
        capture_ns=capture_ns if has_pose else None,
        expected_error_mm=error_mm if flags & HAS_ERROR else None,
        registration_id=strings[registration],
        covariance_mm2=covariance_mm2,
        raw=None if filtered is None else _pose(filtered[2:], frames),
        delay_ms=0.0 if filtered is None else filtered[0],
        ahead_ms=0.0 if filtered is None else filtered[1],
    )


def _pose(numbers: Sequence[float], frames: tuple[str, str]) -> UnityPose:
    values = read_only(np.array(numbers))
    return UnityPose.trusted(values[:3], values[3:], *frames)
