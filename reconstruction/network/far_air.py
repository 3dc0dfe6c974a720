"""Air far from the patient, which no network need be asked about: it is outside.

Thinner than any lung, connected with a side of the scan, and further from anything denser than a blurred skin is wide.
Whatever corrects the network afterwards calls it outside too (`reconstruction.network.outside`), so leaving it out
changes no result.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from geometry.points import Bools, Singles

# Lungs have -700 to -900 HU, with emphysema some -950; a lung cut by the field of view must not be taken for the room.
AIR_BELOW_HU = -960.0
# As far as the correction of the skin reaches.
MARGIN_MM = 6.0


def far_air(hu: Singles, spacing_mm: float) -> Bools:
    """True for air around the patient, at least `MARGIN_MM` from anything denser.

    Args:
        hu: ``(nk, nj, ni)``, whose k axis runs head to foot.
        spacing_mm: isotropic.
    """
    margin = max(1, round(MARGIN_MM / spacing_mm))
    thin = ndimage.binary_erosion(hu < AIR_BELOW_HU, iterations=margin, border_value=1)
    parts, _ = ndimage.label(thin)
    sides = (parts[:, 0], parts[:, -1], parts[:, :, 0], parts[:, :, -1])
    reached = np.zeros(int(parts.max()) + 1, bool)
    for side in sides:
        reached[side] = True
    reached[0] = False
    return np.asarray(reached[parts])
