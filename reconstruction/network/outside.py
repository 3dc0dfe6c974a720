"""Air around the patient is outside: a rule of connectedness, where a window of the network sees too little to tell.

A window that shows nothing but air cannot know whether it lies in a lung or beside the table. The scan can: air that
reaches the sides of the scan is outside. Lungs and bowel gas do not reach the sides; at the scan's upper and lower end
lungs may be cut open, so those two ends do not count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from reconstruction.labels import CLASS_INDEX, OUTSIDE_INDEX

# Half maximum between air and skin: what is below it belongs to the air, up to the point spread.
AIR_BELOW_HU = -500.0
# Within this distance of anything denser the network decides where the skin is; a blurred edge is narrower.
SKIN_BAND_MM = 6.0


def air_around(hu: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Air that is connected to a side (not an end) of the scan ``(nk, nj, ni)``, whose k axis runs head to foot."""
    parts, _ = ndimage.label(hu < AIR_BELOW_HU)
    sides = np.concatenate(
        [parts[:, face].ravel() for face in (0, -1)] + [parts[:, :, face].ravel() for face in (0, -1)]
    )
    reached = np.unique(sides)
    return np.isin(parts, reached[reached > 0])


def clear_outside(probabilities: NDArray[np.float32], hu: NDArray[np.float32], spacing_mm: float) -> None:
    """Corrects class probabilities ``(5, nk, nj, ni)`` in place; they still sum to one.

    In the air around the patient nothing is lung; further than `SKIN_BAND_MM` from anything denser, all is outside.
    """
    air = air_around(hu)
    lung = CLASS_INDEX["lung"]
    probabilities[OUTSIDE_INDEX][air] += probabilities[lung][air]
    probabilities[lung][air] = 0.0
    band = ndimage.binary_dilation(~air, iterations=max(1, round(SKIN_BAND_MM / spacing_mm)))
    probabilities[:, ~band] = 0.0
    probabilities[OUTSIDE_INDEX][~band] = 1.0
