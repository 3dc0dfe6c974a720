"""A patient's outline around labels that do not show his skin: a smooth hull, to be covered with fat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geometry.points import Bools, Floats, Singles

# Gaps between labelled organs up to twice this wide are inside the patient.
CLOSING_MM = 60.0
# Spacing of the grid on which the hull is found.
COARSE_MM = 6.0
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

    # A hull is smooth: it is found on a coarser grid.
    step = max(1, round(COARSE_MM / spacing_mm))
    coarse_mm, reach = step * spacing_mm, int(np.ceil(CLOSING_MM / (step * spacing_mm)))
    room = [(reach, reach), (0, 0), (0, 0)]
    near_mm = ndimage.distance_transform_edt(~np.pad(_coarser(trunk, step), room, mode="edge"), sampling=coarse_mm)
    grown = np.pad(near_mm <= CLOSING_MM, [(0, 0), (reach, reach), (reach, reach)])
    inside_mm = ndimage.distance_transform_edt(grown, sampling=coarse_mm)
    signed = (CLOSING_MM - inside_mm)[(slice(reach, -reach),) * 3]
    # Far outside the grown labels the distance goes on.
    near_mm = near_mm[reach:-reach]
    signed = np.where(near_mm > CLOSING_MM, near_mm, signed)
    if arms.any():
        signed = np.minimum(signed, ndimage.distance_transform_edt(~_coarser(arms, step), sampling=coarse_mm) - ARM_MM)
    signed = ndimage.gaussian_filter(signed.astype(np.float32), 0.8, mode="nearest")
    # Voxel centres of the fine grid between those of the coarse one.
    places = [(np.arange(n) + 0.5) / step - 0.5 for n in trunk.shape]
    for axis, place in enumerate(places):
        signed = _between(signed, place, axis)
    return signed


def _coarser(mask: Bools, step: int) -> Bools:
    padded = np.pad(mask, [(0, -n % step) for n in mask.shape], mode="edge")
    k, j, i = (n // step for n in padded.shape)
    return np.asarray(np.any(padded.reshape(k, step, j, step, i, step), axis=(1, 3, 5)))


def _between(values: Singles, places: Floats, axis: int) -> Singles:
    """Linear interpolation along one axis; beyond the ends the edge goes on."""
    places = np.clip(places, 0, values.shape[axis] - 1)
    low = np.minimum(places.astype(int), max(values.shape[axis] - 2, 0))
    high = np.minimum(low + 1, values.shape[axis] - 1)
    weight = (places - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    below, above = values.take(low, axis), values.take(high, axis)
    return np.asarray(below + weight * (above - below), np.float32)


def padded_shape(shape: tuple[int, int, int], spacing_mm: float) -> NDArray[np.int64]:
    """The grid's shape with room for fat around, except along k."""
    room = int(np.ceil(ROOM_MM / spacing_mm))
    return np.array(shape) + [0, 2 * room, 2 * room]
