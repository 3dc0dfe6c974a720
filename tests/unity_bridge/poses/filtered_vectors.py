"""A pose batch with a filtered tool, for the golden messages."""

import dataclasses

import numpy as np

from geometry.transform import Transform
from unity_bridge.poses.encoder import encode_pose_batch
from unity_bridge.poses.tool_state import Filtering, ToolState
from unity_bridge.wire.envelope import Header, Validity


def filtered_batch(header: Header, tools: list[ToolState]) -> bytes:
    """These tools, the first valid one filtered."""
    index = next(index for index, each in enumerate(tools) if each.validity is Validity.VALID)
    tool = tools[index]
    matrix = tool.T_to_from.matrix.copy()
    matrix[:3, 3] += [1.0, -2.0, 0.5]
    raw = Transform(matrix, tool.to_frame, tool.from_frame)
    known, filtering = np.diag([0.25, 0.5, 1.0]), Filtering(raw=raw, delay_ms=12.5, ahead_ms=31.25)
    tools[index] = dataclasses.replace(tool, covariance_mm2=known, filtering=filtering)
    return encode_pose_batch(dataclasses.replace(header, sequence=1004), tools)
