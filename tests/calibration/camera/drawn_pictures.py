"""Pictures of printed boards as a pinhole sees them, drawn by OpenCV from the printed page."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from calibration.camera.boards import CharucoBoard, Chessboard

SIZE = (400, 300)
FOCAL_PX = 380.0
CHARUCO = CharucoBoard(columns=7, rows=5, square_mm=20.0)
CHESSBOARD = Chessboard(columns=9, rows=6, square_mm=15.0)
_PX_PER_MM = 6.0


def page(board: CharucoBoard | Chessboard) -> np.ndarray:
    """The printed board, without a margin, at 6 px for each mm."""
    size = round(board.columns * board.square_mm * _PX_PER_MM), round(board.rows * board.square_mm * _PX_PER_MM)
    if isinstance(board, CharucoBoard):
        return board.opencv().generateImage(size)
    dark = np.add.outer(np.arange(board.rows), np.arange(board.columns)) % 2 == 0
    return np.kron(np.where(dark, 0, 255), np.ones((size[1] // board.rows, size[0] // board.columns))).astype(np.uint8)


def picture(
    board: CharucoBoard | Chessboard,
    turn_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    at_mm: tuple[float, float, float] = (0.0, 0.0, 230.0),
) -> np.ndarray:
    """A grey picture of the board, turned about the axes of the camera from facing it, its middle at `at_mm`."""
    printed = page(board)
    height, width = printed.shape
    # From pixels of the page to mm of the board, with y up, and on to the picture.
    to_board = np.array(
        [[1 / _PX_PER_MM, 0, -width / 2 / _PX_PER_MM], [0, -1 / _PX_PER_MM, height / 2 / _PX_PER_MM], [0, 0, 1]]
    )
    rotation = (Rotation.from_euler("xyz", turn_deg, degrees=True) * Rotation.from_euler("x", np.pi)).as_matrix()
    matrix = np.array([[FOCAL_PX, 0, SIZE[0] / 2], [0, FOCAL_PX, SIZE[1] / 2], [0, 0, 1]])
    mapped = matrix @ np.column_stack([rotation[:, :2], at_mm]) @ to_board
    # Drawn three times as large and averaged, so that edges are not jagged.
    fine = np.diag([3.0, 3.0, 1.0]) @ mapped
    drawn = cv2.warpPerspective(
        printed, fine, (3 * SIZE[0], 3 * SIZE[1]), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT, borderValue=200
    )
    return cv2.GaussianBlur(cv2.resize(drawn, SIZE, interpolation=cv2.INTER_AREA), (0, 0), 0.7)
