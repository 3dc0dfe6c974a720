"""Tools of printed markers, and a camera that sees them: what tests, benchmarks and rehearsals render.

The tools are described as a room file describes them, and as the faces that `marker_video` renders.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from calibration.camera.camera_file import CameraCalibration
from geometry import Transform
from navigation.devices.optical_markers.bodies import board_cells, cells_along, marker_cells
from navigation.devices.optical_markers.settings import BoardSettings, Dictionary, MarkerSettings
from navigation.simulation.marker_video import Face

DICTIONARY = Dictionary.ARUCO_4X4_50
SIDES_LEAN_DEG = 25.0
# Reflectance of ink and paper.
_DARK, _LIGHT = 0.04, 0.84

Faces = list[tuple[Face, Transform]]


def camera(width_px: int = 320, height_px: int = 240, focal_px: float = 420.0) -> CameraCalibration:
    """A camera whose lens bends, whose pixels are not square and whose middle is not that of the picture."""
    return CameraCalibration(
        width_px=width_px,
        height_px=height_px,
        fx_px=focal_px,
        fy_px=focal_px - 2.0,
        cx_px=width_px / 2.0 - 3.0,
        cy_px=height_px / 2.0 + 2.0,
        distortion=(-0.12, 0.04, 0.001, -0.0005, 0.0),
        reprojection_rms_px=0.02,
        calibrated="2026-11-26T12:00:00+00:00",
    )


def row(sides_lean_deg: float = 0.0, size_mm: float = 24.0) -> list[MarkerSettings]:
    """Three markers side by side, of which the outer two lean back."""
    step_mm = size_mm * 4.0 / 3.0
    return [
        _marker(number, size_mm, Rotation.from_euler("y", turn_deg, degrees=True), np.array([place_mm, 0.0, 0.0]))
        for number, (turn_deg, place_mm) in enumerate(
            ((-sides_lean_deg, -step_mm), (0.0, 0.0), (sides_lean_deg, step_mm))
        )
    ]


def block(
    first_id: int, size_mm: float, leans_deg: float = 0.0, top_mm: Sequence[float] = (0.0, 0.0, 0.0)
) -> list[MarkerSettings]:
    """Three sides of a flat pyramid whose axis is z, leaned by `leans_deg` towards y; its top is at `top_mm`."""
    # Squares in thirds of a circle do not cut one another beyond 0.8 of their length; the margin belongs to them.
    from_top_mm = 0.85 * size_mm * (cells_along(DICTIONARY) + 2) / cells_along(DICTIONARY)
    turns = [
        Rotation.from_euler("XZY", [-leans_deg, azimuth_deg, SIDES_LEAN_DEG], degrees=True)
        for azimuth_deg in (90.0, 210.0, 330.0)
    ]
    return [
        _marker(first_id + number, size_mm, turn, turn.apply([from_top_mm, 0.0, 0.0]) + np.asarray(top_mm))
        for number, turn in enumerate(turns)
    ]


def marker_face(number: int, size_mm: float, dictionary: Dictionary = DICTIONARY) -> Face:
    """A printed marker with a light margin of one cell."""
    return _printed(np.pad(marker_cells(dictionary, number), 1, constant_values=1.0), size_mm / cells_along(dictionary))


def board_face(board: BoardSettings, dictionary: Dictionary = DICTIONARY) -> Face:
    """A printed board."""
    cells = board_cells(board, dictionary)
    return _printed(cells, board.square_mm * board.columns / cells.shape[1])


def card(width_mm: float, height_mm: float) -> Face:
    """Something grey that hides what is behind it."""
    return Face(np.full((round(height_mm), round(width_mm)), 0.3, dtype=np.float32), 1.0)


def faces_of(markers: Sequence[MarkerSettings], tool: str) -> Faces:
    """The printed faces of a tool, in its own frame."""
    return [
        (
            marker_face(each.id, each.size_mm),
            Transform.from_rotation(
                Rotation.from_quat(each.quaternion_xyzw), each.centre_mm, tool, f"marker_{each.id}"
            ),
        )
        for each in markers
    ]


def placed(faces: Faces, T_to_tool: Transform) -> Faces:
    """Faces of a tool, in the frame that the tool is placed in."""
    return [(face, T_to_tool @ T_tool_face) for face, T_tool_face in faces]


def _marker(number: int, size_mm: float, turn: Rotation, centre_mm: np.ndarray) -> MarkerSettings:
    """As it stands in a room file: rounded there, so that what is rendered is what is written."""
    centre, quaternion = (np.round(each, 9).tolist() for each in (centre_mm, turn.as_quat()))
    return MarkerSettings(id=number, size_mm=size_mm, centre_mm=centre, quaternion_xyzw=quaternion)


def _printed(cells: np.ndarray, cell_mm: float) -> Face:
    return Face((_DARK + (_LIGHT - _DARK) * cells).astype(np.float32), cell_mm)
