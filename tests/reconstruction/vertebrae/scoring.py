"""Which true vertebra each found one is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geometry.volume import Volume
from reconstruction.vertebrae.result import Vertebrae
from tests.reconstruction.vertebrae.pretend import level_of


def matched(labels: Volume, names: Mapping[int, str], found: Vertebrae) -> dict[str, tuple[str | None, float]]:
    """True level -> the number it was given and Dice on the grid of what was found; the larger overlap counts."""
    grid = found.labels
    index = np.argwhere(np.ones(grid.voxels.shape, bool))
    at = np.rint(labels.mm_to_index(grid.index_to_mm(index[:, ::-1]))[:, ::-1]).astype(int)
    inside = ((at >= 0) & (at < labels.voxels.shape)).all(axis=1)
    truth = np.zeros(len(index), int)
    truth[inside] = np.asarray(labels.voxels)[tuple(at[inside].T)]
    taken = np.asarray(grid.voxels).ravel()
    values = {value: level_of(name) for value, name in names.items() if name.startswith("vertebrae_")}
    result: dict[str, tuple[str | None, float]] = {}
    for vertebra in found.vertebrae:
        own = taken == vertebra.label
        counts = {value: int((truth[own] == value).sum()) for value in values}
        value = max(counts, key=counts.__getitem__)
        dice = 2 * counts[value] / (int(own.sum()) + int((truth == value).sum()))
        if dice > result.get(values[value], (None, 0.0))[1]:
            result[values[value]] = (vertebra.number, dice)
    return result
