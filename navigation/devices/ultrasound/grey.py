"""Grey values of colour images, as the networks were trained on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from navigation.devices.ultrasound.source import GreyPixels


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
