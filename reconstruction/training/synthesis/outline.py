"""A patient's outline around labels that do not show his skin: a smooth hull, to be covered with fat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geometry.points import Bools, Singles

# Gaps between labelled organs up to twice this wide are inside the patient.
CLOSING_MM = 60.0
# Muscle around the shaft of the humerus.
ARM_MM = 24.0
# Room around the labels for fat and skin.
ROOM_MM = 75.0


def hull_distance_mm(trunk: Bools, arms: Bools, spacing_mm: float) -> Singles:
    """Signed distance to the hull of the labels, negative inside, on an isotropic grid.

    The hull is a closing of the trunk's labels with a ball; the arms, which it must not bridge, get a sleeve each. The
    patient goes on beyond the grid's ends along k.
    """
    from scipy import ndimage

    reach = int(np.ceil(CLOSING_MM / spacing_mm))
    padded = np.pad(trunk, [(reach, reach), (0, 0), (0, 0)], mode="edge")
    near_mm = ndimage.distance_transform_edt(~padded, sampling=spacing_mm)
    grown = np.pad(near_mm <= CLOSING_MM, [(0, 0), (reach, reach), (reach, reach)])
    inside_mm = ndimage.distance_transform_edt(grown, sampling=spacing_mm)
    keep = (slice(reach, -reach),) * 3
    signed = (CLOSING_MM - inside_mm)[keep]
    # Far outside the grown labels the distance goes on.
    signed = np.where(near_mm[reach:-reach] > CLOSING_MM, near_mm[reach:-reach], signed)
    if arms.any():
        around = np.pad(arms, [(reach, reach), (0, 0), (0, 0)], mode="edge")
        signed = np.minimum(signed, ndimage.distance_transform_edt(~around, sampling=spacing_mm)[reach:-reach] - ARM_MM)
    return ndimage.gaussian_filter(signed.astype(np.float32), 1.5, mode="nearest")


def padded_shape(shape: tuple[int, int, int], spacing_mm: float) -> NDArray[np.int64]:
    """The grid's shape with room for fat around, except along k."""
    room = int(np.ceil(ROOM_MM / spacing_mm))
    return np.array(shape) + [0, 2 * room, 2 * room]
