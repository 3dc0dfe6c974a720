"""What the views of a calibration cover, what is expected of it where they do not, and whether that is enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.camera.lens import project, rays
from calibration.camera.views import BoardView
from geometry.points import Bools, Floats

# The picture in fields, on which covering and errors are told.
COLUMNS, ROWS = 8, 6
TILTED_RAD = np.deg2rad(15.0)
_SQUARE_PIXELS = (0.8, 1.25)


@dataclass(frozen=True, eq=False)
class Coverage:
    """What the views cover.

    Attributes:
        fields: ``(ROWS, COLUMNS)``, the number of corners in each field of the picture.
        tilts_rad: ``(v,)``, between the board's normal and the axis of the camera.
        distances_mm: ``(v,)``, from the camera to the middle of the corners seen.
    """

    fields: np.ndarray
    tilts_rad: Floats
    distances_mm: Floats

    @property
    def share(self) -> float:
        """Share of the picture's fields in which corners were seen."""
        return float(np.mean(self.fields > 0))

    @property
    def n_tilted(self) -> int:
        return int((self.tilts_rad >= TILTED_RAD).sum())

    def sentences(self) -> tuple[str, ...]:
        """What was covered, in words with numbers."""
        nearest, farthest = self.distances_mm.min(), self.distances_mm.max()
        return (
            f"corners in {self.share:.0%} of the picture",
            f"{self.n_tilted} of {len(self.tilts_rad)} views tilted by {np.rad2deg(TILTED_RAD):.0f} degrees or more, "
            f"up to {np.rad2deg(self.tilts_rad.max()):.0f}",
            f"distances {nearest:.0f} to {farthest:.0f} mm",
        )


def coverage(views: Sequence[BoardView], poses: Floats) -> Coverage:
    """What views with their poses T_camera_board ``(v, 4, 4)`` cover."""
    counts = np.zeros((ROWS, COLUMNS), dtype=np.int64)
    tilts, distances = [], []
    for view, pose in zip(views, poses, strict=True):
        np.add.at(counts, fields(view.pixels, (view.width_px, view.height_px)), 1)
        middle = pose[:3, :3] @ view.board_mm.mean(axis=0) + pose[:3, 3]
        distances.append(np.linalg.norm(middle))
        tilts.append(np.arccos(np.clip(-pose[2, 2], -1.0, 1.0)))
    return Coverage(counts, np.array(tilts), np.array(distances))


def fields(pixels: Floats, size_px: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the field of each pixel ``(n, 2)``."""
    column, row = ((pixels + 0.5) / np.array(size_px) * [COLUMNS, ROWS]).astype(np.int64).T
    return np.clip(row, 0, ROWS - 1), np.clip(column, 0, COLUMNS - 1)


def expected_error_px(lens: Floats, covariance: Floats, size_px: tuple[int, int]) -> Floats:
    """RMS error of where a direction is seen, at the middle of each field, ``(ROWS, COLUMNS)``, after the turn of the
    camera that makes it least: a principal point that is off is much like a camera that is turned, which changes no
    place of one tool seen from another (Hagemann et al., Int. J. Computer Vision 130, 2022).

    Args:
        lens: its nine numbers.
        covariance: of them, ``(9, 9)``.
    """
    width, height = size_px
    x, y = np.meshgrid(
        (np.arange(COLUMNS) + 0.5) * width / COLUMNS - 0.5, (np.arange(ROWS) + 0.5) * height / ROWS - 0.5
    )
    directions = np.column_stack([rays(lens, np.column_stack([x.ravel(), y.ravel()])), np.ones(ROWS * COLUMNS)])
    _, by_point, by_lens = project(lens, directions)
    by_turn = np.cross(directions[:, None, :], by_point).reshape(-1, 3)
    errors = by_lens.reshape(-1, 9)
    errors = errors - by_turn @ np.linalg.lstsq(by_turn, errors, rcond=None)[0]
    variance = np.einsum("ij,jk,ik->i", errors, covariance, errors).reshape(-1, 2).sum(axis=1)
    return np.sqrt(np.maximum(variance, 0.0)).reshape(ROWS, COLUMNS)


def held_out_error_px(pixels: Floats, residuals: Floats, used: Bools, size_px: tuple[int, int]) -> Floats:
    """RMS of residuals ``(n, 2)`` of views that had no part in the calibration, by field; NaN without corners."""
    squares, counts = np.zeros((ROWS, COLUMNS)), np.zeros((ROWS, COLUMNS))
    where = fields(pixels[used], size_px)
    np.add.at(squares, where, np.sum(residuals[used] ** 2, axis=1))
    np.add.at(counts, where, 1.0)
    return np.sqrt(np.divide(squares, counts, out=np.full_like(squares, np.nan), where=counts > 0))


# ---------------------------------------------------------------------------------------------------------- judgement
def few_views(n_used: int, n_all: int, minimum: int, largest_left_out: float) -> list[str]:
    said = []
    if n_used < minimum:
        said.append(f"{n_used} views fit one another, and {minimum} are needed: take more pictures")
    if n_used < (1.0 - largest_left_out) * n_all:
        said.append(
            f"only {n_used} of {n_all} views fit one another: the board moved or bent, the pictures are blurred, or "
            "they are not all of the stated board"
        )
    return said


def focal_length(focal_px: Floats, sd_px: Floats, seen: Coverage, maximum: float) -> list[str]:
    share = float((sd_px / focal_px).max())
    if share <= maximum:
        return []
    degrees = np.rad2deg(TILTED_RAD)
    tilts = (
        f"{seen.n_tilted} of {len(seen.tilts_rad)} views are tilted by {degrees:.0f} degrees or more; a board that "
        "faces the camera looks the same nearer with a shorter focal length"
    )
    return [
        f"the focal length is known to {share:.1%} (standard deviation) only, and {maximum:.0%} is needed: {tilts}. "
        "Tilt the board by 30 degrees and more to all sides"
    ]


def picture_errors(
    expected_px: Floats, held_out_px: float, maximum_expected: float, maximum_held_out: float
) -> list[str]:
    said = []
    rms = float(np.sqrt(np.mean(expected_px**2)))
    if rms > maximum_expected:
        row, column = np.unravel_index(int(np.argmax(expected_px)), expected_px.shape)
        where = place(int(row), int(column))
        said.append(
            f"the expected error over the picture is {rms:.2f} px, and {maximum_expected:g} is the most: it is largest "
            f"{where}, {expected_px[row, column]:.2f} px; take more pictures with the board there"
        )
    if held_out_px > maximum_held_out:
        said.append(
            f"corners of views that had no part in the calibration are {held_out_px:.2f} px off, and "
            f"{maximum_held_out:g} is the most: blurred pictures, a rolling shutter in a moving hand, a loose sheet, "
            "or a lens that this model does not describe"
        )
    return said


def pixels(fx_px: float, fy_px: float) -> list[str]:
    low, high = _SQUARE_PIXELS
    if low <= fx_px / fy_px <= high:
        return []
    return [
        f"pixels are not square: fx is {fx_px / fy_px:.2f} times fy, so the pictures were squeezed or lines of them "
        "are missing; take them in the camera's own proportions"
    ]


def place(row: int, column: int) -> str:
    """A field of the picture in words."""
    down = "at the top" if row < ROWS // 3 else "at the bottom" if row >= ROWS - ROWS // 3 else ""
    across = "on the left" if column < COLUMNS // 3 else "on the right" if column >= COLUMNS - COLUMNS // 3 else ""
    return " ".join(part for part in (down, across) if part) or "in the middle"
