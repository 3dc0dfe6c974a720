"""Whether a calibrated camera may be used, in sentences."""

from __future__ import annotations

import numpy as np

from calibration.camera.quality import COLUMNS, ROWS, TILTED_RAD, Coverage
from geometry.points import Floats

_SQUARE_PIXELS = (0.8, 1.25)


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
