"""PoseBatch: every tool at one instant, in one small message, laid out so that reading it makes no garbage.

Two fields: a table of strings (tool and frame names, reasons, registration ids), and fixed records that index it. From
one batch to the next the table hardly ever changes, so a decoder compares its bytes with the last ones and keeps the
strings; the records are read in place.

A lost tool has no pose: its record holds zeros, and a zero quaternion is no rotation, let alone the identity.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from geometry.frames import check_frame
from geometry.points import read_only
from unity_bridge.convention import UnityPose, pose_numbers
from unity_bridge.errors import InvalidPoseError
from unity_bridge.generated.constants import (
    FLAG_UNITY_CONVENTION,
    HAS_ERROR,
    HAS_POSE,
    MAX_ERROR_MM,
    MAX_STRINGS,
    MAX_TOOLS,
    POSITION_LIMIT_M,
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
from unity_bridge.tool_state import ToolPose, ToolState
from unity_bridge.wire import (
    TOOL_VALIDITIES,
    Header,
    decode_text,
    malformed,
    pack_field,
    pack_message,
    take_fields,
    unpack_message,
)

RECORD_BYTES = TOOL_RECORD.size
_STRING_HEAD = struct.Struct("<H")
_NO_POSE = (0.0,) * 7

_LOST = VALIDITY_CODES[Validity.LOST]
_VALID = VALIDITY_CODES[Validity.VALID]

Record = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class PoseBatch:
    """A decoded and checked batch.

    Attributes:
        validity: of what all poses stand on (the reference, the registration): unless valid, nothing is shown as is.
        records: the numbers of each tool, as docs/protocol.md has them; `tools` makes objects of them when asked.
    """

    header: Header
    validity: Validity
    reason: str
    records: tuple[Record, ...]
    strings: tuple[str, ...]

    @property
    def sequence(self) -> int:
        return self.header.sequence

    @property
    def capture_ns(self) -> int:
        """When the sensor saw this instant, on the server's clock."""
        return self.header.capture_ns

    @cached_property
    def tools(self) -> dict[str, ToolPose]:
        """Tools by name, in the order of the records."""
        poses = [_tool_pose(record, self.strings) for record in self.records]
        return {pose.tool: pose for pose in poses}


def encode_pose_batch(header: Header, tools: Sequence[ToolState], reason: str = "") -> bytes:
    """Converts all poses to Unity's convention and packs the batch.

    Args:
        header: of type POSE_BATCH, with the instant's capture time and the validity of the whole.
        tools: at most `MAX_TOOLS`, each name once.
        reason: why the batch as a whole is not valid.

    Raises:
        InvalidPoseError: too many tools, a name twice, or no validity in the header.
    """
    if header.validity is None or len(tools) > MAX_TOOLS or len({state.tool for state in tools}) != len(tools):
        raise InvalidPoseError(
            f"a batch of {len(tools)} tools with validity {header.validity}",
            f"a validity and at most {MAX_TOOLS} tools, each name once",
            "send one state per tool",
        )
    table: dict[str, int] = {"": 0}
    records = [_pack_tool(state, table, header.capture_ns) for state in tools]
    fields = [
        pack_field(TAG_POSE_BATCH_STRINGS, b"".join(map(_pack_string, table))),
        pack_field(TAG_POSE_BATCH_TOOLS, TOOL_TABLE_HEAD.pack(RECORD_BYTES, len(records)) + b"".join(records)),
    ]
    if reason:
        fields.append(pack_field(TAG_POSE_BATCH_REASON, reason.encode()))
    return pack_message(header, b"".join(fields))


def _pack_tool(state: ToolState, table: dict[str, int], batch_ns: int) -> bytes:
    names = (state.tool, state.to_frame, state.from_frame, state.reason, state.registration_id)
    indices = [table.setdefault(name, len(table)) for name in names]
    error = state.expected_error_mm
    flags = 0 if error is None else HAS_ERROR
    code = VALIDITY_CODES[state.validity]
    if state.T_to_from is None:
        return TOOL_RECORD.pack(*indices, code, flags, error or 0.0, 0, *_NO_POSE)
    capture_ns = batch_ns if state.capture_ns is None else state.capture_ns
    return TOOL_RECORD.pack(*indices, code, flags | HAS_POSE, error or 0.0, capture_ns, *pose_numbers(state.T_to_from))


def _pack_string(text: str) -> bytes:
    payload = text.encode()
    if len(payload) > TEXT_LIMIT_BYTES:
        raise InvalidPoseError(f"a text of {len(payload)} bytes", f"at most {TEXT_LIMIT_BYTES}", "shorten it")
    return _STRING_HEAD.pack(len(payload)) + payload


class PoseBatchDecoder:
    """Decodes batches, keeping the strings of the last one."""

    def __init__(self) -> None:
        self._table = b""
        self._strings: tuple[str, ...] = ()
        self._frames: set[int] = set()  # indices of strings that were found to be frame names

    def decode(self, message: bytes | memoryview) -> PoseBatch:
        """Checks and decodes one message; the records are views of it.

        Raises:
            WireError: not a well-formed pose batch; a lost tool with a pose, or a valid one without, counts as such.
        """
        header, body = unpack_message(message)
        if header.message_type != MessageType.POSE_BATCH:
            raise malformed(f"message type {header.message_type}", f"{int(MessageType.POSE_BATCH)}, a pose batch")
        if not header.flags & FLAG_UNITY_CONVENTION:
            raise malformed("poses that are not in Unity's convention", "flag 0x0001 set")
        fields = take_fields(body, (TAG_POSE_BATCH_STRINGS, TAG_POSE_BATCH_TOOLS, TAG_POSE_BATCH_REASON))
        if TAG_POSE_BATCH_STRINGS not in fields or TAG_POSE_BATCH_TOOLS not in fields or header.validity is None:
            raise malformed("a pose batch without strings, tools or validity", "all three")
        strings = self._decode_strings(fields[TAG_POSE_BATCH_STRINGS])
        records = self._decode_records(fields[TAG_POSE_BATCH_TOOLS])
        reason = decode_text(fields[TAG_POSE_BATCH_REASON], TEXT_LIMIT_BYTES) if TAG_POSE_BATCH_REASON in fields else ""
        return PoseBatch(header, header.validity, reason, records, strings)

    def _decode_strings(self, payload: memoryview) -> tuple[str, ...]:
        if not self._strings or payload != self._table:
            strings = tuple(_unpack_strings(payload))
            if not strings or strings[0] or len(set(strings)) != len(strings):
                raise malformed("a string table with repetitions, or without '' at index 0", "each string once")
            self._table, self._strings, self._frames = bytes(payload), strings, set()
        return self._strings

    def _decode_records(self, payload: memoryview) -> tuple[Record, ...]:
        if len(payload) < TOOL_TABLE_HEAD.size:
            raise malformed(f"a tool table of {len(payload)} bytes", f"at least {TOOL_TABLE_HEAD.size}")
        stride, count = TOOL_TABLE_HEAD.unpack_from(payload)
        if stride < RECORD_BYTES or count > MAX_TOOLS or stride * count > len(payload) - TOOL_TABLE_HEAD.size:
            raise malformed(
                f"{count} tools of {stride} bytes in {len(payload)} bytes",
                f"at most {MAX_TOOLS} of at least {RECORD_BYTES} bytes, within the field",
            )
        # A later minor version may have longer records: what is beyond ours is stepped over.
        starts = range(TOOL_TABLE_HEAD.size, TOOL_TABLE_HEAD.size + stride * count, stride)
        records = tuple(TOOL_RECORD.unpack_from(payload, start) for start in starts)
        for record in records:
            self._check_strings(record)
            _check_numbers(record)
        if len({record[0] for record in records}) != count:
            raise malformed("a tool twice", "each tool once")
        return records

    def _check_strings(self, record: Record) -> None:
        if max(record[:5]) >= len(self._strings):
            raise malformed(f"string indices {record[:5]}", f"0 to {len(self._strings) - 1}")
        for index in record[1:3]:
            if index not in self._frames:
                check_frame(self._strings[index])
                self._frames.add(index)


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


def _check_numbers(record: Record) -> None:
    """Refuses what a sender that keeps the protocol cannot have meant. Written so that NaN fails."""
    _, _, _, _, _, code, flags, error_mm, _, px, py, pz, qx, qy, qz, qw = record
    has_pose = flags & HAS_POSE
    if code not in TOOL_VALIDITIES:
        raise malformed(f"a tool's validity code {code}", f"one of {sorted(TOOL_VALIDITIES)}")
    if (code == _LOST and has_pose) or (code == _VALID and not has_pose):
        raise malformed("a lost tool with a pose, or a valid one without", "a pose if valid, none if lost")
    # Zeros where there is no pose; a rotation, and near, where there is one.
    limit_m = POSITION_LIMIT_M * has_pose
    near = abs(px) <= limit_m and abs(py) <= limit_m and abs(pz) <= limit_m
    if not (near and abs(qx * qx + qy * qy + qz * qz + qw * qw - has_pose) < UNIT_TOLERANCE):
        raise malformed(
            f"a pose at {(px, py, pz)} m with quaternion {(qx, qy, qz, qw)}",
            f"a unit quaternion within {POSITION_LIMIT_M:g} m; zeros where there is no pose",
        )
    if not 0.0 <= error_mm <= MAX_ERROR_MM:
        raise malformed(f"an expected error of {error_mm} mm", f"0 to {MAX_ERROR_MM:g} mm")


def _tool_pose(record: Record, strings: tuple[str, ...]) -> ToolPose:
    tool, to_frame, from_frame, reason, registration, code, flags, error_mm, capture_ns, *pose = record
    frames = strings[to_frame], strings[from_frame]
    numbers = read_only(np.array(pose))
    has_pose = bool(flags & HAS_POSE)
    return ToolPose(
        tool=strings[tool],
        to_frame=frames[0],
        from_frame=frames[1],
        validity=TOOL_VALIDITIES[code],
        reason=strings[reason],
        pose=UnityPose.trusted(numbers[:3], numbers[3:], *frames) if has_pose else None,
        capture_ns=capture_ns if has_pose else None,
        expected_error_mm=error_mm if flags & HAS_ERROR else None,
        registration_id=strings[registration],
    )
