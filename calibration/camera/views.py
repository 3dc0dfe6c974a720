"""One picture of a board: which of its inner corners were seen, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from calibration.camera.errors import BoardViewError
from geometry.points import Floats, read_only

MINIMUM_CORNERS = 6
# A board narrower than this is one whose squares are given in metres; a printed one is never wider than this.
_NARROWEST_MM, _WIDEST_MM = 5.0, 5000.0
_OUTSIDE_PX = 2.0


@dataclass(frozen=True, eq=False)
class BoardView:
    """The corners of a flat board in one picture.

    Attributes:
        name: of the picture.
        width_px, height_px: its size.
        corners: ``(n,)`` int, the number of each corner on the board: what pictures of two cameras have in common.
        board_mm: the corners in the frame ``board``, ``(n, 3)``: x to the right, y up, z out of the print, all z 0.
        pixels: where they were seen, ``(n, 2)``; the middle of the first pixel is (0, 0).
        blur_px: width of the board's edges from dark to light; None if it was not measured.
    """

    name: str
    width_px: int
    height_px: int
    corners: np.ndarray
    board_mm: Floats
    pixels: Floats
    blur_px: float | None = None

    def __len__(self) -> int:
        return len(self.corners)


def board_view(
    name: str,
    size_px: tuple[int, int],
    corners: ArrayLike,
    board_mm: ArrayLike,
    pixels: ArrayLike,
    blur_px: float | None = None,
) -> BoardView:
    """A view whose numbers were checked.

    Args:
        size_px: width and height of the picture.

    Raises:
        BoardViewError: numbers that are no view of a flat board from its front, with the likely reason.
    """
    numbers = np.asarray(corners, dtype=np.int64).ravel()
    # In one piece, as OpenCV wants them.
    flat, seen = (np.ascontiguousarray(each, dtype=np.float64) for each in (board_mm, pixels))
    if flat.shape != (len(numbers), 3) or seen.shape != (len(numbers), 2):
        raise BoardViewError(
            f"{name} with {len(numbers)} corners, board points {flat.shape} and pixels {seen.shape}",
            "shapes (n,), (n, 3) and (n, 2)",
            "give one row of each for every corner",
        )
    if len(numbers) < MINIMUM_CORNERS or len(np.unique(numbers)) < len(numbers):
        raise BoardViewError(
            f"{name} with {len(numbers)} corners, {len(np.unique(numbers))} different ones",
            f"at least {MINIMUM_CORNERS}, each once",
            "take the picture again with more of the board in it",
        )
    if not (np.isfinite(flat).all() and np.isfinite(seen).all()):
        raise BoardViewError(f"{name} with NaN or infinity", "finite numbers", "leave out corners that were not seen")
    _check_board(name, flat)
    _check_pixels(name, size_px, seen)
    _check_side(name, flat, seen)
    return BoardView(name, *size_px, read_only(numbers), read_only(flat), read_only(seen), blur_px)


def homography(board_mm: Floats, pixels: Floats) -> Floats:
    """The projective map ``(3, 3)`` from the plane of a board to a picture (Hartley and Zisserman, algorithm 4.2)."""
    from_board, from_picture = _normalising(board_mm[:, :2]), _normalising(pixels)
    x, y = _mapped(from_board, board_mm[:, :2]).T
    u, v = _mapped(from_picture, pixels).T
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate(
        [
            np.stack([x, y, one, zero, zero, zero, -u * x, -u * y, -u], axis=1),
            np.stack([zero, zero, zero, x, y, one, -v * x, -v * y, -v], axis=1),
        ]
    )
    null = np.linalg.svd(rows, full_matrices=False)[2][-1].reshape(3, 3)
    found = np.linalg.inv(from_picture) @ null @ from_board
    # A board before the camera has the same sign of depth at all of its corners; it is made positive.
    return found * np.sign((found[2, :2] @ board_mm[:, :2].T + found[2, 2]).mean())


def _normalising(points: Floats) -> Floats:
    middle = points.mean(axis=0)
    scale = np.sqrt(2.0) / max(float(np.sqrt(np.mean(np.sum((points - middle) ** 2, axis=1)))), 1e-12)
    return np.array([[scale, 0.0, -scale * middle[0]], [0.0, scale, -scale * middle[1]], [0.0, 0.0, 1.0]])


def _mapped(matrix: Floats, points: Floats) -> Floats:
    homogeneous = points @ matrix[:, :2].T + matrix[:, 2]
    return homogeneous[:, :2] / homogeneous[:, 2:]


def _check_board(name: str, board_mm: Floats) -> None:
    extent = np.ptp(board_mm, axis=0)
    if extent[2] > 1e-9 * max(extent[0], extent[1]):
        raise BoardViewError(
            f"{name} with corners of z up to {np.abs(board_mm[:, 2]).max():g} mm", "a flat board at z = 0", "give z = 0"
        )
    if not _NARROWEST_MM <= max(extent[0], extent[1]) <= _WIDEST_MM:
        raise BoardViewError(
            f"{name} with corners over {max(extent[0], extent[1]):.4g} mm of the board",
            f"{_NARROWEST_MM:g} to {_WIDEST_MM:g} mm",
            "give the squares in millimetres, not metres",
        )
    thickness = np.linalg.svd(board_mm[:, :2] - board_mm[:, :2].mean(axis=0), compute_uv=False)
    if thickness[1] < 1e-3 * thickness[0]:
        raise BoardViewError(
            f"{name} with all corners in one line",
            "corners of two rows and two columns",
            "show more of the board",
        )


def _check_pixels(name: str, size_px: tuple[int, int], pixels: Floats) -> None:
    high = np.array(size_px) - 1.0 + _OUTSIDE_PX
    if (pixels < -_OUTSIDE_PX).any() or (pixels > high).any():
        worst = pixels[np.argmax(np.maximum(-pixels, pixels - high).max(axis=1))]
        raise BoardViewError(
            f"{name} with a corner at ({worst[0]:.1f}, {worst[1]:.1f}) px",
            f"corners in a picture of {size_px[0]} x {size_px[1]} px",
            "give pixels as (column, row), from a picture of the stated size",
        )
    if np.ptp(pixels, axis=0).max() < 10.0:
        raise BoardViewError(
            f"{name} with all corners within {np.ptp(pixels, axis=0).max():.3g} px",
            "a board of 10 px and more",
            "give pixels, not shares of the picture; hold the board nearer",
        )


def _check_side(name: str, board_mm: Floats, pixels: Floats) -> None:
    """Seen from its front, a board with y up turns the other way than pictures with y down."""
    found = homography(board_mm, pixels)
    middle = board_mm[:, :2].mean(axis=0)
    depth = found[2, :2] @ middle + found[2, 2]
    turn = np.linalg.det(found) / depth**3
    if turn > 0.0:
        raise BoardViewError(
            f"{name}, in which the board is mirrored",
            "a board seen from its front, whose x goes to the right, y up and z out of the print",
            "turn mirroring off in the camera or print the board unmirrored; for corners of another program: negate y "
            "where it goes down, and give pixels as (column, row)",
        )
