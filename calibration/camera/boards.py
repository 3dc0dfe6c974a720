"""The boards that cameras are calibrated with, and where their inner corners are in a picture.

Both boards have the frame ``board``: the origin in the middle, x to the right, y up, z out of the print, in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from calibration.camera.errors import BoardViewError
from calibration.camera.views import MINIMUM_CORNERS, BoardView, board_view, homography
from geometry.extras import from_extra
from geometry.points import Floats

if TYPE_CHECKING:
    import cv2

_LEAST_CONTRAST = 8.0


class Board(Protocol):
    """What is printed."""

    @property
    def columns(self) -> int:
        """Squares across."""

    @property
    def rows(self) -> int:
        """Squares down."""

    @property
    def square_mm(self) -> float:
        """Side of a square."""

    def find(self, grey: np.ndarray, name: str) -> BoardView | LeftOut:
        """The board's corners in a picture ``(h, w)`` uint8, or why there are none."""


@dataclass(frozen=True)
class LeftOut:
    """A picture that was not used.

    Attributes:
        name: of the picture.
        reason: a sentence.
    """

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class CharucoBoard:
    """A chessboard with a marker in each light square, as ``surgnav room print --board`` makes them.

    Attributes:
        columns, rows: squares; the first one, top left, is dark.
        square_mm: side of a square.
        marker_mm: side of a marker; one of its cells stays light around each unless stated.
        first_id: number of the first marker; the others follow.
        dictionary: of its markers, OpenCV's name without ``DICT_``, such as ``4x4_50``.
    """

    columns: int
    rows: int
    square_mm: float
    dictionary: str = "4x4_50"
    marker_mm: float | None = None
    first_id: int = 0

    def find(self, grey: np.ndarray, name: str) -> BoardView | LeftOut:
        with from_extra("markers"):
            import cv2

        pixels, numbers, _, _ = cv2.aruco.CharucoDetector(self.opencv()).detectBoard(grey)
        if numbers is None or len(numbers) < MINIMUM_CORNERS:
            from calibration.camera.misprints import charuco_misprint

            seen = 0 if numbers is None else len(numbers)
            return LeftOut(name, charuco_misprint(self, grey) or _few(seen))
        corners = np.asarray(numbers).ravel()
        return _checked(self, grey, name, corners, np.asarray(pixels, dtype=np.float64).reshape(-1, 2))

    def opencv(self, dictionary: str | None = None) -> cv2.aruco.CharucoBoard:
        """OpenCV's board, in another dictionary where one is given."""
        with from_extra("markers"):
            import cv2

        patterns = patterns_of(dictionary or self.dictionary)
        along = int(patterns.markerSize) + 2
        marker_mm = self.marker_mm or self.square_mm * along / (along + 2)
        numbers = np.arange(self.first_id, self.first_id + self.columns * self.rows // 2, dtype=np.int32)
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_mm, marker_mm, patterns, numbers)


@dataclass(frozen=True, kw_only=True)
class Chessboard:
    """A plain chessboard, which must be in the picture as a whole.

    It looks the same mirrored, and turned by half a turn or moved by two squares: of one camera that changes nothing,
    but two cameras may number its corners differently. A ChArUco board has none of these doubts.

    Attributes:
        columns, rows: squares.
        square_mm: side of a square.
    """

    columns: int
    rows: int
    square_mm: float

    def find(self, grey: np.ndarray, name: str) -> BoardView | LeftOut:
        with from_extra("markers"):
            import cv2

        inner = self.columns - 1, self.rows - 1
        flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_ACCURACY
        found, pixels = cv2.findChessboardCornersSB(grey, inner, flags=flags)
        if not found:
            from calibration.camera.misprints import chessboard_misprint

            return LeftOut(name, chessboard_misprint(self, grey) or "no whole chessboard was found")
        seen = np.asarray(pixels, dtype=np.float64).reshape(inner[1], inner[0], 2)
        # OpenCV's order may start in any corner; a board seen from its front has rows that turn clockwise to columns.
        right, down = seen[0, -1] - seen[0, 0], seen[-1, 0] - seen[0, 0]
        if right[0] * down[1] - right[1] * down[0] < 0.0:
            seen = seen[:, ::-1]
        return _checked(self, grey, name, np.arange(inner[0] * inner[1]), seen.reshape(-1, 2))


def patterns_of(dictionary: str) -> cv2.aruco.Dictionary:
    """OpenCV's markers of that name, without ``DICT_``, such as ``4x4_50``."""
    with from_extra("markers"):
        import cv2

    return cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, f"DICT_{dictionary.upper()}"))


def dictionaries() -> tuple[str, ...]:
    """The names of the dictionaries of markers that OpenCV has."""
    with from_extra("markers"):
        import cv2

    return tuple(sorted(name.removeprefix("DICT_").lower() for name in dir(cv2.aruco) if name.startswith("DICT_")))


def inner_corners_mm(board: Board) -> Floats:
    """Where four squares meet, ``(n, 3)`` in ``board``, in OpenCV's order: rows from the top."""
    right = (np.arange(1, board.columns) - board.columns / 2.0) * board.square_mm
    up = (board.rows / 2.0 - np.arange(1, board.rows)) * board.square_mm
    x, y = np.meshgrid(right, up)
    return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)


def _few(seen: int) -> str:
    return (
        f"{seen} of the board's corners were found, and {MINIMUM_CORNERS} are needed" if seen else "no board was found"
    )


def _checked(board: Board, grey: np.ndarray, name: str, corners: np.ndarray, pixels: Floats) -> BoardView | LeftOut:
    flat = inner_corners_mm(board)[corners]
    try:
        blur_px = edge_width_px(grey, flat, pixels, board.square_mm)
        return board_view(name, (grey.shape[1], grey.shape[0]), corners, flat, pixels, blur_px)
    except BoardViewError as error:
        return LeftOut(name, str(error))


def edge_width_px(grey: np.ndarray, board_mm: Floats, pixels: Floats, square_mm: float) -> float:
    """Width from dark to light of the edges that meet at the corners, across the blurrier of the two directions.

    Light is sampled along short lines through each corner's neighbourhood, a quarter of a square beside the corner and
    across the edge there; contrast over the steepest rise is the width.
    """
    with from_extra("markers"):
        import cv2

    to_picture = homography(board_mm, pixels)
    steps = np.linspace(-0.22, 0.22, 23) * square_mm
    widths = []
    for axis in (0, 1):
        across, along = np.eye(2)[axis], np.eye(2)[1 - axis]
        lines = [board_mm[:, None, :2] + side * 0.25 * square_mm * along + steps[:, None] * across for side in (-1, 1)]
        flat = np.concatenate(lines).reshape(-1, 2)
        mapped = flat @ to_picture[:, :2].T + to_picture[:, 2]
        places = (mapped[:, :2] / mapped[:, 2:]).astype(np.float32).reshape(-1, len(steps), 2)
        seen = cv2.remap(grey, places[..., 0], places[..., 1], cv2.INTER_LINEAR).astype(np.float64)
        lengths = np.linalg.norm(places[:, -1] - places[:, 0], axis=1) / (len(steps) - 1)
        contrast = np.ptp(seen, axis=1)
        steepest = np.abs(seen[:, 2:] - seen[:, :-2]).max(axis=1) / 2.0
        is_edge = contrast > _LEAST_CONTRAST
        if is_edge.any():
            widths.append(float(np.median((contrast * lengths / np.maximum(steepest, 1e-3))[is_edge])))
    return max(widths, default=float("inf"))
