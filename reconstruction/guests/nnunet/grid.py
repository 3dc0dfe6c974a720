"""nnU-Net's way of a CT onto the network's grid and back: crop, normalise, resample with splines.

It follows nnU-Net v2's DefaultPreprocessor and its resampling function (Isensee et al. 2021), arithmetic included: the
thick slices' axis is resampled apart, by another spline order, where the spacings differ more than threefold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.points import Singles
from reconstruction.guests.nnunet.plan import NnunetPlan, Resampling

ANISOTROPIC = 3.0  # largest spacing over the smallest, from which the slices' axis is resampled apart
SMALLEST_STD = 1e-8


@dataclass(frozen=True, eq=False)
class Prepared:
    """A CT on the network's grid, and what it takes to get back.

    Attributes:
        voxels: ``(1, a, b, c)``, normalised, in the network's order of axes.
        spacing_mm: of the CT in that order.
        shape: of the CT in that order, before it was cropped.
        box: what of it was kept: all but the outer layers that are exactly 0.
    """

    voxels: Singles
    spacing_mm: tuple[float, ...]
    shape: tuple[int, ...]
    box: tuple[slice, ...]

    @property
    def cropped_shape(self) -> tuple[int, ...]:
        return tuple(part.stop - part.start for part in self.box)


def prepare(hu: NDArray[np.generic], spacing_mm: Sequence[float], plan: NnunetPlan) -> Prepared:
    """Crops, normalises and resamples HU ``(nk, nj, ni)``; spacing in the same order."""
    turned = np.array(hu, np.float32).transpose(plan.transpose_forward)
    spacing = tuple(float(spacing_mm[axis]) for axis in plan.transpose_forward)
    box = _nonzero_box(turned)
    voxels = turned[box]
    # Before resampling, as there: a spline over a border that is clipped afterwards would overshoot otherwise.
    np.clip(voxels, plan.intensities["percentile_00_5"], plan.intensities["percentile_99_5"], out=voxels)
    voxels -= plan.intensities["mean"]
    voxels /= max(plan.intensities["std"], SMALLEST_STD)
    shape = [round(s / t * n) for s, t, n in zip(spacing, plan.spacing_mm, voxels.shape, strict=True)]
    resampled = resample(voxels[None], shape, spacing, plan.spacing_mm, plan.data)
    return Prepared(resampled, spacing, turned.shape, box)


def resample(
    data: NDArray[Any], shape: Sequence[int], old_mm: Sequence[float], new_mm: Sequence[float], how: Resampling
) -> NDArray[Any]:
    """Channels ``(c, a, b, c)`` onto another number of voxels; the type of the numbers stays."""
    if tuple(shape) == data.shape[1:]:
        return data
    with from_extra("reconstruction"):
        from skimage.transform import resize

    apart = thick_axis(old_mm, new_mm, how)
    result = np.zeros((len(data), *shape), data.dtype)
    for channel, values in enumerate(data):
        doubles = values.astype(float)
        if apart is None:
            result[channel] = resize(doubles, tuple(shape), how.order, mode="edge", anti_aliasing=False)
            continue
        flat = tuple(n for axis, n in enumerate(shape) if axis != apart)
        slices = [resize(s, flat, how.order, mode="edge", anti_aliasing=False) for s in np.moveaxis(doubles, apart, 0)]
        result[channel] = _along(np.stack(slices, axis=apart), apart, shape[apart], how.order_z)
    return result


def thick_axis(old_mm: Sequence[float], new_mm: Sequence[float], how: Resampling) -> int | None:
    """The axis that is resampled apart; None where there is none, or where two spacings are the largest."""
    if how.force_separate_z is False:
        return None
    for spacing in (old_mm, new_mm):
        if how.force_separate_z or max(spacing) / min(spacing) > ANISOTROPIC:
            largest = [axis for axis, value in enumerate(spacing) if value == max(spacing)]
            return largest[0] if len(largest) == 1 else None
    return None


def uncropped(values: NDArray[Any], prepared: Prepared, plan: NnunetPlan, beyond: Any) -> NDArray[Any]:
    """Values ``(..., a, b, c)`` of the cropped CT on its whole grid, in the CT's own order of axes.

    Args:
        beyond: the value outside of the crop, a number or one for each channel.
    """
    whole = np.empty((*values.shape[:-3], *prepared.shape), values.dtype)
    whole[...] = np.reshape(beyond, (*np.shape(beyond), 1, 1, 1)) if np.ndim(beyond) else beyond
    whole[(slice(None),) * (values.ndim - 3) + prepared.box] = values
    lead = values.ndim - 3
    back = np.argsort(plan.transpose_forward)
    return whole.transpose([*range(lead), *(lead + axis for axis in back)])


def _along(values: NDArray[Any], axis: int, count: int, order: int) -> NDArray[Any]:
    from scipy.ndimage import map_coordinates

    if values.shape[axis] == count:
        return values
    shape = [count if a == axis else n for a, n in enumerate(values.shape)]
    places = np.array(np.indices(shape), float)
    places[axis] = values.shape[axis] / count * (places[axis] + 0.5) - 0.5
    return np.asarray(map_coordinates(values, places, order=order, mode="nearest"))


def _nonzero_box(voxels: Singles) -> tuple[slice, ...]:
    """The box of what is not 0; filled holes cannot enlarge it. A scan of zeros is kept whole."""
    box = []
    for axis in range(3):
        used = np.flatnonzero((voxels != 0).any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, voxels.shape[axis]))
    return tuple(box)
