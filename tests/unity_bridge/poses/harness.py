"""One tool in a batch of poses, and a batch with some of its bytes replaced."""

import dataclasses
import struct

from geometry.clock import ManualClock
from geometry.transform import Transform
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import (
    HEADER_BYTES,
    MessageType,
    Session,
    Validity,
    unpack_fields,
    unpack_message,
)
from unity_bridge.wire.generated.constants import TAG_POSE_BATCH_TOOLS as TAG_TOOLS

CAPTURE_NS = 1_000_000_007
HEADER = dataclasses.replace(
    Session(bytes(16), ManualClock()).header(MessageType.POSE_BATCH, 41, CAPTURE_NS), validity=Validity.VALID
)
T_REFERENCE_TIP = Transform(
    [[1, 0, 0, 100.0], [0, 0, -1, 200.0], [0, 1, 0, -300.0], [0, 0, 0, 1]], "reference", "stylus_tip"
)
# Single precision at 2 m is 2.4e-7 m; quaternions round to 6e-8.
SINGLE_M = 2.5e-7


def tool(**changes) -> ToolState:
    state = {
        "tool": "stylus",
        "to_frame": "reference",
        "from_frame": "stylus_tip",
        "validity": Validity.VALID,
        "T_to_from": T_REFERENCE_TIP,
    }
    return ToolState(**(state | changes))


def patched(message: bytes, at: int, layout: str, *values) -> bytes:
    """The message with the first tool's record changed at byte `at`."""
    _, body = unpack_message(message)
    start = HEADER_BYTES
    for tag, payload in unpack_fields(body):
        start += 6
        if tag == TAG_TOOLS:
            break
        start += len(payload)
    changed = bytearray(message)
    struct.pack_into("<" + layout, changed, start + 4 + at, *values)
    return bytes(changed)
