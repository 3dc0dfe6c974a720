"""The layout of a tool's record in two parts: fields that rarely change between batches, and the pose with its time."""

from __future__ import annotations

import struct
from typing import Any

from unity_bridge.wire.envelope import TOOL_VALIDITIES, malformed
from unity_bridge.wire.generated.constants import (
    HAS_POSE,
    MAX_ERROR_MM,
    POSITION_LIMIT_M,
    TOOL_RECORD,
    UNIT_TOLERANCE,
    VALIDITY_CODES,
    Validity,
)

# The fields before the capture time: five indices, validity, flags, expected error.
FIXED_FIELDS = 8
_LIVE_FROM = TOOL_RECORD.format.index("q")
FIXED_PART = struct.Struct(TOOL_RECORD.format[:_LIVE_FROM])
LIVE_FORMAT = TOOL_RECORD.format[_LIVE_FROM:]
# Number of values in it: the capture time, three of the position, four of the rotation.
LIVE_FIELDS = 8
_LOST = VALIDITY_CODES[Validity.LOST]
_VALID = VALIDITY_CODES[Validity.VALID]


def check_numbers(record: tuple[Any, ...]) -> None:
    """Raises `MalformedMessageError` for values that the protocol excludes. Written so that NaN fails."""
    _, _, _, _, _, code, flags, error_mm, _, px, py, pz, qx, qy, qz, qw = record
    has_pose = flags & HAS_POSE
    if code not in TOOL_VALIDITIES:
        raise malformed(f"a tool's validity code {code}", f"one of {sorted(TOOL_VALIDITIES)}")
    if (code == _LOST and has_pose) or (code == _VALID and not has_pose):
        raise malformed("a lost tool with a pose, or a valid one without", "a pose if valid, none if lost")
    # Without a pose all numbers are zero; with one, the position is limited and the quaternion a unit one.
    limit_m = POSITION_LIMIT_M * has_pose
    near = abs(px) <= limit_m and abs(py) <= limit_m and abs(pz) <= limit_m
    if not (near and abs(qx * qx + qy * qy + qz * qz + qw * qw - has_pose) < UNIT_TOLERANCE):
        raise malformed(
            f"a pose at {(px, py, pz)} m with quaternion {(qx, qy, qz, qw)}",
            f"a unit quaternion within {POSITION_LIMIT_M:g} m; zeros where there is no pose",
        )
    if not 0.0 <= error_mm <= MAX_ERROR_MM:
        raise malformed(f"an expected error of {error_mm} mm", f"0 to {MAX_ERROR_MM:g} mm")
