"""What no patient, or hardly one, looks like: an organ in more pieces than it has, or on the other side.

Pieces are counted in what the network itself says, before islands are cleared from the answer: what was cleared may
have been right. The network was trained without flips, so a mirrored organ is likely to be missed in part; where the
most of it is found on the other side, the scan is mirrored, or the patient is (situs inversus).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from geometry.points import Bools, Floats
from geometry.volume import Volume

# Connected pieces that an adult has at the most.
PIECES: Mapping[str, int] = MappingProxyType({"liver": 1, "spleen": 1, "aorta": 1, "sacrum": 1, "lung": 2, "kidney": 2})
# A further piece counts from this share of the largest on.
PIECE_SHARE = 0.05
# Side of an organ's centre from the patient's middle: along L.
SIDE: Mapping[str, int] = MappingProxyType({"liver": -1, "spleen": 1})
OTHER_SIDE_MM = 15.0
SMALLEST_ORGAN_ML = 30.0


@dataclass(frozen=True)
class Finding:
    """Something about a structure that a person must look at.

    Attributes:
        structure: by name.
        centre_mm: where, in the frame of the answer (`ct`: LPS mm).
        volume_ml: of what was found there.
        what: in words.
    """

    structure: str
    centre_mm: tuple[float, float, float]
    volume_ml: float
    what: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def pieces_too_many(structure: str, mask: Volume) -> tuple[Finding, ...]:
    """The pieces of a structure beyond those that an adult has, the largest first.

    Args:
        mask: what the network takes for the structure.
    """
    from scipy import ndimage

    if structure not in PIECES:
        return ()
    parts, count = ndimage.label(np.asarray(mask.voxels))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    allowed, found = PIECES[structure], []
    for place, part in enumerate(order[allowed:], start=allowed + 1):
        if sizes[part] < PIECE_SHARE * sizes[order[0]]:
            break
        where = _centre_mm(mask, parts == part + 1)
        volume_ml = round(float(sizes[part]) * mask.voxel_volume_ml, 1)
        largest_ml = float(sizes[order[0]]) * mask.voxel_volume_ml
        what = f"piece {place} of {structure}, where an adult has {allowed}; the largest has {largest_ml:.0f} ml"
        found.append(Finding(structure, where, volume_ml, what))
    return tuple(found)


def on_the_other_side(structure: str, mask: Volume, patient: Bools) -> Finding | None:
    """A structure whose centre lies clearly on the other side of the patient than an adult's.

    Args:
        mask: the structure in the answer, on a grid along L, P and S.
        patient: all inside the skin, on the same voxels.
    """
    if structure not in SIDE:
        return None
    voxels = np.asarray(mask.voxels, bool)
    volume_ml = float(voxels.sum()) * mask.voxel_volume_ml
    if volume_ml < SMALLEST_ORGAN_ML:
        return None
    slices = voxels.any(axis=(1, 2))
    middle = patient.copy()
    middle[~slices] = False
    if not middle.any():
        return None
    where = _centre_mm(mask, voxels)
    away_mm = SIDE[structure] * (where[0] - _centre_mm(mask, middle)[0])
    if away_mm > -OTHER_SIDE_MM:
        return None
    said = "left" if SIDE[structure] < 0 else "right"
    what = (
        f"the {structure} lies {-away_mm:.0f} mm to the patient's {said} of the middle: the scan is mirrored, the "
        "patient is (situs inversus), or the network is wrong"
    )
    return Finding(structure, where, round(volume_ml, 1), what)


def _centre_mm(grid: Volume, mask: Bools) -> tuple[float, float, float]:
    middle: Floats = np.argwhere(mask).mean(axis=0)
    left, posterior, superior = grid.index_to_mm(middle[None, ::-1])[0]
    return round(float(left), 1), round(float(posterior), 1), round(float(superior), 1)
