"""Which pixels of an image are ultrasound: the scanner's frame, its text and its black margin are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reconstruction.freehand.errors import FreehandError
from reconstruction.freehand.grid import Mask


def crop(shape: tuple[int, int], left: int, top: int, width: int, height: int) -> Mask:
    """A rectangle of pixels.

    Args:
        shape: of the image, ``(h, w)``.

    Raises:
        FreehandError: a rectangle that does not lie within the image.
    """
    if min(left, top) < 0 or min(width, height) < 1 or left + width > shape[1] or top + height > shape[0]:
        came = f"a crop of {width} x {height} px from ({left}, {top})"
        raise FreehandError(came, f"a rectangle within {shape[1]} x {shape[0]} px", "correct the crop")
    mask = np.zeros(shape, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def sector(
    shape: tuple[int, int],
    centre_px: ArrayLike,
    radii_px: tuple[float, float],
    half_angle_deg: float,
    pixel_mm: tuple[float, float] = (1.0, 1.0),
) -> Mask:
    """The sector of a convex probe, which opens downwards.

    Args:
        shape: of the image, ``(h, w)``.
        centre_px: (x, y) of the centre of its arcs.
        radii_px: of the transducer and of the depth, in heights of a pixel.
        half_angle_deg: to either side of straight down.
        pixel_mm: (height, width) of a pixel, or their ratio: pixels need not be square.

    Raises:
        FreehandError: no pixel lies in it.
    """
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    centre_x, centre_y = np.asarray(centre_px, np.float64)
    down, across = y - centre_y, (x - centre_x) * pixel_mm[1] / pixel_mm[0]
    radius, angle = np.hypot(down, across), np.abs(np.degrees(np.arctan2(across, down)))
    mask = (radius >= radii_px[0]) & (radius <= radii_px[1]) & (angle <= half_angle_deg)
    if not mask.any():
        came = f"a sector around {(float(centre_x), float(centre_y))} px from {radii_px} px"
        raise FreehandError(came, f"one that meets an image of {shape[1]} x {shape[0]} px", "correct the sector")
    return mask
