"""A recorded message of the pose socket at another time: as it was, but for its number and its times."""

from __future__ import annotations

import struct

from unity_bridge.wire.envelope import malformed, pack_header, unpack_message
from unity_bridge.wire.generated.constants import (
    FIELD_HEAD,
    HAS_POSE,
    TAG_POSE_BATCH_TOOLS,
    TOOL_RECORD,
    TOOL_TABLE_HEAD,
    MessageType,
)

_FLAGS_AT, _CAPTURE_AT = 11, 16  # in a tool's record; its time is 0 without a pose
_TIME = struct.Struct("<q")


def restamped(message: bytes, later: int, shift_ns: int) -> bytes:
    """The message with a number that is `later` by so many, and times that are later by `shift_ns`.

    Raises:
        WireError: it is no message of the wire.
    """
    if not later and not shift_ns:
        return message
    header, fields = unpack_message(message)
    body = bytearray(fields)
    if header.message_type == MessageType.POSE_BATCH:
        _shift_tools(body, shift_ns)
    names = vars(header) | {"sequence": header.sequence + later, "capture_ns": header.capture_ns + shift_ns}
    return pack_header(type(header)(**names), len(body)) + bytes(body)


def _shift_tools(body: bytearray, shift_ns: int) -> None:
    """Shifts the time of capture of each tool that has a pose."""
    at = 0
    while at + FIELD_HEAD.size <= len(body):
        tag, length = FIELD_HEAD.unpack_from(body, at)
        at += FIELD_HEAD.size
        if tag == TAG_POSE_BATCH_TOOLS:
            stride, count = TOOL_TABLE_HEAD.unpack_from(body, at)
            first = at + TOOL_TABLE_HEAD.size
            if stride < TOOL_RECORD.size or first + stride * count > at + length:
                raise malformed(f"{count} tools of {stride} bytes", "records within the field")
            for start in range(first, first + stride * count, stride):
                if body[start + _FLAGS_AT] & HAS_POSE:
                    (capture_ns,) = _TIME.unpack_from(body, start + _CAPTURE_AT)
                    _TIME.pack_into(body, start + _CAPTURE_AT, capture_ns + shift_ns)
        at += length
