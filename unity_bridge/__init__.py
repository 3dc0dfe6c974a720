"""The wire between SurgNav and headsets: Unity's convention, poses, surfaces and control over ZeroMQ.

``unity_bridge.client`` is the other end, in Python. docs/protocol.md is the wire, byte by byte.
"""

from unity_bridge.control_server import ControlServer
from unity_bridge.pose_publisher import PosePublisher
from unity_bridge.surface_payload import decode_surface, encode_surface
from unity_bridge.surface_server import SurfaceServer
from unity_bridge.tool_state import ToolState

__all__ = ["ControlServer", "PosePublisher", "SurfaceServer", "ToolState", "decode_surface", "encode_surface"]
