from unity_bridge.control.server import ControlServer as ControlServer
from unity_bridge.poses.publisher import PosePublisher as PosePublisher
from unity_bridge.poses.tool_state import ToolState as ToolState
from unity_bridge.surfaces.payload import decode_surface as decode_surface, encode_surface as encode_surface
from unity_bridge.surfaces.server import SurfaceServer as SurfaceServer
