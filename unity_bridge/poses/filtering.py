"""The filtered tools of a pose batch: the measured pose of each, and its filter's delay and prediction.

The table has one record for each filtered tool, in the order of the tool table, and is not there where no tool
is filtered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.convention import many_pose_numbers
from unity_bridge.wire.envelope import malformed, pack_field
from unity_bridge.wire.generated.constants import (
    FILTERED_RECORD,
    MAX_FILTERING_MS,
    POSITION_LIMIT_M,
    TAG_POSE_BATCH_FILTERED,
    TOOL_TABLE_HEAD,
    UNIT_TOLERANCE,
)

Filtered = tuple[float, ...]
"""Delay and prediction in ms, then the measured pose: position (3) in m, quaternion (4); in Unity's convention."""


def filtered_field(tools: Sequence[ToolState]) -> bytes:
    """The field with the table of the filtered ones of these tools; empty if there are none."""
    found = [(index, each.filtering) for index, each in enumerate(tools) if each.filtering is not None]
    if not found:
        return b""
    raw = many_pose_numbers([filtering.raw for _, filtering in found])
    records = [
        FILTERED_RECORD.pack(index, filtering.delay_ms, filtering.ahead_ms, *pose)
        for (index, filtering), pose in zip(found, raw, strict=True)
    ]
    head = TOOL_TABLE_HEAD.pack(FILTERED_RECORD.size, len(records))
    return pack_field(TAG_POSE_BATCH_FILTERED, head + b"".join(records))


def check_filtered_place(behind: int, size: int) -> None:
    """Checks where the table is: so many bytes behind the tools and their covariances, and of which size.

    Raises:
        MalformedMessageError: it is before one of these, or too short for its head.
    """
    if behind < 0:
        raise malformed("a filtered table before the tools or their covariances", "these tables first")
    if size < TOOL_TABLE_HEAD.size:
        raise malformed(f"a filtered table of {size} bytes", f"at least {TOOL_TABLE_HEAD.size}")


def read_filtered(payload: bytes | memoryview, valid: Sequence[bool]) -> Mapping[int, Filtered]:
    """The filtered tools by the index of their records; none in an empty payload.

    Args:
        valid: of each tool of the batch, whether it is valid.

    Raises:
        MalformedMessageError: records that are too short, of tools that are not there or not valid, or in which a
            number cannot be.
    """
    if not payload:
        return {}
    stride, count = TOOL_TABLE_HEAD.unpack_from(payload)
    if stride < FILTERED_RECORD.size or count > len(valid) or stride * count > len(payload) - TOOL_TABLE_HEAD.size:
        raise malformed(
            f"{count} filtered tools of {stride} bytes in {len(payload)} bytes",
            f"at most {len(valid)} of at least {FILTERED_RECORD.size} bytes, within the field",
        )
    found: dict[int, Filtered] = {}
    last = -1
    for start in range(TOOL_TABLE_HEAD.size, TOOL_TABLE_HEAD.size + stride * count, stride):
        index, *numbers = FILTERED_RECORD.unpack_from(payload, start)
        if not (last < index < len(valid) and valid[index]):
            raise malformed(f"tool {index} filtered", "valid tools of the batch only, each once and in their order")
        _check(*numbers)
        found[index], last = tuple(numbers), index
    return found


def _check(
    delay_ms: float, ahead_ms: float, px: float, py: float, pz: float, qx: float, qy: float, qz: float, qw: float
) -> None:
    """Raises `MalformedMessageError` for values that the protocol excludes. Written so that NaN fails."""
    if not (0.0 <= delay_ms <= MAX_FILTERING_MS and 0.0 <= ahead_ms <= MAX_FILTERING_MS):
        raise malformed(f"a delay of {delay_ms} ms and a prediction by {ahead_ms} ms", f"0 to {MAX_FILTERING_MS} ms")
    is_near = abs(px) <= POSITION_LIMIT_M and abs(py) <= POSITION_LIMIT_M and abs(pz) <= POSITION_LIMIT_M
    if not (is_near and abs(qx * qx + qy * qy + qz * qz + qw * qw - 1.0) < UNIT_TOLERANCE):
        raise malformed(
            f"a measured pose at {px, py, pz} m with the quaternion {qx, qy, qz, qw}",
            f"a unit quaternion within {POSITION_LIMIT_M} m",
        )
