"""What networks separate: the five tissues, and the anatomy that the classes of one network stand for.

The tissues exclude one another: outside, body (the soft tissue that is nothing else), bone, lung, liver. The structure
`body` that a surface is made from is everything inside the skin, 1 - P(outside), so that lungs and bones leave no holes
in it.

A network may separate more: vertebrae from other bone, kidneys from other soft tissue. Its classes are then shares of a
tissue. What the CT itself decides (skin, table, islands, borders) is decided for the tissues, once; afterwards each
class gets its share of its tissue back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.points import Bools, Singles
from reconstruction.network.errors import WeightsError

OUTSIDE = "outside"
STRUCTURES = ("body", "bone", "lung", "liver")
CLASSES = (OUTSIDE, *STRUCTURES)
OUTSIDE_INDEX = 0

# Voxels of a class, as uint8 in label volumes: the index in CLASSES.
CLASS_INDEX = {name: index for index, name in enumerate(CLASSES)}

_NOTHING = 1e-6
# Where a tissue has less than this, the shares of its classes say nothing.
_UNSEEN = 0.05


def structure_probability(probabilities: Singles, structure: str) -> Singles:
    """Probability of one structure from the softmax classes ``(5, nk, nj, ni)``: ``(nk, nj, ni)``, 0 to 1."""
    if structure == "body":
        return np.subtract(1.0, probabilities[OUTSIDE_INDEX], dtype=np.float32)
    return probabilities[CLASS_INDEX[structure]]


@dataclass(frozen=True)
class Anatomy:
    """Classes of a CT network.

    Attributes:
        classes: names of the softmax classes by index; the first is `outside`, the second `body`, soft tissue that is
            nothing else.
        structures: structure to the classes whose union it is; `body` is everything inside the skin.
        offered: structures that become surfaces by default: those whose Dice on an unseen scan bears it.
        offsets_mm: what the three channels after the classes are multiplied by to give mm from a voxel to the centroid
            of its vertebra; None for a network without them.
    """

    classes: tuple[str, ...]
    structures: Mapping[str, tuple[str, ...]]
    offered: tuple[str, ...]
    offsets_mm: float | None = None

    def __post_init__(self) -> None:
        named = {name for classes in self.structures.values() for name in classes}
        wrong = sorted((named - set(self.classes)) | (set(self.offered) - set(self.structures)))
        missing = [name for name in STRUCTURES if name not in self.structures]
        if wrong or missing or self.classes[:2] != (OUTSIDE, "body"):
            raise WeightsError(
                f"classes {list(self.classes)} whose structures are wrong: {', '.join([*wrong, *missing]) or 'order'}",
                f"classes that start with {OUTSIDE}, body, and structures of them with {', '.join(STRUCTURES)}",
                "correct the network's description",
            )

    @property
    def channels(self) -> int:
        """Of the network's output: classes, and offsets where it has them."""
        return len(self.classes) + (3 if self.offsets_mm is not None else 0)

    def indices(self, structure: str) -> list[int]:
        """Class indices of a structure other than `body`."""
        return [self.classes.index(name) for name in self.structures[structure]]

    def tissue_of(self, index: int) -> int:
        """The tissue (index in `reconstruction.network.classes.CLASSES`) that a class is a share of."""
        if index == OUTSIDE_INDEX:
            return OUTSIDE_INDEX
        for tissue in STRUCTURES[1:]:
            if index in self.indices(tissue):
                return CLASSES.index(tissue)
        return CLASSES.index("body")

    def tissues(self, probabilities: Singles) -> Singles:
        """Sums class probabilities ``(classes, nk, nj, ni)`` to those of the five tissues, a new array."""
        result = np.zeros((len(CLASSES), *probabilities.shape[1:]), np.float32)
        for index, probability in enumerate(probabilities):
            result[self.tissue_of(index)] += probability
        return result

    def shares(self, probabilities: NDArray[np.floating], tissues: Singles) -> Iterator[tuple[int, Singles]]:
        """Each class with its probability after the tissues ``(5, nk, nj, ni)`` were corrected, one at a time.

        A voxel that was given to a tissue of which the network saw nothing there takes the shares of the nearest one
        where it did.
        """
        for tissue, name in enumerate(CLASSES):
            members = [index for index in range(len(self.classes)) if self.tissue_of(index) == tissue]
            if len(members) == 1:
                yield members[0], tissues[tissue]
                continue
            total = np.zeros(tissues.shape[1:], np.float32)
            for index in members:
                total += probabilities[index]
            unseen = (total < _UNSEEN) & (tissues[tissue] - total > _UNSEEN)
            source = _nearest_seen(total, unseen) if name != "body" else None
            for index in members:
                share = probabilities[index].astype(np.float32)
                share /= np.maximum(total, _NOTHING)
                if source is not None:
                    share[unseen] = share[source]
                yield index, share * tissues[tissue]


def _nearest_seen(total: Singles, unseen: Bools) -> tuple[NDArray[np.int32], ...] | None:
    """Where the voxels `unseen` take their shares from; None where the network saw nothing of the tissue at all."""
    from scipy import ndimage

    seen = total >= _UNSEEN
    if not (unseen.any() and seen.any()):
        return None
    nearest = ndimage.distance_transform_edt(~seen, return_distances=False, return_indices=True)
    return tuple(axis[unseen] for axis in nearest)


# The first network's, and those of any description that says nothing of structures.
FIVE_TISSUES = Anatomy(CLASSES, {name: (name,) for name in STRUCTURES}, STRUCTURES)
