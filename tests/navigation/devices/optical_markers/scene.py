"""Rendered pictures of printed markers with their truth."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Transform
from navigation.devices.optical_markers.bodies import Body
from navigation.devices.optical_markers.settings import MarkerSettings
from navigation.simulation import printed_tools
from navigation.simulation.marker_video import MarkerCamera
from navigation.simulation.printed_tools import Faces, faces_of, row

CAMERA = printed_tools.camera()
HERE = Transform(np.eye(4), "camera", "tracker")
MARKERS, LEANING = row(), row(sides_lean_deg=25.0)


def camera(seed: int = 1) -> MarkerCamera:
    return MarkerCamera(CAMERA, seed=seed)


def body(markers: list[MarkerSettings], tool: str = "stylus") -> Body:
    return Body(tool, {each.id: each.corners_tool_mm for each in markers}, None)


def placed(markers: list[MarkerSettings], T_camera_tool: Transform) -> Faces:
    """The faces of a tool, in the frame ``camera``."""
    return printed_tools.placed(faces_of(markers, T_camera_tool.from_frame), T_camera_tool)


def facing(tilt_deg: float, distance_mm: float, turn_deg: float = 10.0, tool: str = "stylus") -> Transform:
    """``T_camera_<tool>`` of a tool that looks at the camera, tilted about an axis in the picture."""
    rotation = Rotation.from_euler("zx", [turn_deg, 180.0 + tilt_deg], degrees=True)
    return Transform.from_rotation(rotation, [6.0, -4.0, distance_mm], "camera", tool)
