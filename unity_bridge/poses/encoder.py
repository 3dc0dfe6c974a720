"""Encoding of pose batches: the states of all tools at one instant, in one message.

A pose loop sleeps between frames and wakes with cold caches, so the latency depends on how much code and memory a batch
touches. Names, reasons, validities and expected errors rarely change: their bytes are kept from batch to batch, and one
call of `struct` packs the whole message.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from unity_bridge.errors import InvalidPoseError
from unity_bridge.poses.covariance import NUMBERS
from unity_bridge.poses.filtering import filtered_field
from unity_bridge.poses.record import FIXED_PART, LIVE_FORMAT
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.convention import covariance_numbers, many_pose_numbers
from unity_bridge.wire.envelope import HEADER_BYTES, Header, pack_field, pack_header
from unity_bridge.wire.generated.constants import (
    COVARIANCE_RECORD,
    FIELD_HEAD,
    HAS_ERROR,
    HAS_POSE,
    MAX_TOOLS,
    TAG_POSE_BATCH_COVARIANCES,
    TAG_POSE_BATCH_REASON,
    TAG_POSE_BATCH_STRINGS,
    TAG_POSE_BATCH_TOOLS,
    TEXT_LIMIT_BYTES,
    TOOL_RECORD,
    TOOL_TABLE_HEAD,
    VALIDITY_CODES,
)

_STRING_HEAD = struct.Struct("<H")
_NO_POSE = (0.0,) * 7
_UNKNOWN = (0.0,) * NUMBERS
_kept: Any = attrgetter("tool", "to_frame", "from_frame", "reason", "registration_id", "validity", "expected_error_mm")


class PoseBatchEncoder:
    """Encodes pose batches; the bytes that do not change from one to the next are kept."""

    def __init__(self) -> None:
        self._tools: list[tuple[Any, ...]] | None = None
        self._reason = ""
        self._layout = struct.Struct("<")
        self._before = b""  # from the end of the header to the first record
        self._records: list[tuple[bytes, bytes]] = []  # the fixed part of each, without a pose and with one
        self._has_covariances = False
        self._between = b""  # the head of the covariance table
        self._after = b""

    def encode(self, header: Header, tools: Sequence[ToolState], reason: str = "") -> bytes:
        """Converts all poses to Unity's convention and packs the batch.

        Args:
            header: header of type POSE_BATCH, with the capture time and the validity of the batch as a whole.
            tools: at most `MAX_TOOLS`, each name once.
            reason: why the batch as a whole is not valid.

        Raises:
            InvalidPoseError: too many tools, a name twice, a text that is too long, or no validity in the header.
        """
        if header.validity is None:
            raise _not_sendable(len(tools), header)
        tools_now = [*map(_kept, tools)]
        covariances = [state.covariance_mm2 for state in tools]
        has_covariances = any(each is not None for each in covariances)
        if tools_now != self._tools or reason != self._reason or has_covariances != self._has_covariances:
            self._lay_out(tools_now, reason, has_covariances, header)
        poses = iter(many_pose_numbers([state.T_to_from for state in tools if state.T_to_from is not None]))
        batch_ns = header.capture_ns
        values: list[Any] = []
        for state, (without, with_pose) in zip(tools, self._records, strict=True):
            if state.T_to_from is None:
                values += (without, 0, *_NO_POSE)
            else:
                values += (with_pose, batch_ns if state.capture_ns is None else state.capture_ns, *next(poses))
        if has_covariances:
            values.append(self._between)
            for covariance in covariances:
                values += _UNKNOWN if covariance is None else covariance_numbers(covariance)
        filtered = filtered_field(tools)
        body_bytes = self._layout.size - HEADER_BYTES + len(filtered)
        return self._layout.pack(pack_header(header, body_bytes), self._before, *values, self._after) + filtered

    def _lay_out(self, tools: list[tuple[Any, ...]], reason: str, has_covariances: bool, header: Header) -> None:
        if len(tools) > MAX_TOOLS or len({tool[0] for tool in tools}) != len(tools):
            raise _not_sendable(len(tools), header)
        table: dict[str, int] = {"": 0}
        records = []
        for *names, validity, error_mm in tools:
            indices = [table.setdefault(name, len(table)) for name in names]
            flags = 0 if error_mm is None else HAS_ERROR
            fixed = (*indices, VALIDITY_CODES[validity])
            without, with_pose = (FIXED_PART.pack(*fixed, each, error_mm or 0.0) for each in (flags, flags | HAS_POSE))
            records.append((without, with_pose))
        after = pack_field(TAG_POSE_BATCH_REASON, reason.encode()) if reason else b""
        table_bytes = TOOL_TABLE_HEAD.size + TOOL_RECORD.size * len(records)
        before = (
            pack_field(TAG_POSE_BATCH_STRINGS, b"".join(map(_pack_string, table)))
            + FIELD_HEAD.pack(TAG_POSE_BATCH_TOOLS, table_bytes)
            + TOOL_TABLE_HEAD.pack(TOOL_RECORD.size, len(records))
        )
        between = _covariance_head(len(records)) if has_covariances else b""
        errors = f"{len(between)}s{NUMBERS * len(records)}f" if has_covariances else ""
        record = f"{FIXED_PART.size}s{LIVE_FORMAT}"
        self._layout = struct.Struct(f"<{HEADER_BYTES}s{len(before)}s{record * len(records)}{errors}{len(after)}s")
        self._before, self._records, self._between, self._after = before, records, between, after
        self._tools, self._reason, self._has_covariances = tools, reason, has_covariances


def encode_pose_batch(header: Header, tools: Sequence[ToolState], reason: str = "") -> bytes:
    """Encodes a single batch; arguments and errors as for `PoseBatchEncoder.encode`."""
    return PoseBatchEncoder().encode(header, tools, reason)


def _covariance_head(count: int) -> bytes:
    head = TOOL_TABLE_HEAD.pack(COVARIANCE_RECORD.size, count)
    return FIELD_HEAD.pack(TAG_POSE_BATCH_COVARIANCES, len(head) + COVARIANCE_RECORD.size * count) + head


def _pack_string(text: str) -> bytes:
    payload = text.encode()
    if len(payload) > TEXT_LIMIT_BYTES:
        raise InvalidPoseError(f"a text of {len(payload)} bytes", f"at most {TEXT_LIMIT_BYTES}", "shorten it")
    return _STRING_HEAD.pack(len(payload)) + payload


def _not_sendable(count: int, header: Header) -> InvalidPoseError:
    return InvalidPoseError(
        f"a batch of {count} tools with validity {header.validity}",
        f"a validity and at most {MAX_TOOLS} tools, each name once",
        "send one state per tool",
    )
