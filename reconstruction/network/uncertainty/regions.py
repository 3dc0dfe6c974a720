"""Regions for a person to review, worst first: where much of the answer is likely far off.

A region is a connected part of the voxels that may be wrong by more than a border's width, of one class of the answer,
cut in halves until it is small enough to be looked at in one go. Its rank is the volume in it that is expected to be
wrong: the sum of the voxels' probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats, Singles
from geometry.volume import Volume

# A voxel belongs to a region from this probability on of being wrong by more than a border's width.
FROM_PROBABILITY = 0.05
# A longer part is cut.
LONGEST_MM = 60.0
SMALLEST_WRONG_ML = 0.05
# Mean mutual information from which on the passes are said to differ.
DIFFERS = 0.05


@dataclass(frozen=True)
class Region:
    """A part of the scan where the answer may be wrong.

    Attributes:
        centre_mm: a voxel of it nearest to its middle, in the frame of the answer (`ct`: LPS mm).
        slice_number: of the CT's slices as they were read, the one that shows the centre; the first is 1.
        given: the class that the answer gives.
        instead: the class that it might be, by the network.
        volume_ml: of the region.
        expected_wrong_ml: of it, what is expected to be wrong.
        why: what speaks against the answer.
    """

    centre_mm: tuple[float, float, float]
    slice_number: int
    given: str
    instead: str
    volume_ml: float
    expected_wrong_ml: float
    why: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of each voxel of the answer, ``(nk, nj, ni)`` each.

    Attributes:
        labels: class of the answer.
        far: probability that it is wrong by more than a border's width.
        given: the network's mean probability of that class.
        instead: the class that the network's mean gives most to besides.
        mutual_information: of the passes.
    """

    labels: NDArray[np.uint8]
    far: Singles
    given: Singles
    instead: NDArray[np.uint8]
    mutual_information: Singles


def numbered_regions(labels: NDArray[np.uint8], far: Singles, spacing_mm: float) -> NDArray[np.int32]:
    """Number of each voxel's region, from 1, worst first; 0 where there is none. ``(nk, nj, ni)``."""
    numbers = np.zeros(labels.shape, np.int32)
    pieces = list(_pieces(labels, far, max(1, round(LONGEST_MM / spacing_mm))))
    expected = [float(far[tuple(piece.T)].sum(dtype=np.float64)) for piece in pieces]
    order = [n for n in np.argsort(-np.array(expected), kind="stable") if _wrong_ml(expected[n], spacing_mm)]
    for number, n in enumerate(order, start=1):
        numbers[tuple(pieces[n].T)] = number
    return numbers


def described_regions(
    evidence: Evidence, numbers: NDArray[np.int32], answer: Volume, ct: Volume, classes: Sequence[str]
) -> tuple[Region, ...]:
    """What a person is told of each region.

    Args:
        answer: the grid of it all.
        ct: the CT as it was read, for its slices.
        classes: names by index.
    """
    from scipy import ndimage

    regions = []
    for number, box in enumerate(ndimage.find_objects(numbers), start=1):
        start = np.array([part.start for part in box])
        voxels = np.argwhere(numbers[box] == number) + start
        at = tuple(voxels.T)
        far = evidence.far[at].astype(np.float64)
        middle = (voxels * far[:, None]).sum(axis=0) / far.sum()
        nearest = voxels[int(((voxels - middle) ** 2).sum(axis=1).argmin())]
        centre_mm = answer.index_to_mm(nearest[None, ::-1])[0]
        given = int(evidence.labels[at][0])
        instead = int(np.bincount(evidence.instead[at], weights=far, minlength=len(classes)).argmax())
        regions.append(
            Region(
                centre_mm=(round(float(centre_mm[0]), 1), round(float(centre_mm[1]), 1), round(float(centre_mm[2]), 1)),
                slice_number=_slice_number(centre_mm, ct),
                given=classes[given],
                instead=classes[instead],
                volume_ml=round(len(voxels) * answer.voxel_volume_ml, 2),
                expected_wrong_ml=round(float(far.sum()) * answer.voxel_volume_ml, 2),
                why=_why(evidence, at, classes[given], classes[instead]),
            )
        )
    return tuple(regions)


def _pieces(labels: NDArray[np.uint8], far: Singles, longest: int) -> Iterator[NDArray[np.int64]]:
    """Voxels ``(n, 3)`` of each piece."""
    from scipy import ndimage

    doubtful = far >= FROM_PROBABILITY
    around = ndimage.generate_binary_structure(3, 3)
    for given in np.unique(labels[doubtful]):
        parts, _ = ndimage.label(doubtful & (labels == given), around)
        for number, box in enumerate(ndimage.find_objects(parts), start=1):
            voxels = np.argwhere(parts[box] == number) + [part.start for part in box]
            yield from _cut(voxels, longest)


def _cut(voxels: NDArray[np.int64], longest: int) -> Iterator[NDArray[np.int64]]:
    extent = np.ptp(voxels, axis=0)
    axis = int(extent.argmax())
    if extent[axis] < longest:
        yield voxels
        return
    low = voxels[:, axis] < voxels[:, axis].min() + (extent[axis] + 1) / 2
    yield from _cut(voxels[low], longest)
    yield from _cut(voxels[~low], longest)


def _wrong_ml(expected_voxels: float, spacing_mm: float) -> bool:
    return expected_voxels * spacing_mm**3 / 1000.0 >= SMALLEST_WRONG_ML


def _slice_number(centre_mm: Floats, ct: Volume) -> int:
    k = round(float(ct.mm_to_index(centre_mm[None])[0, 2]))
    return int(np.clip(k, 0, ct.shape_ijk[2] - 1)) + 1


def _why(evidence: Evidence, at: tuple[NDArray[np.int64], ...], given: str, instead: str) -> str:
    share = float(evidence.given[at].mean())
    differs = float(evidence.mutual_information[at].mean()) >= DIFFERS
    if share < 0.5:
        said = f"the network gives {given} {share:.2f} on average and would rather say {instead}; the CT's HU decided"
    else:
        said = f"the network gives {given} {share:.2f} on average, the most of the rest to {instead}"
    return said + ("; its passes differ from one another" if differs else "")
