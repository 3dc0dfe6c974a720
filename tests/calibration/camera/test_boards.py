"""Boards in pictures: corners where they are, and a sentence for what is not the stated board."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from calibration.camera.boards import CharucoBoard, Chessboard, LeftOut, inner_corners_mm
from calibration.camera.views import BoardView, homography
from tests.calibration.camera.drawn_pictures import CHARUCO, CHESSBOARD, FOCAL_PX, SIZE, picture

TURN, AT = (20.0, -25.0, 10.0), (5.0, -8.0, 230.0)


@pytest.mark.parametrize("board", [CHARUCO, CHESSBOARD], ids=["charuco", "chessboard"])
def test_corners_are_where_a_flat_board_has_them(board: CharucoBoard | Chessboard) -> None:
    view = board.find(picture(board, TURN, AT), "a")
    assert isinstance(view, BoardView)
    assert len(view) == (board.columns - 1) * (board.rows - 1)
    assert np.array_equal(view.board_mm, inner_corners_mm(board)[view.corners])
    matrix = homography(view.board_mm, view.pixels)
    mapped = view.board_mm[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    # No lens distortion was drawn: what is left is the finder's error, and the drawing's.
    assert np.sqrt(np.mean((mapped[:, :2] / mapped[:, 2:] - view.pixels) ** 2)) < 0.15
    # In the middle of the board the picture shows what stands at `AT`; half a pixel is the drawing's own rounding.
    middle = matrix[:2, 2] / matrix[2, 2]
    expected = np.array(SIZE) / 2.0 + FOCAL_PX * np.array(AT[:2]) / AT[2]
    assert np.abs(middle - expected).max() < 0.7


def reason(board: CharucoBoard | Chessboard, grey: np.ndarray) -> str:
    found = board.find(grey, "a")
    assert isinstance(found, LeftOut)
    return found.reason


def test_a_mirrored_board_is_said() -> None:
    assert "the board is mirrored" in reason(CHARUCO, np.ascontiguousarray(picture(CHARUCO, TURN)[:, ::-1]))


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (replace(CHARUCO, columns=5, rows=7), "7 x 5 squares from marker 0 on"),
        (replace(CHARUCO, first_id=20), "7 x 5 squares from marker 0 on"),
        (replace(CHARUCO, dictionary="6x6_50"), "markers of 4x4_1000"),
    ],
    ids=["columns for rows", "another first marker", "another dictionary"],
)
def test_another_layout_than_stated_is_said(stated: CharucoBoard, said: str) -> None:
    assert said in reason(stated, picture(CHARUCO, (10.0, -12.0, 4.0)))


def test_another_chessboard_than_stated_is_said() -> None:
    found = reason(Chessboard(columns=8, rows=7, square_mm=15.0), picture(CHESSBOARD))
    assert "a chessboard of at least" in found
    assert "not one of 8 x 7" in found


def test_a_picture_without_a_board_is_said() -> None:
    assert "no board" in reason(CHARUCO, np.full((300, 400), 120, dtype=np.uint8))
    assert "no whole chessboard" in reason(CHESSBOARD, np.full((300, 400), 120, dtype=np.uint8))


def test_blur_is_measured_across_the_blurrier_direction() -> None:
    sharp = picture(CHARUCO)
    kernel = np.full((1, 5), 0.2, dtype=np.float32)  # a motion by 5 px to the right
    widths = [CHARUCO.find(grey, "a").blur_px for grey in (sharp, cv2.filter2D(sharp, -1, kernel))]
    assert 1.0 < widths[0] < 4.0
    assert widths[1] == pytest.approx(5.0, abs=1.5)
