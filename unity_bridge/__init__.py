"""The wire between SurgNav and headsets: Unity's convention, poses, surfaces and control over ZeroMQ.

``unity_bridge.client`` is the other end, in Python. docs/protocol.md is the wire, byte by byte.
"""

from unity_bridge.control.server import ControlServer
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.surfaces.payload import decode_surface, encode_surface
from unity_bridge.surfaces.server import SurfaceServer

__all__ = ["ControlServer", "PosePublisher", "SurfaceServer", "ToolState", "decode_surface", "encode_surface"]
