"""The layout of a tool's record in two parts: fields that rarely change between batches, and the pose with its time."""

from __future__ import annotations

import struct

from unity_bridge.wire.generated.constants import TOOL_RECORD

# The fields before the capture time: five indices, validity, flags, expected error.
FIXED_FIELDS = 8
_LIVE_FROM = TOOL_RECORD.format.index("q")
FIXED_PART = struct.Struct(TOOL_RECORD.format[:_LIVE_FROM])
LIVE_FORMAT = TOOL_RECORD.format[_LIVE_FROM:]
# Number of values in it: the capture time, three of the position, four of the rotation.
LIVE_FIELDS = 8
