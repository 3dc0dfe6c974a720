"""Where skin markers could be: bright, small spots within a band around the patient's skin.

The skin is told on a coarse grid: air that reaches a side of the scan is outside (as in `network.outside`), and what is
left after an opening is the patient; table shells, wires, blankets and the markers themselves are too thin to stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geometry.points import Bools, Floats, Singles
from geometry.volume import Volume

AIR_BELOW_HU = -500.0
COARSE_MM = 2.5
# What is thinner than twice this is no body: a table's shell, a blanket, a marker of 10 mm with its adhesive.
OPENING_MM = 10.0
SMALLEST_BODY_ML = 100.0
FAR_MM = 1e3


@dataclass(frozen=True, eq=False)
class Skin:
    """The patient's surface, on every `steps_kji`-th voxel of the scan.

    Attributes:
        distance_mm: signed distance to it, positive outside.
        outside: near air that is open to a side of the scan; the air of mouth, bowel and lungs is not.
        found: whether there is a patient.
    """

    distance_mm: Singles
    outside: Bools
    steps_kji: tuple[int, int, int]
    found: bool

    def at(self, kji: NDArray[np.intp]) -> Singles:
        """Distance at voxel indices ``(n, 3)`` (k, j, i), from the nearest coarse voxel."""
        return self.distance_mm[self._coarse(kji)]

    def outside_at(self, kji: NDArray[np.intp]) -> Bools:
        """Whether voxel indices ``(n, 3)`` (k, j, i) lie near air that is open to a side of the scan."""
        return self.outside[self._coarse(kji)]

    def _coarse(self, kji: NDArray[np.intp]) -> tuple[NDArray[np.intp], ...]:
        coarse = np.rint(kji / np.array(self.steps_kji)).astype(np.intp)
        return tuple(np.minimum(coarse, np.array(self.distance_mm.shape) - 1).T)


@dataclass(frozen=True, eq=False)
class Spot:
    """A connected bright spot.

    Attributes:
        kji: mean of its voxels, weighted by brightness: ``(3,)``.
        size_mm: sides ``(3,)`` of its box along k, j, i.
        voxels: the number of its voxels.
        peak_hu: its brightest voxel.
        hollow: whether its middle is much darker than it.
    """

    kji: Floats
    size_mm: Floats
    voxels: int
    peak_hu: float
    hollow: bool


def find_skin(volume: Volume) -> Skin:
    """The patient's surface, on a grid of about `COARSE_MM`."""
    spacing = volume.spacing_mm[::-1]
    steps = np.maximum(1, np.rint(COARSE_MM / spacing)).astype(int)
    coarse_mm = spacing * steps
    air = _air_around(volume.voxels[:: steps[0], :: steps[1], :: steps[2]], volume)
    solid = ~air
    pad = int(np.ceil(OPENING_MM / coarse_mm.min())) + 2
    # The body goes on beyond the scan: its cut faces are no skin.
    padded = np.pad(solid, pad, mode="edge")
    core = ndimage.distance_transform_edt(padded, sampling=coarse_mm) > OPENING_MM
    body = ndimage.distance_transform_edt(~core, sampling=coarse_mm) <= OPENING_MM if core.any() else core
    body = body[pad:-pad, pad:-pad, pad:-pad]
    parts, count = ndimage.label(body)
    sizes = np.bincount(parts.ravel(), minlength=count + 1) * np.prod(coarse_mm) / 1000.0
    sizes[0] = 0.0
    body = (sizes >= SMALLEST_BODY_ML)[parts]
    key = (int(steps[0]), int(steps[1]), int(steps[2]))
    near_air = ndimage.binary_dilation(air, np.ones((3, 3, 3)))
    if not body.any() or body.all():
        return Skin(np.full(body.shape, FAR_MM, np.float32), near_air, key, found=False)
    outside = ndimage.distance_transform_edt(~body, sampling=coarse_mm)
    inside = ndimage.distance_transform_edt(body, sampling=coarse_mm)
    half = coarse_mm.mean() / 2.0  # distances run from voxel centres; the border lies between two of them
    signed = np.where(body, half - inside, outside - half)
    return Skin(signed.astype(np.float32), near_air, key, found=True)


def _air_around(hu: NDArray[Any], volume: Volume) -> Bools:
    """Air connected to a side of the scan; its ends, along the axis nearest head to foot, may cut lungs open."""
    head_foot = 2 - int(np.abs(volume.direction[2]).argmax())
    parts, _ = ndimage.label(hu < AIR_BELOW_HU)
    sides = [axis for axis in range(3) if axis != head_foot]
    reached = np.unique(np.concatenate([parts.take(end, axis=axis).ravel() for axis in sides for end in (0, -1)]))
    return np.isin(parts, reached[reached > 0])


def find_spots(
    volume: Volume, skin: Skin, levels_hu: tuple[float, ...], band_mm: tuple[float, float], largest_mm: float
) -> tuple[list[Spot], list[Spot]]:
    """Connected spots brighter than the lowest level that gives them a size up to `largest_mm` along every axis.

    Returns:
        The small spots, and those which are too large at every level (bone, a cable, the table).
    """
    hu: NDArray[Any] = volume.voxels
    bright = np.argwhere(hu > levels_hu[0])
    if len(bright):
        distance = skin.at(bright)
        bright = bright[(distance > band_mm[0]) & (distance < band_mm[1])]
    if not len(bright):
        return [], []
    low, high = bright.min(axis=0), bright.max(axis=0) + 1
    mask = np.zeros(high - low, dtype=bool)
    mask[tuple((bright - low).T)] = True
    crop = hu[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    return _split(mask, crop, low, volume.spacing_mm[::-1], levels_hu, largest_mm)


def _split(
    mask: Bools,
    hu: NDArray[Any],
    origin: NDArray[np.intp],
    spacing: Floats,
    levels_hu: tuple[float, ...],
    largest_mm: float,
) -> tuple[list[Spot], list[Spot]]:
    small: list[Spot] = []
    large: list[Spot] = []
    parts, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    for value, box in enumerate(ndimage.find_objects(parts), start=1):
        own = parts[box] == value
        corner = np.array([part.start for part in box])
        spot = _spot(own, hu[box], origin + corner, spacing)
        if (spot.size_mm <= largest_mm).all():
            small.append(spot)
            continue
        brighter = own & (hu[box] > levels_hu[1]) if len(levels_hu) > 1 else None
        if brighter is None or not brighter.any():
            large.append(spot)
            continue
        found, too_large = _split(brighter, hu[box], origin + corner, spacing, levels_hu[1:], largest_mm)
        small += found
        large += too_large or ([] if found else [spot])
    return small, large


def _spot(own: Bools, hu: NDArray[Any], origin: NDArray[np.intp], spacing: Floats) -> Spot:
    kji = np.argwhere(own)
    values = hu[own].astype(np.float64)
    weights = values - values.min() + 1.0
    middle = weights @ kji / weights.sum()
    at_middle = float(hu[tuple(np.rint(middle).astype(int))])
    return Spot(
        kji=middle + origin,
        size_mm=(np.ptp(kji, axis=0) + 1) * spacing,
        voxels=len(kji),
        peak_hu=float(values.max()),
        hollow=at_middle < float(np.median(values)) - 0.5 * (float(np.median(values)) - values.min()) - 200.0,
    )
