"""Rendered pictures of printed markers with their truth."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.camera.camera_file import CameraCalibration
from geometry import Transform
from navigation.devices.optical_markers.bodies import Body, board_cells, cells_along, marker_cells
from navigation.devices.optical_markers.settings import BoardSettings, Dictionary, MarkerSettings
from navigation.simulation.marker_video import Face, MarkerCamera

DICTIONARY = Dictionary.ARUCO_4X4_50
CAMERA = CameraCalibration(
    width_px=320,
    height_px=240,
    fx_px=420.0,
    fy_px=418.0,
    cx_px=157.0,
    cy_px=122.0,
    distortion=(-0.12, 0.04, 0.001, -0.0005, 0.0),
    reprojection_rms_px=0.03,
    calibrated="2026-11-26T12:00:00+00:00",
)
HERE = Transform(np.eye(4), "camera", "tracker")
MARKERS = [MarkerSettings(id=number, size_mm=24.0, centre_mm=(32.0 * number - 32.0, 0.0, 0.0)) for number in range(3)]
# The outer two lean back by 25 degrees, as on a block.
LEANING = [
    each.model_copy(update={"quaternion_xyzw": tuple(Rotation.from_euler("y", turn, degrees=True).as_quat())})
    for each, turn in zip(MARKERS, (-25.0, 0.0, 25.0), strict=True)
]


def camera(seed: int = 1) -> MarkerCamera:
    return MarkerCamera(CAMERA, seed=seed)


def body(markers: list[MarkerSettings], tool: str = "stylus") -> Body:
    return Body(tool, {each.id: each.corners_tool_mm for each in markers}, None)


def face(number: int, size_mm: float, dictionary: Dictionary = DICTIONARY) -> Face:
    """A printed marker with a light margin of one cell."""
    cells = np.pad(marker_cells(dictionary, number), 1, constant_values=1.0)
    return Face((0.04 + 0.8 * cells).astype(np.float32), size_mm / cells_along(dictionary))


def board_face(board: BoardSettings) -> Face:
    cells = board_cells(board, DICTIONARY)
    return Face((0.04 + 0.8 * cells).astype(np.float32), board.square_mm * board.columns / cells.shape[1])


def placed(markers: list[MarkerSettings], T_camera_tool: Transform) -> list[tuple[Face, Transform]]:
    """The faces of a tool, in the frame ``camera``."""
    return [
        (
            face(each.id, each.size_mm),
            T_camera_tool
            @ Transform.from_rotation(
                Rotation.from_quat(each.quaternion_xyzw), each.centre_mm, T_camera_tool.from_frame, f"marker_{each.id}"
            ),
        )
        for each in markers
    ]


def facing(tilt_deg: float, distance_mm: float, turn_deg: float = 10.0, tool: str = "stylus") -> Transform:
    """``T_camera_<tool>`` of a tool that looks at the camera, tilted about an axis in the picture."""
    rotation = Rotation.from_euler("zx", [turn_deg, 180.0 + tilt_deg], degrees=True)
    return Transform.from_rotation(rotation, [6.0, -4.0, distance_mm], "camera", tool)


def card(width_mm: float, height_mm: float) -> Face:
    """Something grey that hides what is behind it."""
    return Face(np.full((round(height_mm), round(width_mm)), 0.3, dtype=np.float32), 1.0)
