"""Spines of simple shapes: a body, an arch behind it, and a process that slopes down to the next body's height."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geometry.volume import Volume
from reconstruction.vertebrae.anatomy import BELOW_MM, USUAL

SPACING_MM = 3.0
SACRUM, RIB = 100, 101
ROOM_MM = 30.0  # of scan below the lowest vertebra


def spine(
    levels: Sequence[str] = USUAL.levels,
    *,
    ribs: bool = True,
    sacrum: bool = True,
    above_mm: float = 10.0,
    ribs_at: Sequence[str] | None = None,
) -> tuple[Volume, dict[int, str]]:
    """Labels near LPS, and their names as TotalSegmentator gives them.

    Args:
        levels: from the head down.
        ribs_at: which levels have ribs; those of the chest if None.
    """
    steps = [BELOW_MM.get(level, BELOW_MM["L5"]) for level in levels]
    depths = np.concatenate([[0.0], np.cumsum(steps[:-1])])
    length = depths[-1] + steps[0] / 2 + steps[-1] / 2 + above_mm + (60.0 if sacrum else ROOM_MM)
    shape = (int(length / SPACING_MM), 30, 40)
    z, y, x = (np.indices(shape).T * SPACING_MM).T
    x, y, z = x - 60.0, y - 30.0, length - z - above_mm - steps[0] / 2  # left, back, down from the highest centre
    voxels = np.zeros(shape, np.uint8)
    names = {}
    for number, (level, at, step) in enumerate(zip(levels, depths, steps, strict=True), start=1):
        voxels[_vertebra(x, y, z - at, step)] = number
        names[number] = f"vertebrae_{level}"
        if ribs and level in (ribs_at if ribs_at is not None else [n for n in levels if n[0] == "T"]):
            rib = (np.abs(z - at + 0.1 * step) < 4.0) & (np.abs(y - 14.0) < 5.0) & (np.abs(x) > 18.0) & (np.abs(x) < 50)
            voxels[rib & (voxels == 0)] = RIB
    if sacrum:
        top = depths[-1] + 0.5 * steps[-1] + 3.0
        voxels[(z > top) & (np.abs(x) < 30.0) & (y > -10.0) & (y < 20.0) & (voxels == 0)] = SACRUM
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = (-60.0, -30.0, 0.0)
    return Volume(voxels, affine), {**names, SACRUM: "sacrum", RIB: "rib_left_1"}


def _vertebra(
    x: NDArray[np.floating], y: NDArray[np.floating], z: NDArray[np.floating], step: float
) -> NDArray[np.bool_]:
    """True inside a vertebra whose body's middle is the origin; `step` is the distance to the next one."""
    size = step / 30.0
    body = (np.abs(z) < 0.40 * step) & (np.hypot(x / 20.0, (y + 8.0) / 14.0) < size**0.5)
    arch = (np.abs(z + 0.1 * step) < 0.25 * step) & (np.abs(np.abs(x) - 13.0 * size) < 4.0) & (y > 0.0) & (y < 22.0)
    lamina = (np.abs(z) < 0.3 * step) & (np.abs(x) < 16.0 * size) & (np.abs(y - 20.0) < 4.0)
    process = (np.abs(z - 0.15 * step - 0.9 * (y - 22.0)) < 0.3 * step) & (np.abs(x) < 4.0) & (y > 18.0) & (y < 42.0)
    return np.asarray(body | arch | lamina | process)
