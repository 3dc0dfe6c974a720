"""Whether vertebrae that somebody else has numbered lie in the order of their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np
from scipy.ndimage import center_of_mass, find_objects

from geometry.points import Floats
from geometry.volume import Volume
from reconstruction.vertebrae.anatomy import REGION_LETTERS, USUAL

LEVEL = re.compile(r"(?:vertebrae?_?)?([ctl])_?(\d{1,2})", re.IGNORECASE)
HIGHEST = {"C": 7, "T": 13, "L": 6}
APART = 1.6  # times the distance of its neighbours from which on two neighbours are too far apart


def order_findings(labels: Volume, names: Mapping[int, str]) -> tuple[str, ...]:
    """What is out of order among the vertebrae of a label volume; empty for fewer than two.

    Args:
        labels: whole numbers, any grid.
        names: value -> name; names such as ``vertebrae_L3``, ``vertebra_l3`` and ``L3`` are vertebrae, others not.
    """
    voxels = np.asarray(labels.voxels)
    centres = {}
    boxes = find_objects(voxels, max(names, default=0)) if voxels.dtype.kind in "iu" else []
    for value, name in names.items():
        level = level_of(name)
        if level and 0 < value <= len(boxes) and boxes[value - 1] is not None:
            box = boxes[value - 1]
            first = np.array([part.start for part in box])
            middle = np.array(center_of_mass(voxels[box] == value)) + first
            centres[level] = labels.index_to_mm(middle[None, ::-1])[0]
    return _of_centres(centres)


def level_of(name: str) -> str | None:
    """``L3`` of a vertebra's name, None of others'."""
    match = LEVEL.fullmatch(name)
    if match is None:
        return None
    letter, number = match[1].upper(), int(match[2])
    return f"{letter}{number}" if 1 <= number <= HIGHEST[letter] else None


def _of_centres(centres: Mapping[str, Floats]) -> tuple[str, ...]:
    levels = sorted(centres, key=_rank)
    said = [
        f"vertebrae out of order: {below} lies above {above}"
        for above, below in pairwise(levels)
        if centres[below][2] >= centres[above][2]
    ]
    said += [f"{level} is missing between {a} and {b}" for a, b, between in _neighbours(levels) for level in between]
    pairs = [(a, b) for a, b, between in _neighbours(levels) if not between]
    distances = [float(np.linalg.norm(centres[a] - centres[b])) for a, b in pairs]
    for n, (a, b) in enumerate(pairs):
        beside = [distances[m] for m in (n - 1, n + 1) if 0 <= m < len(pairs)]
        if beside and distances[n] > APART * max(beside):
            said.append(
                f"{a} and {b} lie {distances[n]:.0f} mm apart, their neighbours at most {max(beside):.0f} mm: "
                "one between them may be missing"
            )
    if "L6" in centres:
        said.append("six lumbar vertebrae: check the level before anything is counted from it")
    return tuple(said)


def _neighbours(levels: list[str]) -> Iterable[tuple[str, str, list[str]]]:
    """Each two that follow one another, with the levels of a usual spine between them."""
    for a, b in pairwise(levels):
        yield a, b, [level for level in USUAL.levels if _rank(a) < _rank(level) < _rank(b)]


def _rank(level: str) -> tuple[int, int]:
    return REGION_LETTERS.index(level[0]), int(level[1:])
