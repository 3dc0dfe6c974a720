"""Why a board was not found in a picture: mirrored, laid out otherwise than stated, or of another dictionary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from geometry.extras import from_extra

if TYPE_CHECKING:
    from calibration.camera.boards import CharucoBoard, Chessboard

# Largest of each family: the numbers of the smaller ones are the first of these.
_FAMILIES = ("4x4_1000", "5x5_1000", "6x6_1000", "7x7_1000", "aruco_original", "apriltag_36h11", "apriltag_25h9")
_LEAST_MARKERS = 4
_FITS_SQUARES = 0.15
_LEAST_SHARE = 0.7


def charuco_misprint(board: CharucoBoard, grey: np.ndarray) -> str | None:
    """What is wrong with the board of this picture, or None where nothing is seen of it."""
    own = _markers(board.dictionary, grey)
    if len(own) >= _LEAST_MARKERS:
        return _layout(board, own)
    if len(_markers(board.dictionary, np.ascontiguousarray(grey[:, ::-1]))) >= _LEAST_MARKERS:
        return (
            "the board is mirrored: its markers are read only in the mirrored picture; turn mirroring off in the "
            "camera, or print the board unmirrored"
        )
    for other in _FAMILIES:
        count = len(_markers(other, grey))
        if count >= _LEAST_MARKERS and other[:3] != board.dictionary[:3]:
            stated = f"where {board.dictionary} is stated: state the dictionary as it was printed"
            return f"{count} markers of {other}, {stated}"
    return None


def _markers(dictionary: str, grey: np.ndarray) -> dict[int, np.ndarray]:
    """Middles of the markers in a picture, by their numbers."""
    with from_extra("markers"):
        import cv2

    from calibration.camera.boards import patterns_of

    quads, numbers, _ = cv2.aruco.ArucoDetector(patterns_of(dictionary)).detectMarkers(grey)
    found = [] if numbers is None else [int(number) for number in np.ravel(numbers)]
    return {number: quad[0].mean(axis=0) for number, quad in zip(found, quads, strict=True)}


def _layout(board: CharucoBoard, seen: dict[int, np.ndarray]) -> str | None:
    """Whether markers that were read lie as they do on the board; if not, the layout in which they do."""
    if _fits(board.columns, board.rows, board.first_id, seen):
        return None
    stated = f"{board.columns} x {board.rows} squares from marker {board.first_id} on"
    layouts = [
        (columns, rows, first_id)
        for first_id in sorted({board.first_id, 0, min(seen)})
        for rows in range(3, 21)
        for columns in range(3, 21)
    ]
    # The one that explains most markers, and the smallest of several.
    columns, rows, first_id = max(
        layouts, key=lambda each: (_fits(each[0], each[1], each[2], seen), -each[0] * each[1])
    )
    if _fits(columns, rows, first_id, seen):
        return (
            f"the board is laid out otherwise: its markers lie as on {columns} x {rows} squares from marker "
            f"{first_id} on, where {stated} is stated; state the board as it was printed"
        )
    low, high = min(seen), max(seen)
    return f"markers {low} to {high}, which do not lie as on {stated}: state the board as it was printed"


def _fits(columns: int, rows: int, first_id: int, seen: dict[int, np.ndarray]) -> int:
    """How many of the markers lie where such a board has them, up to a projective map; 0 if most do not."""
    with from_extra("markers"):
        import cv2

    places = _places(columns, rows, first_id)
    known = [number for number in seen if number in places]
    if len(known) < max(_LEAST_MARKERS, _LEAST_SHARE * len(seen)):
        return 0
    board = np.array([places[number] for number in known])
    pixels = np.array([seen[number] for number in known])
    # From the picture to the board, so that the misfit is in squares.
    found, fitting = cv2.findHomography(pixels, board, cv2.RANSAC, _FITS_SQUARES)
    if found is None or float(np.mean(fitting)) < _LEAST_SHARE or not _is_front(found, pixels):
        return 0
    return int(np.sum(fitting))


def _is_front(to_board: np.ndarray, pixels: np.ndarray) -> bool:
    middle = to_board[2, :2] @ pixels.mean(axis=0) + to_board[2, 2]
    return bool(np.linalg.det(to_board) / middle**3 > 0.0)


def _places(columns: int, rows: int, first_id: int) -> dict[int, tuple[float, float]]:
    """Middles of a board's markers, in squares from its top left, x right and y down, by number."""
    light = [(column, row) for row in range(rows) for column in range(1 - row % 2, columns, 2)]
    return {first_id + number: (column + 0.5, row + 0.5) for number, (column, row) in enumerate(light)}


def chessboard_misprint(board: Chessboard, grey: np.ndarray) -> str | None:
    """The chessboard that is in the picture instead of the stated one, or None where none is."""
    with from_extra("markers"):
        import cv2

    flags = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_LARGER
    found, _, meta = cv2.findChessboardCornersSBWithMeta(grey, (3, 3), flags)
    if not found:
        return None
    # It need not have grown to the whole board, so that no more can be said than what is there at least.
    rows, columns = meta.shape[0] + 1, meta.shape[1] + 1
    return (
        f"a chessboard of at least {columns} x {rows} squares is seen, but not one of {board.columns} x {board.rows}: "
        "count its squares, dark and light, and show all of it"
    )
