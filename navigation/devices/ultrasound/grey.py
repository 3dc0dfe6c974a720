"""Grey values of colour images, as the networks were trained on them; and as JPEG, as clients are sent them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from navigation.devices.ultrasound.source import GreyPixels

_JPEG_QUALITY = 85  # at which speckle keeps its grain


def mean_of_colours(pixels: NDArray[np.uint8]) -> GreyPixels:
    """Mean of three colours ``(h, w, 3)``, in any order, rounded to the nearest: ``(h, w)`` uint8.

    The mean of `reconstruction.training.images.files.to_grey`, in whole numbers, since video must not wait for it.
    """
    total = pixels[..., 0].astype(np.uint16)
    total += pixels[..., 1]
    total += pixels[..., 2]
    total += 1
    total //= 3
    return total.astype(np.uint8)


def as_jpeg(pixels: GreyPixels) -> bytes:
    """The grey values ``(h, w)`` as a JPEG; the same values give the same bytes."""
    with from_extra("ultrasound"):
        import cv2

    encoded: NDArray[np.uint8] = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return encoded.tobytes()
