"""Clears islands out of class probabilities without touching the border of what stays.

A threshold on a cleaned label volume would put the border back onto voxel corners; here the probability of an island is
given to the other classes, and every voxel of the structure that stays keeps its value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.points import Bools, Singles
from reconstruction.network.classes import CLASS_INDEX, OUTSIDE_INDEX

# An island's halo: its probability falls to nothing within two voxels.
HALO_VOXELS = 2


@dataclass(frozen=True, kw_only=True)
class IslandRule:
    """Which connected parts of a class stay: all of at least `smallest_ml`, or the largest one only."""

    smallest_ml: float = 0.0
    largest_only: bool = False


def clear_islands(probabilities: Singles, rules: dict[str, IslandRule], voxel_ml: float) -> None:
    """Clears the islands of each class with a rule, in place, and what the network took for body outside the skin.

    Args:
        probabilities: ``(5, nk, nj, ni)`` softmax classes.
        rules: class name to rule; `body` means everything inside the skin.
        voxel_ml: volume of a voxel.
    """
    for name, rule in rules.items():
        if name == "body":
            _clear_outside_the_skin(probabilities, rule, voxel_ml)
            continue
        clear_islands_of(probabilities, name, rule, voxel_ml)


def clear_islands_of(probabilities: Singles, name: str, rule: IslandRule, voxel_ml: float) -> None:
    """Clears one class, in place: of what the label volume shows, and of what the surface at one half shows."""
    index = CLASS_INDEX[name]
    _hand_over(probabilities, index, _islands(probabilities.argmax(axis=0) == index, rule, voxel_ml))
    _hand_over(probabilities, index, _islands(probabilities[index] > 0.5, rule, voxel_ml))


def _clear_outside_the_skin(probabilities: Singles, rule: IslandRule, voxel_ml: float) -> None:
    """Tissue apart from the patient (the table) becomes outside, outside within the patient becomes body."""
    from scipy import ndimage

    inside = probabilities[OUTSIDE_INDEX] < 0.5
    apart = _islands(inside, rule, voxel_ml)
    probabilities[:, apart] = 0.0
    probabilities[OUTSIDE_INDEX, apart] = 1.0
    # Air that no path connects with the edge of the scan is gas, not the room.
    components, count = ndimage.label(~(inside & ~apart))
    if count == 0:
        return
    open_to_edge = np.zeros(count + 1, bool)
    for axis in range(3):
        for end in (0, -1):
            open_to_edge[np.unique(np.take(components, end, axis=axis))] = True
    open_to_edge[0] = True
    _hand_over(probabilities, OUTSIDE_INDEX, ~open_to_edge[components])


def _islands(mask: Bools, rule: IslandRule, voxel_ml: float) -> Bools:
    """The parts that go, with their halo, as far as it lies outside the halo of a part that stays."""
    from scipy import ndimage

    components, count = ndimage.label(mask)
    if count == 0:
        return np.zeros_like(mask)
    sizes = np.bincount(components.ravel()) * voxel_ml
    sizes[0] = 0.0
    stays = sizes >= rule.smallest_ml
    if rule.largest_only:
        stays &= np.arange(count + 1) == int(sizes.argmax())
    stays[0] = False
    goes = ~stays
    goes[0] = False
    if not goes.any():
        return np.zeros_like(mask)
    halo = ndimage.binary_dilation(goes[components], iterations=HALO_VOXELS)
    return (halo & ~ndimage.binary_dilation(stays[components], iterations=HALO_VOXELS)) | goes[components]


def _hand_over(probabilities: Singles, index: int, where: Bools) -> None:
    """Gives a class's probability to the others in proportion, or to body where there are no others."""
    if not where.any():
        return
    values = probabilities[:, where]
    values[index] = 0.0
    rest = values.sum(axis=0)
    values[CLASS_INDEX["body"], rest < 1e-3] = 1.0
    probabilities[:, where] = values / values.sum(axis=0)
